"""DataTurks' JSON lines.

A line is ``{"content": …, "annotation": [{"label": ["PER"], "points": [{"start": 0, "end": 3,
"text": "Anna"}]}], "extras": null}``; ends are inclusive. "annotation" is null where nobody
annotated the text, and ``{"labels": ["sports"]}`` where texts were classified.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from spacy_bertcrf.corpora.counting import Counting, OffsetRule
from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, Evidence, Format
from spacy_bertcrf.corpora.json_mentions import SpanKeys, of_object
from spacy_bertcrf.corpora.json_values import (
    list_under,
    looks_like_json,
    read_objects,
    sample_objects,
)
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.corpora.repeats import tell_repeats
from spacy_bertcrf.corpora.sources import Source

_POINT = SpanKeys(("start",), ("end",), ("label",), ("text",))


class DataTurks(Format):
    """DataTurks' exports."""

    name = "dataturks"
    description = "DataTurks' JSON lines: content, annotation, points"
    options = frozenset({"label", "ends"})
    offsets = OffsetRule(
        Counting(inclusive=True), without_surface=(Counting(), Counting(unit="UTF-16 units"))
    )

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By "content" beside an "annotation" of points with offsets, or of labels."""
        if not looks_like_json(source):
            return None
        found = [value["annotation"] for value in sample_objects(source) if _is_task(value)]
        if any(_has_points(annotation) for annotation in found):
            return Evidence("'content' beside an 'annotation' of labels and points", CERTAIN)
        if any(isinstance(one, dict) and isinstance(one.get("labels"), list) for one in found):
            return Evidence("'content' beside an 'annotation' of labels: categories", CERTAIN)
        return Evidence("no 'content' with an 'annotation' of labels and points", AGAINST)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a text; of those whose annotation is null nothing is known."""
        return tell_repeats(_records(source, options, problems), problems)


def _records(source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
    for line, value in read_objects(source, problems):
        record = Record(line, text=value.get("content"))
        annotation = value.get("annotation")
        if isinstance(annotation, dict):
            labels = annotation.get("labels")
            names = labels if isinstance(labels, list) else [labels]
            record.cats = {name: 1.0 for name in names if isinstance(name, str)} or None
        elif (entries := list_under(value, "annotation", line, problems)) is not None:
            record.entities = [m for found in entries for m in _mentions(found, options)]
        yield record


def _mentions(found: Any, options: Options) -> Iterator[Mention]:
    """The entities of one entry: one for each of its points and labels."""
    if not isinstance(found, dict):
        yield of_object(found, _POINT)
        return
    names, points = found.get("label"), found.get("points")
    labels: list[Any] = names if isinstance(names, list) and names else [names or options.label]
    for point in points if isinstance(points, list) else [points]:
        for label in labels:
            yield of_object(point, _POINT)._replace(label=label)


def _is_task(value: dict[str, Any]) -> bool:
    return isinstance(value.get("content"), str) and "annotation" in value


def _has_points(annotation: Any) -> bool:
    return isinstance(annotation, list) and any(
        isinstance(point, dict) and "start" in point and "end" in point
        for found in annotation
        if isinstance(found, dict) and isinstance(found.get("points"), list)
        for point in found["points"]
    )
