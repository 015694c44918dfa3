"""What a teacher believes of texts, kept on disk, so that it reads each text once."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
from spacy.util import minibatch
from srsly import msgpack

from spacy_bertcrf.layers.chains import TagChain
from spacy_bertcrf.models.distillation.beliefs import Belief

FLOOR = 1e-4  # probabilities up to it are not kept
_AT_ONCE = 500  # keys of one query
_SECONDS = 60.0  # to wait for another process that writes


class KeptBeliefs:
    """A SQLite file of beliefs by key.

    Each call of `keep` is one transaction: whatever kills the process, there is all of it or
    nothing. Several processes may read and write it.

    path: the file, made when it is first written.
    """

    def __init__(self, path: Path):
        self.path = path

    def find(self, keys: Iterable[bytes]) -> dict[bytes, Belief]:
        """Those that are there. Raises ValueError if the file is none of these."""
        if not self.path.exists():
            return {}
        found: dict[bytes, Belief] = {}
        with self._opened() as database:
            for part in minibatch(dict.fromkeys(keys), _AT_ONCE):
                marks = ",".join("?" * len(part))
                query = f"SELECT key, belief FROM beliefs WHERE key IN ({marks})"
                found.update((key, _unpacked(data)) for key, data in database.execute(query, part))
        return found

    def keep(self, beliefs: Mapping[bytes, Belief]) -> None:
        """Add some. Raises ValueError if the file is none of these."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        packer = msgpack.Packer()  # each looks for plugins among all that is installed
        rows = [(key, _packed(belief, packer)) for key, belief in beliefs.items()]
        with self._opened() as database, database:
            database.executemany("INSERT OR REPLACE INTO beliefs VALUES (?, ?)", rows)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=_SECONDS)) as database:
                database.execute(
                    "CREATE TABLE IF NOT EXISTS beliefs (key BLOB PRIMARY KEY, belief BLOB) "
                    "WITHOUT ROWID"
                )
                yield database
        except sqlite3.DatabaseError as error:
            raise ValueError(
                f"{self.path}, where a teacher's beliefs are kept, cannot be used ({error}). "
                "Remove it, and the teacher reads the texts again, or name another file."
            ) from error


def _packed(belief: Belief, packer: msgpack.Packer) -> bytes:
    data: bytes = packer.pack([None if c is None else _packed_chain(c) for c in belief])
    return data


def _packed_chain(chain: TagChain) -> list:
    # As small as they fit: a token has few entries, and few models have 256 tags.
    width = "<u2" if chain.n_tags**2 <= 2**16 else "<u4"
    return [
        chain.n_tags,
        np.diff(chain.bounds).astype("<u2" if chain.n_tags**2 < 2**16 else "<u4").tobytes(),
        chain.entries.astype(width).tobytes(),
        chain.probabilities.astype("<f2").tobytes(),
    ]


def _unpacked(data: bytes) -> Belief:
    # There are no dicts; without the hook plugins for them would be looked for, for 2 ms.
    chains = msgpack.unpackb(data, object_pairs_hook=dict)
    return [None if c is None else _unpacked_chain(*c) for c in chains]


def _unpacked_chain(n_tags: int, sizes: bytes, entries: bytes, probabilities: bytes) -> TagChain:
    width = "<u2" if n_tags**2 <= 2**16 else "<u4"
    of_token = np.frombuffer(sizes, "<u2" if n_tags**2 < 2**16 else "<u4").astype(np.int64)
    bounds = np.concatenate([[0], of_token.cumsum()]).astype(np.int64)
    values = np.frombuffer(probabilities, "<f2").astype(np.float64)
    totals = np.add.reduceat(values, bounds[:-1]) if len(of_token) else values
    return TagChain(
        n_tags,
        bounds,
        np.frombuffer(entries, width).astype(np.int64),
        values / np.repeat(totals, of_token),
    )
