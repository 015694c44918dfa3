"""Puts entity spans on a Doc: trimmed of white space, without overlaps, gaps left missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from spacy.tokens import Doc, Span

from spacy_bertcrf.tagging import EntitySpan

NESTED = "nested entities"
OVERLAP = "overlapping entities"
DUPLICATE = "entity given twice"
TWO_LABELS = "two labels on one span"
TRIMMED = "white space at the edge of an entity"
BLANK = "entity of white space only"


class Dropped(NamedTuple):
    """An entity that gave way to another.

    span: the entity that is left out.
    kind: why, one of the kinds named in this module.
    kept: the entity that stays.
    """

    span: EntitySpan
    kind: str
    kept: EntitySpan


def trim(pieces: Sequence[str], start: int, end: int) -> tuple[int, int]:
    """Take white space off both ends of a span: spaCy calls such entities invalid.

    pieces: the tokens, or the characters of a text.
    start, end: the span, end exclusive.

    RETURNS: the narrower span; empty where there is white space only.
    """
    while start < end and pieces[start].isspace():
        start += 1
    while start < end and pieces[end - 1].isspace():
        end -= 1
    return start, end


def without_overlaps(spans: Iterable[EntitySpan]) -> tuple[list[EntitySpan], list[Dropped]]:
    """Choose the longer of two spans that overlap: of nested ones the outer.

    spans: spans in the order of the file. Of two as long the one further left is kept, of two
        labels for the same tokens the first.

    RETURNS: the spans to keep, in reading order, and those left out.
    """
    kept: list[EntitySpan] = []
    dropped: list[Dropped] = []
    for span in sorted(spans, key=lambda span: (span.start - span.end, span.start)):
        rivals = [other for other in kept if other.start < span.end and span.start < other.end]
        if rivals:
            rival = next((other for other in rivals if _holds(other, span)), rivals[0])
            dropped.append(Dropped(span, _conflict(span, rival), rival))
        else:
            kept.append(span)
    return sorted(kept), dropped


def annotate(doc: Doc, spans: Iterable[EntitySpan], missing: Iterable[int] = ()) -> None:
    """Set a Doc's entities; tokens that are neither in one nor missing are outside.

    doc: the Doc to change.
    spans: entities in token offsets, without overlaps.
    missing: tokens of which it is not known whether they are in an entity; those that a span
        covers are known after all.
    """
    entities = [Span(doc, *span) for span in spans]
    known = {token.i for entity in entities for token in entity}
    gaps = [doc[i : i + 1] for i in sorted(set(missing) - known)]
    doc.set_ents(entities, missing=gaps, default="outside")


def _holds(outer: EntitySpan, inner: EntitySpan) -> bool:
    return outer.start <= inner.start and inner.end <= outer.end


def _conflict(span: EntitySpan, rival: EntitySpan) -> str:
    if span == rival:
        return DUPLICATE
    if span[:2] == rival[:2]:
        return TWO_LABELS
    return NESTED if _holds(rival, span) else OVERLAP
