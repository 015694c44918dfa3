"""What a tokenizer has made of tokens already, in a bounded number of bytes."""

from collections.abc import Mapping, Sequence
from sys import getsizeof

MAX_ENTRY_BYTES = 1024  # longer ones are seldom words that come again


class WordpieceCache:
    """The wordpieces of tokens, as bytes, by the tokens' keys.

    There are two generations. When the younger one has half of the bytes, it becomes the elder,
    and what was the elder is forgotten; what is asked for and is in the elder alone is taken over.
    So what goes is what has not been asked for longest.

    Any number of threads may use it at a time, without a lock: a generation never shrinks, and
    what a thread has looked up is its own.

    max_bytes: of keys, values and tables together, as Python counts them.
    """

    def __init__(self, max_bytes: int):
        self._max_bytes = max_bytes
        self._young, self._old = _Generation(), _Generation()

    @property
    def n_bytes(self) -> int:
        """The bytes that it takes."""
        return self._young.n_bytes + self._old.n_bytes

    def look_up(self, keys: Sequence[int]) -> list[bytes | None]:
        """The wordpieces of each key, None where they are not known."""
        young, old = self._young.pieces, self._old.pieces
        try:
            return list(map(young.__getitem__, keys))
        except KeyError:
            pass
        self.add({key: old[key] for key in set(keys) if key in old and key not in young})
        return [young[key] if key in young else old.get(key) for key in keys]

    def add(self, entries: Mapping[int, bytes]) -> None:
        """Keep the wordpieces of some keys."""
        for key, value in entries.items():
            if len(value) > MAX_ENTRY_BYTES:
                continue
            young = self._young
            if young.n_bytes_at_most > self._max_bytes // 2:
                self._old = young
                self._young = young = _Generation()
            young.add(key, value)


class _Generation:
    """pieces: only ever added to."""

    def __init__(self) -> None:
        self.pieces: dict[int, bytes] = {}
        self._n_bytes_of_entries = 0

    @property
    def n_bytes(self) -> int:
        return getsizeof(self.pieces) + self._n_bytes_of_entries

    @property
    def n_bytes_at_most(self) -> int:
        """When another entry has been added, for which Python may double the table."""
        return self.n_bytes + getsizeof(self.pieces) + MAX_ENTRY_BYTES

    def add(self, key: int, value: bytes) -> None:
        self.pieces[key] = value
        # Where two threads count at once, one may be lost: only the bound depends on it.
        self._n_bytes_of_entries += getsizeof(key) + getsizeof(value)
