"""What a format reads: one text with its annotation, before there are spaCy tokens.

A format says what its file says and no more. What follows from it (tokens, white space at the ends
of spans, overlaps, spans that do not fit, what is not annotated) is settled once for all formats,
in `spacy_bertcrf.corpora.documents`, and how its offsets count in `spacy_bertcrf.corpora.offsets`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from spacy_bertcrf.tagging import EntitySpan


class Mention(NamedTuple):
    """An entity as the file has it.

    start, end: its offsets as the file counts them; where the record has tokens, in tokens, from 0,
        end exclusive.
    label: its label.
    surface: its text, where the file carries it.
    line: the line it is in, or 0 for that of its record.
    pieces: start and end of each piece of a discontinuous entity, in the file's counting; `start`
        and `end` are then those of the whole.
    score: its probability, where the file has one.
    """

    start: int
    end: int
    label: str
    surface: str | None = None
    line: int = 0
    pieces: tuple[tuple[int, int], ...] = ()
    score: float | None = None


class Group(NamedTuple):
    """A group of spans as spaCy has them: in tokens, with attributes such as their scores."""

    spans: list[EntitySpan]
    attrs: dict[str, Any]


@dataclass(slots=True)
class Record:
    """One text or sentence of a file.

    line: the line where it begins, from 1; in a file of one text, 1.
    text: the text; None where the file gives tokens.
    tokens: the tokens; None where the file gives a text. With both, the tokens lie in the text in
        their order, and entities count in tokens.
    spaces: for each token, whether a space follows; None to go by the language.
    entities: the entities, overlapping ones among them; an empty list says that there is none,
        None that the text is not annotated.
    rejected: spans that are known to be no such entity; they say nothing of other spans.
    doubtful: entities that may be none, for annotators differ: their places are missing.
    missing: start and end of ranges of which nothing is known, counted as the entities are.
    cats: categories of the whole text and their values; None if there are none.
    sentences: where sentences begin, counted as the entities are; None if that is not known.
    key: the id that the file gives it.
    new_document: whether a document begins here; None where the file does not say.
    lines: the line of each token, where they have lines of their own.
    annotated_labels: the labels that it is annotated for, if others are not; None if that is not
        known, or all are.
    groups: further groups of spans, in tokens, by their names: they go to `doc.spans` as they are.
    """

    line: int
    text: str | None = None
    tokens: Sequence[str] | None = None
    spaces: Sequence[bool] | None = None
    entities: list[Mention] | None = None
    rejected: list[Mention] = field(default_factory=list)
    doubtful: list[Mention] = field(default_factory=list)
    missing: list[tuple[int, int]] = field(default_factory=list)
    cats: dict[str, float] | None = None
    sentences: list[int] | None = None
    key: str | int | None = None
    new_document: bool | None = None
    lines: Sequence[int] | None = None
    annotated_labels: Sequence[str] | None = None
    groups: dict[str, Group] = field(default_factory=dict)

    def doubt_all(self) -> None:
        """Say that an entity may be anywhere in the text: all of it is missing, but for the other
        entities."""
        pieces = self.tokens if self.tokens is not None else self.text
        self.missing.append((0, len(pieces) if isinstance(pieces, Sequence) else 0))
