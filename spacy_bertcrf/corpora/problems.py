"""What a converter found wrong in its files, and where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple


class Problem(NamedTuple):
    """One thing that is wrong in a file.

    kind: what sort of thing, e.g. "nested entities".
    path: the file.
    line: its line, from 1; 0 if it is the file as a whole.
    what: what is there, and what was made of it.
    """

    kind: str
    path: Path
    line: int
    what: str

    @property
    def place(self) -> str:
        """Where it is, as ``file:line``."""
        return f"{self.path}:{self.line}" if self.line else str(self.path)


class ProblemLog:
    """Collects problems in the order in which they are found.

    path: the file that is being read.
    notes: what a reader found out about the files, by its name: {"Tag scheme": "BIO"}; printed.
    texts: what was found out about each text of the corpus, to tell those that come again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: dict[str, str] = {}
        self.texts: dict[str, Any] = {}
        self._problems: list[Problem] = []
        self._counts: Counter[str] = Counter()
        self._noted: dict[str, list[str]] = {}

    def of(self, path: Path) -> ProblemLog:
        """The same log for another file: what is added to it is added to this one too."""
        log = ProblemLog(path)
        log._problems, log.notes, log.texts = self._problems, self.notes, self.texts
        log._counts, log._noted = self._counts, self._noted
        return log

    def add(self, kind: str, line: int, what: str) -> None:
        """Note a problem.

        kind: what sort of problem it is.
        line: the line it is in, from 1; 0 for the file as a whole.
        what: what is there, and what was made of it.
        """
        self._problems.append(Problem(kind, self.path, line, what))

    def note(self, name: str, what: str) -> None:
        """Note what was found out, beside what others files of the corpus say."""
        noted = self._noted.setdefault(name, [])
        if what not in noted:
            noted.append(what)
            self.notes[name] = "; ".join(noted)

    def count(self, name: str, number: int = 1) -> None:
        """Count what is no problem and yet to be said; the sum over all files becomes a note.

        name: what is counted: "Relations left out".
        number: how many there are; nothing is noted of none.
        """
        if number:
            self._counts[name] += number
            self.notes[name] = f"{self._counts[name]:,}"

    def __len__(self) -> int:
        return len(self._problems)

    def __iter__(self) -> Iterator[Problem]:
        return iter(self._problems)

    def by_kind(self) -> dict[str, list[Problem]]:
        """The problems of each kind, in the files' order: first those of files as a whole, then the
        most frequent kind."""
        files: dict[Path, int] = {}
        for problem in self._problems:
            files.setdefault(problem.path, len(files))
        kinds: dict[str, list[Problem]] = {}
        for problem in sorted(self._problems, key=lambda found: (files[found.path], found.line)):
            kinds.setdefault(problem.kind, []).append(problem)
        return dict(sorted(kinds.items(), key=lambda kind: (kind[1][0].line > 0, -len(kind[1]))))
