"""The bracketed entities of CorefUD and GUM: ``(1-person-new`` opens, ``1)`` closes.

Universal Anaphora's proposal of CoNLL-U's `Entity=` describes them; the parts between hyphens are
named by `# global.Entity`, and differ from corpus to corpus.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention

UNTYPED = "entity without a type"
UNOPENED = "entity without a beginning"
OVER_SENTENCES = "entity over several sentences"
IN_PIECES = "entity in pieces"

_BRACKET = re.compile(r"(\()?([^()]*)(\))?")
_TYPES = ("etype", "entity", "type")
_GROUPS = ("grp", "eid", "id")
_PIECE = re.compile(r"(.+)\[(\d+)/(\d+)\]")
_ID = re.compile(r"[a-z]*\d+", re.IGNORECASE)


class _Open(NamedTuple):
    names: frozenset[str]
    label: str
    start: int
    line: int
    in_pieces: bool


def entity_parts(value: str) -> tuple[str, ...]:
    """The names of the parts of an entity, in small letters, from a `# global.Entity`."""
    return tuple(part.strip().lower() for part in value.split("-") if part.strip())


def of_type(value: str, parts: tuple[str, ...]) -> bool:
    """Whether an entity that opens in a value has a type."""
    opened = (inner for opens, inner, _ in _BRACKET.findall(value) if opens)
    return any(_group_and_label(inner.split("-"), parts)[1] for inner in opened)


class Brackets:
    """Reads the brackets of one file, sentence by sentence.

    problems: log for what does not open or close.
    label: the label of entities without a type; if None, these are problems.
    """

    def __init__(self, problems: ProblemLog, label: str | None = None) -> None:
        self._problems = problems
        self._label = label
        self._cut: list[_Open] = []
        self._open: list[_Open] = []
        self._found: list[Mention] = []
        self._missing: list[tuple[int, int]] = []

    def read(self, value: str, at: int, line: int, parts: tuple[str, ...]) -> None:
        """Read the value at one word: what opens there, and what closes.

        value: such as "(1-person(2-place)".
        at: the word's index in its sentence.
        line: its line.
        parts: as of `entity_parts`; empty if the file does not name them.
        """
        for opens, inner, closes in _BRACKET.findall(value):
            if opens:
                self._open.append(_opened(inner, at, line, parts))
                if closes:
                    self._close(len(self._open) - 1, at + 1)
            elif closes:
                index = self._find(inner)
                if index is None:
                    if not any(inner in one.names for one in self._cut):
                        self._problems.add(UNOPENED, line, f"{inner!r} closes, and did not open")
                    self._missing.append((0, at + 1))
                else:
                    self._close(index, at + 1)

    def end_sentence(self, length: int) -> tuple[list[Mention], list[tuple[int, int]]]:
        """The entities of the sentence that ends, and the ranges where one may be that runs over
        its end."""
        found, missing = self._found, self._missing
        for one in self._open:
            self._problems.add(OVER_SENTENCES, one.line, f"{one.label}: left out")
            missing.append((one.start, length))
        self._cut, self._open = self._open, []
        self._found, self._missing = [], []
        return found, missing

    def _find(self, inner: str) -> int | None:
        """The innermost open entity of this name. Some corpora close by the whole of what opened,
        some by its number or by its type."""
        indices = reversed(range(len(self._open)))
        return next((i for i in indices if inner in self._open[i].names), None)

    def _close(self, index: int, end: int) -> None:
        one = self._open.pop(index)
        label = one.label or self._label
        if label and not one.in_pieces:
            self._found.append(Mention(one.start, end, label, line=one.line))
            return
        kind, what = (IN_PIECES, f"{label}: a piece") if label else (UNTYPED, "an entity")
        self._problems.add(kind, one.line, f"{what} is left out")
        self._missing.append((one.start, end))


def _opened(inner: str, at: int, line: int, parts: tuple[str, ...]) -> _Open:
    values = inner.split("-")
    group, label = _group_and_label(values, parts)
    piece = _PIECE.fullmatch(group)
    names = {inner, group, f"{group}-{label}", f"{label}-{group}", group or label}
    return _Open(frozenset(names), unquote(label), at, line, bool(piece and piece[3] != "1"))


def _group_and_label(values: list[str], parts: tuple[str, ...]) -> tuple[str, str]:
    named = dict(zip(parts, values, strict=False))
    if parts:
        group = next((named[name] for name in _GROUPS if name in named), "")
        return group, next((named[name] for name in _TYPES if name in named), "")
    if len(values) > 1 and _ID.fullmatch(values[0].partition("[")[0]):
        return values[0], values[1]
    return (values[1] if len(values) > 1 else ""), values[0]
