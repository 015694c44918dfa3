"""Entities as JSON has them: lists of start, end and label, or objects with keys of many names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from spacy_bertcrf.corpora.records import Mention


class SpanKeys(NamedTuple):
    """Where an object has what an entity consists of; of several keys the first that it has.

    start, end, label: the keys of these.
    surface: the keys of its text.
    """

    start: tuple[str, ...]
    end: tuple[str, ...]
    label: tuple[str, ...]
    surface: tuple[str, ...] = ()

    def fit(self, value: Any) -> bool:
        """Whether a value is an object with start, end and label."""
        return isinstance(value, dict) and all(_has(value, keys) for keys in self[:3])


def is_triple(value: Any) -> bool:
    """Whether a value is a list of start, end and label."""
    return (
        isinstance(value, list)
        and len(value) >= 3
        and whole_number(value[0]) is not None
        and whole_number(value[1]) is not None
        and isinstance(value[2], str)
    )


def of_triple(value: Any) -> Mention:
    """Make an entity of a list of start, end and label; of anything else, one that will be
    reported as none."""
    if isinstance(value, list) and len(value) >= 3:
        return Mention(_offset(value[0]), _offset(value[1]), value[2])
    return Mention(value, None, None)  # type: ignore[arg-type]


def of_object(value: Any, keys: SpanKeys) -> Mention:
    """Make an entity of an object; of anything else, one that will be reported as none."""
    if not isinstance(value, dict):
        return Mention(value, None, None)  # type: ignore[arg-type]
    label = _get(value, keys.label)
    if isinstance(label, list) and len(label) == 1:
        label = label[0]
    surface = _get(value, keys.surface)
    start, end = _offset(_get(value, keys.start)), _offset(_get(value, keys.end))
    return Mention(start, end, label, surface if isinstance(surface, str) else None)


def whole_number(value: Any) -> int | None:
    """A whole number as JSON of some programs has it: 3, 3.0 or "3"; None if it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value)
    return value if isinstance(value, int) else None


def _offset(value: Any) -> Any:
    found = whole_number(value)
    return value if found is None else found


def _has(value: Mapping[str, Any], keys: Iterable[str]) -> bool:
    return any(key in value for key in keys)


def _get(value: Mapping[str, Any], keys: Iterable[str]) -> Any:
    return next((value[key] for key in keys if key in value), None)
