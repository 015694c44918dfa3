"""Where a JSON file has its records: they are its values, or lie inside them, in lists, under keys
or under their ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice, takewhile
from typing import Any

from spacy_bertcrf.corpora.json_values import (
    BAD_LINE,
    Member,
    is_one_object,
    read_members,
    read_values,
    sample,
)
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.sources import Source

# The step to each element of a list, or to each value of an object whose keys are ids.
EACH = None
# What a value has that lacks one of the steps.
_LACKING = object()
# The step to each row of an object that has a column under each key.
ROWS = "the rows of its columns"

OTHER_KEYS = "Other keys, not read"

Steps = tuple[str | None, ...]

_DEEPEST = 6
_FEWEST_COLUMNS = 2
_SEEN = 500
_SHOWN = 10
# An object with more keys than this is one of ids.
_MOST_KEYS = 60


def places(source: Source) -> Iterator[tuple[Steps, list[Any]]]:
    """The places where a file may have its records, the outermost first.

    Returns the steps to each from a value of the file, and the first values there are.
    """
    waiting: list[tuple[Steps, list[Any]]] = [((), sample(source))]
    while waiting:
        steps, values = waiting.pop(0)
        yield steps, values
        if len(steps) < _DEEPEST:
            waiting += _inside(steps, values)


def read_at(
    source: Source, ways: tuple[Steps, ...], problems: ProblemLog | None = None
) -> Iterator[Member]:
    """Read the values at a place, with their keys where these are ids.

    source: the file.
    ways: the steps to the values from each value of the file; several, one after the other.
    problems: log for what cannot be read.

    Returns the values, in file order, with their lines or those of the value that they are in.
    """
    if len(ways) > 1 and problems is not None and is_one_object(source):
        read = {step for steps in ways for step in steps[:1]}
        others = [key for key in sample(source, 1)[0] if key not in read]
        if others and not {EACH, ROWS} & read:
            more = f" and {len(others) - _SHOWN:,} more" if len(others) > _SHOWN else ""
            problems.note(OTHER_KEYS, f"{', '.join(others[:_SHOWN])}{more}")
    for steps in ways:
        # Of several ways each value has one.
        yield from _read_at(source, steps, problems, problems if len(ways) == 1 else None)


def _read_at(
    source: Source, steps: Steps, problems: ProblemLog | None, lacking: ProblemLog | None
) -> Iterator[Member]:
    keys = tuple(
        step for step in takewhile(lambda step: step not in (EACH, ROWS), steps) if step is not None
    )
    if steps[len(keys) : len(keys) + 1] == (EACH,) and is_one_object(source):
        source.seen.clear()
        members, rest = read_members(source, keys, problems), steps[len(keys) + 1 :]
    else:
        source.seen.clear()
        members = (Member(line, None, value) for line, value in read_values(source, problems))
        rest = steps
    for line, key, value in members:
        for of, found in _walk(key, value, rest):
            if found is not _LACKING:
                yield Member(line, of, found)
            elif lacking is not None:
                what = f"nothing at {show(steps)!r}, where the others have something: left out"
                lacking.add(BAD_LINE, line, what)


def show(steps: Steps) -> str:
    """Steps as messages call them: "data.*.text", or "data" where its elements are meant."""
    if len(steps) > 1 and steps[-1] is EACH:
        steps = steps[:-1]
    return ".".join("*" if step is EACH else step for step in steps)


def are_alike(one: Steps, other: Steps) -> bool:
    """Whether two ways are the same but for one key, as those to "train" and "test" are."""
    differing = [pair for pair in zip(one, other, strict=False) if pair[0] != pair[1]]
    under_keys = not any(EACH in pair or ROWS in pair for pair in differing)
    return len(one) == len(other) and under_keys and len(differing) < _FEWEST_COLUMNS


def _walk(key: str | None, value: Any, steps: Steps) -> Iterator[tuple[str | None, Any]]:
    if not steps:
        yield key, value
    elif steps[0] == ROWS:
        for name, inner in _rows(value):
            yield from _walk(name, inner, steps[1:])
    elif steps[0] is not EACH:
        if isinstance(value, dict) and steps[0] in value:
            yield from _walk(key, value[steps[0]], steps[1:])
        else:
            yield key, _LACKING
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _walk(name, inner, steps[1:])
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(key, inner, steps[1:])
    elif value is not None:
        yield key, _LACKING


def _inside(steps: Steps, values: list[Any]) -> Iterator[tuple[Steps, list[Any]]]:
    lists = [value for value in values if isinstance(value, list)]
    found = _some_of_each(lists)
    if found:
        yield (*steps, EACH), found
    objects = [value for value in values if isinstance(value, dict)]
    if len(objects) == 1 and (rows := [row for _, row in islice(_rows(objects[0]), _SEEN)]):
        yield (*steps, ROWS), rows
    keys = Counter(chain.from_iterable(objects))
    if len(keys) <= _MOST_KEYS:
        for key in keys:
            found = [value[key] for value in objects if _holds_values(value.get(key))]
            if found:
                yield (*steps, key), found
    if objects and all(len(set(map(type, value.values()))) == 1 for value in objects if value):
        found = _some_of_each([list(value.values()) for value in objects])
        if found:
            yield (*steps, EACH), found


def _rows(value: Any) -> Iterator[tuple[str | None, dict[str, Any]]]:
    """The rows of an object of columns, all of which are lists of one length, or objects with the
    same keys; none of any other."""
    columns = list(value.values()) if isinstance(value, dict) else []
    if len(columns) < _FEWEST_COLUMNS:
        return
    if all(isinstance(column, dict) for column in columns):
        ids = columns[0].keys()
        if all(column.keys() == ids for column in columns):
            for name in ids:
                yield name, {key: column[name] for key, column in value.items()}
    elif all(isinstance(column, list) for column in columns):
        # Lists of objects are lists of rows themselves: "train" and "test".
        if any(isinstance(one, dict) for column in columns for one in column):
            return
        if len({len(column) for column in columns}) == 1:
            for row in zip(*columns, strict=True):
                yield None, dict(zip(value, row, strict=True))


def _some_of_each(lists: list[list[Any]]) -> list[Any]:
    share = max(_SEEN // max(len(lists), 1), 1)
    return [one for of in lists for one in islice(filter(_holds_values, of), share)]


def _holds_values(value: Any) -> bool:
    return isinstance(value, dict | list) and bool(value)
