"""Decisions on suggestions for a corpus, taken back into it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from spacy.tokens import Doc, Span

ACCEPT, KEEP, ENTITIES = "accept", "keep", "entities"
UNDECIDED = "undecided"
DECISIONS = (ACCEPT, KEEP, ENTITIES)

Line = tuple[int, Mapping[str, Any]]


class Refused(ValueError):
    """A decision that does not fit its text; says file and line."""


def apply_decisions(docs: Sequence[Doc], path: Path) -> Counter[str]:
    """Change the entities of Docs as the decisions of a file say. All of it is checked first:
    where anything is refused, no Doc has changed.

    docs: all of the corpus, in its order.
    path: JSON lines, as `review` writes them, with "decision": "accept", which puts what is
        suggested in place of gold; "keep"; or "entities", with all entities that the text has
        under that name, as {"start", "end", "label"} in characters, end exclusive. Without a
        decision, or with null, a line changes nothing.

    Returns how many decisions there are of each, the undecided too. Raises ValueError, with file
    and line, for what is no decision and what does not fit the text: another text, gold entities
    that are not there, entities that do not fit the tokens or overlap, and two decisions on the
    same place that contradict each other.
    """
    counts: Counter[str] = Counter()
    by_document: dict[int, list[Line]] = {}
    for number, value in _lines(path):
        try:
            decision = value.get("decision")
            if decision is None:
                counts[UNDECIDED] += 1
                continue
            if decision not in DECISIONS:
                raise ValueError(f"{decision!r} is none of the decisions {', '.join(DECISIONS)}.")
            by_document.setdefault(_document(value, docs), []).append((number, value))
            counts[decision] += 1
        except ValueError as error:
            raise Refused(f"{path}, line {number}: {error}") from error
    changed = {index: _entities(docs[index], of, path) for index, of in by_document.items()}
    for index, (entities, removed, is_all) in changed.items():
        _set(docs[index], entities, removed, is_all)
    return counts


def _lines(path: Path) -> Iterator[Line]:
    # Not by `splitlines`: JSON may hold other line separators as they are.
    lines = path.read_text(encoding="utf-8-sig").split("\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            raise Refused(f"{path}, line {number}: no JSON object: {error}.") from error
        if not isinstance(value, dict):
            raise Refused(f"{path}, line {number}: no JSON object, but {line[:40]!r}.")
        yield number, value


def _document(value: Mapping[str, Any], docs: Sequence[Doc]) -> int:
    number = value.get("document")
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= len(docs):
        raise ValueError(
            f"'document' is {number!r}; it has to be a number from 1 to {len(docs)}, that of the "
            "text in the corpus."
        )
    text = value.get("text")
    if text is not None and text != docs[number - 1].text:
        raise ValueError(f"the text of document {number} is another one in the corpus.")
    return number - 1


def _entities(doc: Doc, lines: Sequence[Line], path: Path) -> tuple[list[Span], list[Span], bool]:
    """The entities of a Doc after the decisions, those that are removed, and whether these are all
    that is said of the text."""
    found = {_key(ent): ent for ent in doc.ents}
    removed: dict[tuple[int, int, str], Span] = {}
    added: dict[tuple[int, int, str], tuple[Span, int]] = {}
    kept: set[tuple[int, int, str]] = set()
    own = [(number, value) for number, value in lines if value["decision"] == ENTITIES]
    for number, value in lines:
        try:
            gold = [] if value["decision"] == ENTITIES else _gold(doc, value, found)
            if value["decision"] == ACCEPT:
                if own:
                    raise ValueError(f"line {own[0][0]} has all entities of the text already.")
                removed |= {_key(span): span for span in gold}
                for span in _spans(doc, value, "suggested"):
                    added[_key(span)] = span, number
            elif value["decision"] == KEEP:
                kept |= {_key(span) for span in gold}
        except ValueError as error:
            raise Refused(f"{path}, line {number}: {error}") from error
    if own:
        number, value = own[-1]
        try:
            if len(own) > 1:
                raise ValueError(f"line {own[0][0]} has other entities of the same text.")
            spans = _spans(doc, value, "entities")
            _check_overlaps([*spans])
        except ValueError as error:
            raise Refused(f"{path}, line {number}: {error}") from error
        return spans, list(found.values()), True
    left = [ent for key, ent in found.items() if key not in removed]
    for span, number in added.values():
        try:
            _check_overlaps([span, *left, *(other for other, _ in added.values() if other != span)])
        except ValueError as error:
            raise Refused(f"{path}, line {number}: {error}") from error
    for key in kept & removed.keys():
        number = next(n for n, v in lines if v["decision"] == KEEP)
        raise Refused(
            f"{path}, line {number}: {removed[key].text!r} is kept here and replaced in another "
            "line."
        )
    spans = [*left, *(span for span, _ in added.values())]
    return sorted(spans, key=_key), list(removed.values()), False


def _gold(
    doc: Doc, value: Mapping[str, Any], found: Mapping[tuple[int, int, str], Span]
) -> list[Span]:
    spans = _spans(doc, value, "gold")
    for span in spans:
        if _key(span) not in found:
            raise ValueError(
                f"{span.label_} {span.text!r} is no entity of the text. Apply decisions to the "
                "corpus that was reviewed."
            )
    return spans


def _spans(doc: Doc, value: Mapping[str, Any], name: str) -> list[Span]:
    objects = value.get(name)
    if not isinstance(objects, list):
        raise ValueError(f"there is no list of entities under '{name}'.")
    return [_span(doc, item) for item in objects]


def _span(doc: Doc, item: Any) -> Span:
    keys = ("start", "end", "label")
    start, end, label = (item.get(key) for key in keys) if isinstance(item, dict) else (None,) * 3
    if not isinstance(start, int) or not isinstance(end, int) or not isinstance(label, str):
        raise ValueError(f"{item!r} is no entity with 'start', 'end' and 'label'.")
    if not label:
        raise ValueError(f"the entity at {start} to {end} has an empty label.")
    span = doc.char_span(start, end, label=label) if 0 <= start < end <= len(doc.text) else None
    if span is None:
        raise ValueError(
            f"{label} at {start} to {end} does not fit the tokens of the text, which has "
            f"{len(doc.text)} characters: {doc.text[max(start, 0) : max(end, 0)]!r}."
        )
    surface = item.get("text")
    if surface is not None and surface != span.text:
        raise ValueError(f"at {start} to {end} the text has {span.text!r}, not {surface!r}.")
    return span


def _check_overlaps(spans: Sequence[Span]) -> None:
    """The first against all others, and the others against each other. Raises ValueError."""
    ordered = sorted(spans, key=_key)
    for before, after in pairwise(ordered):
        if after.start < before.end:
            raise ValueError(
                f"{before.label_} {before.text!r} and {after.label_} {after.text!r} overlap."
            )


def _set(doc: Doc, entities: Sequence[Span], removed: Iterable[Span], is_all: bool) -> None:
    if is_all:
        doc.set_ents(list(entities))
        return
    inside = {token.i for span in entities for token in span}
    emptied = sorted({token.i for span in removed for token in span} - inside)
    # A token that an entity is taken from is outside of entities: it is no longer unknown.
    doc.set_ents(list(entities), outside=[doc[i : i + 1] for i in emptied], default="unmodified")


def _key(span: Span) -> tuple[int, int, str]:
    return span.start, span.end, span.label_
