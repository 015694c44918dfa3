"""doccano's JSONL and JSON (Nakayama et al., 2018, "doccano: Text Annotation Tool for Human").

Each version writes other keys:

- ``{"text": …, "labels": [[0, 4, "PER"]]}``, later ``"label"``, and ``"data"`` for ``"text"`` in
  1.4 to 1.6;
- ``{"text": …, "entities": [{"label": "PER", "start_offset": 0, "end_offset": 4}], "relations":
  […]}`` of projects with relations, and with the key ``"annotations"`` before 1.0, where labels are
  numbers of its database;
- ``{"text": …, "label": ["sports"]}`` of text classification, ``{"text": …, "cats": […],
  "entities": [[0, 4, "PER"]]}`` of intent detection.

An empty list says that somebody looked and found nothing. Offsets count what JavaScript counts,
UTF-16 units, or grapheme clusters if the project was set so; the file does not say which.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from spacy_bertcrf.corpora.counting import CODE_POINTS, GRAPHEMES, UTF_16, Counting, OffsetRule
from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, LIKELY, Evidence, Format, Writer
from spacy_bertcrf.corpora.formats.json_spans import OTHER_LISTS
from spacy_bertcrf.corpora.json_mentions import SpanKeys, is_triple, of_object, of_triple
from spacy_bertcrf.corpora.json_parallel import keys_of_places, lists_beside
from spacy_bertcrf.corpora.json_values import (
    list_under,
    looks_like_json,
    read_objects,
    record_key,
    sample_objects,
)
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.corpora.repeats import tell_repeats
from spacy_bertcrf.corpora.sources import Source
from spacy_bertcrf.corpora.writing import AnnotatedText, write_lines

RELATIONS = "Relations left out"

_SPAN = SpanKeys(("start_offset",), ("end_offset",), ("label",))
_TRIPLES = "every {!r} holds lists of start, end and label"
_OBJECTS = "{!r} holds objects with start_offset and end_offset"
_CATEGORIES = "every {!r} is a list of strings: categories of the text"
_EMPTY = "every {!r} is an empty list: annotated, without entities"
_THREE = 3
_BESIDE = {"cats", "relations"}
_TAG = re.compile(r"O|[BIESMLU][-_]\S+")
_ANNOTATIONS = ("label", "labels", "entities", "annotations")


def write_doccano(
    texts: Iterable[AnnotatedText], path: Path, options: Options, problems: ProblemLog
) -> None:
    """Write JSONL with triples in "label", in the UTF-16 units that doccano's page counts.

    Files of doccano do not say what they count, so that one without whole words behind its emoji
    may be read otherwise.
    """
    write_lines(path, (_line_of(text) for text in texts))


def _line_of(text: AnnotatedText) -> dict[str, Any]:
    whole = text.doc.text
    triples = []
    for span in text.spans:
        start, end = text.offsets(span)
        triples.append([_utf_16_length(whole[:start]), _utf_16_length(whole[:end]), span.label])
    return {"id": text.id, "text": whole} | ({"label": triples} if text.is_annotated else {})


def _utf_16_length(text: str) -> int:
    return len(text) + sum(char > "\uffff" for char in text)


class Doccano(Format):
    """doccano's exports."""

    name = "doccano"
    description = "doccano's JSONL or JSON, of any version"
    options = frozenset({"labels", "ends"})
    offsets = OffsetRule(
        Counting(unit=UTF_16),
        without_surface=(Counting(unit=CODE_POINTS), Counting(unit=GRAPHEMES)),
    )

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By lists of three under "label", or start_offset in objects."""
        if not looks_like_json(source):
            return None
        seen = Counter(
            (kind.format(key), strength)
            for value in sample_objects(source)
            if _text(value) is not None
            for key, kind, strength in _kinds(value)
        )
        sure = [found for found in seen if found[1] == CERTAIN]
        found = sure or [found for found in seen if found[1] == LIKELY]
        against = sum(count for (_, strength), count in seen.items() if strength == AGAINST)
        if sum(seen[one] for one in found) <= against:
            return Evidence("no 'label' of triples and no start_offset beside a text", AGAINST)
        return Evidence(*max(found, key=lambda one: seen[one]))

    @property
    def writer(self) -> Writer:
        """Writes it as `write_doccano` says."""
        return write_doccano

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a text; relations are counted and left out. Raises ValueError if labels are
        numbers whose names are not given."""
        return tell_repeats(_records(source, options, problems), problems)


def _records(source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
    relations = 0
    for line, value in read_objects(source, problems):
        relations += len(list_under(value, "relations", line, problems) or ())
        for name in keys_of_places(value):
            if name not in _ANNOTATIONS:
                problems.note(OTHER_LISTS, name)
        key = record_key(value)
        record = Record(line, text=_text(value), key=key)
        for name in _ANNOTATIONS:
            if (found := list_under(value, name, line, problems)) is not None:
                _annotate(record, found, options, source)
        if cats := list_under(value, "cats", line, problems):
            record.cats = _categories(cats)
        yield record
    problems.count(RELATIONS, relations)


def _annotate(record: Record, found: list[Any], options: Options, source: Source) -> None:
    if found and all(isinstance(one, str) for one in found):
        record.cats = _categories(found)
        return
    record.entities = [*(record.entities or ()), *(_mention(one, options, source) for one in found)]


def _mention(value: Any, options: Options, source: Source) -> Mention:
    if not isinstance(value, dict):
        return of_triple(value)
    mention = of_object(value, _SPAN)
    number: Any = mention.label
    if type(number) is not int:
        return mention
    if options.labels is None:
        raise ValueError(
            f"{source.path}: the labels are numbers of doccano's database, such as {number}. Give "
            "their names, that of 0 first, with --labels, or export JSONL with text labels."
        )
    inside = 0 <= number < len(options.labels)
    return mention._replace(label=options.labels[number] if inside else None)  # type: ignore[arg-type]


def _categories(names: list[Any]) -> dict[str, float]:
    return {name: 1.0 for name in names if isinstance(name, str)}


def _text(value: dict[str, Any]) -> Any:
    """The text of an object, if it is annotated as doccano does."""
    key = "text" if "text" in value else "data"
    return value.get(key) if isinstance(value.get(key), str | None) else None


def _kinds(value: dict[str, Any]) -> Iterator[tuple[str, str, int]]:
    """What the lists of an object hold, and how strongly that speaks for doccano."""
    for key in _ANNOTATIONS:
        found = value.get(key)
        if not isinstance(found, list):
            continue
        if found and all(_SPAN.fit(one) for one in found):
            yield key, _OBJECTS, CERTAIN
        elif not found and any(value.get(other) for other in _ANNOTATIONS):
            continue
        elif any(key in other.split(", ") for other in lists_beside(value)):
            yield key, "{!r} holds the labels of spans beside it", AGAINST
        elif key in ("label", "labels") or (key == "entities" and _BESIDE & value.keys()):
            yield key, *_kind_of_list(found)


def _kind_of_list(found: list[Any]) -> tuple[str, int]:
    if not found:
        return _EMPTY, LIKELY
    if all(is_triple(one) and len(one) == _THREE for one in found):
        return _TRIPLES, CERTAIN
    if all(isinstance(one, str) and not _TAG.fullmatch(one) for one in found):
        return _CATEGORIES, LIKELY
    return "{!r} holds something else", AGAINST
