"""What a converter found wrong in a file, and where."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Problem(NamedTuple):
    """One thing that is wrong in a file.

    kind: what sort of thing, e.g. "nested entities".
    path: the file.
    line: its line, from 1.
    what: what is there, and what was made of it.
    """

    kind: str
    path: Path
    line: int
    what: str

    @property
    def place(self) -> str:
        """Where it is, as ``file:line``."""
        return f"{self.path}:{self.line}"


class ProblemLog:
    """Collects the problems of one file, in the order in which they are found.

    path: the file that is being read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._problems: list[Problem] = []

    def add(self, kind: str, line: int, what: str) -> None:
        """Note a problem.

        kind: what sort of problem it is.
        line: the line it is in, from 1.
        what: what is there, and what was made of it.
        """
        self._problems.append(Problem(kind, self.path, line, what))

    def __len__(self) -> int:
        return len(self._problems)

    def __iter__(self) -> Iterator[Problem]:
        return iter(self._problems)

    def by_kind(self) -> dict[str, list[Problem]]:
        """The problems of each kind, in file order; the most frequent kind comes first."""
        kinds: dict[str, list[Problem]] = {}
        for problem in sorted(self._problems, key=lambda problem: problem.line):
            kinds.setdefault(problem.kind, []).append(problem)
        return dict(sorted(kinds.items(), key=lambda kind: -len(kind[1])))
