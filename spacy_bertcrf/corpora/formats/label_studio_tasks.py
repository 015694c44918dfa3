"""Label Studio's tasks: what their data and annotations hold, in JSON and in JSON-MIN."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

from spacy_bertcrf.corpora.json_mentions import whole_number
from spacy_bertcrf.corpora.json_values import list_under, read_objects, record_key
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.sources import Source

_ANNOTATIONS = ("annotations", "completions")
_OF_MINIMAL = frozenset(
    {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement"}
)
_ADDRESS = re.compile(r"(?:https?|s3|gs|azure-blob)://\S+|/data/\S+")


class Region(NamedTuple):
    """A piece of a text with its labels.

    start, end: offsets as the file has them.
    labels: its labels; none where an annotator gave none.
    surface: its text, where the file has it.
    of: the name of the object that it is in.
    place: where it is in a page, if it is in HTML or a dialogue; then it has no offsets.
    """

    start: Any
    end: Any
    labels: list[Any]
    surface: str | None
    of: str
    place: str | None


@dataclass
class Task:
    """A task.

    line: where it begins in the file.
    key: its id.
    data: what is to be annotated.
    annotations: the regions of each annotation that was not cancelled.
    cats: what was chosen for the task as a whole, in any annotation.
    left_out: how many results of other kinds its annotations have.
    """

    line: int
    key: str | int | None
    data: dict[str, Any]
    annotations: list[list[Region]] = field(default_factory=list)
    cats: dict[str, float] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def texts(self) -> dict[str, str]:
        """The texts among its data."""
        return {
            key: value
            for key, value in self.data.items()
            if isinstance(value, str) and value and not _ADDRESS.fullmatch(value)
        }


def is_task(value: dict[str, Any]) -> bool:
    """Whether an object is a task of the full export that somebody might have annotated."""
    found = _annotations(value)
    if not isinstance(value.get("data"), dict) or found is None:
        return False
    return not found or any("result" in one for one in found if isinstance(one, dict))


def is_predicted_task(value: dict[str, Any]) -> bool:
    """Whether an object is a task with predictions, and without a list of annotations."""
    is_annotated = _annotations(value) is not None
    return isinstance(value.get("data"), dict) and "predictions" in value and not is_annotated


def is_minimal_task(value: dict[str, Any]) -> bool:
    """Whether an object is a task of the minimal export that has an entity."""
    return any(
        isinstance(region, dict) and "start" in region and _labels(region) is not None
        for found in value.values()
        if isinstance(found, list)
        for region in found
    )


def read_tasks(source: Source, problems: ProblemLog) -> Iterator[Task]:
    """Read the tasks of a file, full or minimal. Of the minimal export, in which a task comes again
    for each annotation, those that follow each other are one."""
    objects = enumerate(read_objects(source, problems))
    for _, same in groupby(objects, key=lambda found: _identity(found[0], found[1][1])):
        (line, value), *others = (found for _, found in same)
        if isinstance(value.get("data"), dict):
            yield _full(line, value, problems)
        else:
            yield _minimal(line, [value, *(other for _, other in others)])


def _identity(number: int, value: dict[str, Any]) -> tuple[str, ...]:
    """What the objects of one task share; number: which of the file's it is."""
    if isinstance(value.get("data"), dict) or "id" not in value:
        return (str(number),)
    return str(value["id"]), str(value.get("text"))


def _full(line: int, value: dict[str, Any], problems: ProblemLog) -> Task:
    key = record_key(value)
    task = Task(line, key, value["data"])
    for annotation in _annotations(value) or ():
        if not isinstance(annotation, dict) or annotation.get("was_cancelled"):
            continue
        results = list_under(annotation, "result", line, problems)
        if results is None:
            continue
        regions = []
        for result in results:
            found = result.get("value") if isinstance(result, dict) else None
            if not isinstance(found, dict):
                kind = result.get("type") if isinstance(result, dict) else None
                task.left_out[str(kind or "result")] += 1
                continue
            region = _region(found, result)
            if region is not None:
                regions.append(region)
            elif "choices" in found and "start" not in found:
                task.cats |= _choices(found)
            else:
                task.left_out[str(result.get("type") or "result")] += 1
        task.annotations.append(regions)
    return task


def _minimal(line: int, values: list[dict[str, Any]]) -> Task:
    first = values[0]
    data = {key: value for key, value in first.items() if key not in _OF_MINIMAL}
    task = Task(line, None if first.get("id") is None else str(first["id"]), data)
    for value in values:
        regions = []
        for name, found in value.items():
            if isinstance(found, dict) and "choices" in found:
                task.cats |= _choices(found)
            for region in found if isinstance(found, list) else ():
                if isinstance(region, dict):
                    made = _region(region, {"to_name": name})
                    regions += [made] if made else []
                    task.left_out[name] += made is None
        task.annotations.append(regions)
    return task


def _annotations(value: dict[str, Any]) -> list[Any] | None:
    found = next((value[key] for key in _ANNOTATIONS if key in value), None)
    return found if isinstance(found, list) else None


def _region(value: dict[str, Any], result: dict[str, Any]) -> Region | None:
    """The region of a result's value, if it is one of a text."""
    labels = _labels(value)
    if labels is None and (str(result.get("type")) != "labels" or "choices" in value):
        return None
    if "start" not in value or "end" not in value:
        return None
    start, end = whole_number(value["start"]), whole_number(value["end"])
    place = None
    if "startOffset" in value or start is None:
        place = f"{value['start']} {value.get('startOffset', '')}".strip()
    surface = value.get("text")
    return Region(
        value["start"] if start is None else start,
        value["end"] if end is None else end,
        labels or [],
        surface if isinstance(surface, str) else None,
        str(result.get("to_name") or "text"),
        place,
    )


def _labels(value: dict[str, Any]) -> list[Any] | None:
    return next(
        (of for key, of in value.items() if key.endswith("labels") and isinstance(of, list)), None
    )


def _choices(value: dict[str, Any]) -> dict[str, float]:
    chosen = value["choices"] if isinstance(value["choices"], list) else [value["choices"]]
    return {choice: 1.0 for choice in chosen if isinstance(choice, str)}
