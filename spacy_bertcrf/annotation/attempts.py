"""Which texts of a shard have ended the process that read them.

What is being read is noted in a file. If the process dies, the next one, of whatever engine, finds
the note: it reads the texts that were being read then one by one, and gives up on those that end
their process again.
"""

import json
from pathlib import Path
from uuid import uuid4

from spacy_bertcrf.annotation.whole_file import DRAFT

MAX_DEATHS = 2  # of a text that is read alone: the first may be none of its doing


class Attempt:
    """An attempt to annotate a shard, and what is known of those before.

    path: of the note.
    how: in what way the last one has ended, if that is known.
    """

    def __init__(self, path: Path, how: str | None = None):
        self._path = path
        self._suspects: list[list[int]] = []
        self._deaths: dict[str, list[str]] = {}
        note = _read(path)
        if note is None:
            return
        self._suspects, self._deaths = note["suspects"], note["deaths"]
        first, end = note["reading"]
        if end - first > 1:
            self._suspects.append([first, end])
        elif end > first:
            self._deaths.setdefault(str(first), []).append(how or "killed")

    def reads(self, first: int, end: int) -> None:
        """Note that texts are being read from now on. first, end: numbers in the shard."""
        note = {"reading": [first, end], "suspects": self._suspects, "deaths": self._deaths}
        _write(self._path, note)

    def reads_nothing(self) -> None:
        """Note that no text is to blame for what happens from now on."""
        self.reads(0, 0)

    def ended(self) -> None:
        """Note that the shard is done."""
        self._path.unlink(missing_ok=True)

    def is_suspect(self, first: int, end: int) -> bool:
        """Whether one of these texts may have ended a process."""
        alone = any(first <= int(i) < end for i in self._deaths)
        return alone or any(a < end and first < b for a, b in self._suspects)

    def blame(self, i: int) -> str | None:
        """Why a text is not read again, if so."""
        deaths = self._deaths.get(str(i), [])
        if len(deaths) < MAX_DEATHS:
            return None
        return (
            f"Read alone, it ended its process {len(deaths)} times ({deaths[-1]}): it needs too "
            "much memory, or native code crashed."
        )


def forgive(path: Path) -> None:
    """Note that a process was ended on purpose, and by no text. path: of the note."""
    note = _read(path)
    if note is not None:
        _write(path, {**note, "reading": [0, 0]})


def count_tries(path: Path) -> int:
    """Note that one more attempt begins. path: of the note.

    Returns how many have begun, this one included, since one that came further than the one before.
    """
    reached = path.read_text(encoding="utf-8") if path.exists() else ""
    before = _read(_tries(path))
    n = before["n"] + 1 if before is not None and before["reached"] == reached else 1
    _write(_tries(path), {"reached": reached, "n": n})
    return n


def forget_tries(path: Path) -> None:
    """Count from one again. path: of the note."""
    _tries(path).unlink(missing_ok=True)


def _tries(path: Path) -> Path:
    return path.with_name(f"tries-{path.name}")


def _write(path: Path, note: dict) -> None:
    # Another machine may have a process with the same number.
    draft = path.with_name(f".{path.name}.{uuid4().hex}{DRAFT}")
    draft.write_text(json.dumps(note), encoding="utf-8")
    draft.replace(path)


def _read(path: Path) -> dict | None:
    try:
        note: dict = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        # Where the power has failed, a new file can have its name and no content yet.
        return None
    return note
