"""Entities in JSON whose places and labels are in lists of their own, one beside the other.

In an object, as `datasets` writes a sequence of objects: ``{"start": [0, 9], "end": [4, 12],
"label": ["PER", "PER"]}``; or beside the text: ``{"text": …, "spans": [[0, 4], [9, 12]], "labels":
["PER", "PER"]}``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from spacy_bertcrf.corpora.json_entity_keys import ENDS, LABELS, PAIRS, STARTS, SURFACES, plain
from spacy_bertcrf.corpora.json_mentions import whole_number
from spacy_bertcrf.corpora.json_values import BAD_LINE
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.tagged_tokens import is_outside, is_prefixed

_PARTS = {
    "start": STARTS,
    "end": ENDS,
    # Names that are a label's alone, not those of anything that has one.
    "label": LABELS[: LABELS.index("title")],
    "place": PAIRS,
    "surface": SURFACES,
}
_BESIDE = ", "


def transposed(value: Any) -> list[dict[str, Any]] | None:
    """Lists of one length under keys as a list of objects; None of anything else."""
    if not isinstance(value, dict) or not value:
        return None
    lists = list(value.values())
    if not all(isinstance(of, list) and len(of) == len(lists[0]) for of in lists):
        return None
    return [dict(zip(value, row, strict=True)) for row in zip(*lists, strict=True)]


def entity_rows(value: Any) -> list[dict[str, Any]] | None:
    """The entities of an object that has a list for each part of them; where these are not of one
    length, one that will be reported as none. None if it is no such object."""
    if not isinstance(value, dict):
        return None
    parts = {part: of for key, of in value.items() if (part := _part(key)) and of is not None}
    if "label" not in parts or not all(isinstance(of, list) for of in parts.values()):
        return None
    has_offsets = {"start", "end"} <= parts.keys() and _are_numbers(parts["start"], parts["end"])
    has_places = "place" in parts and all(isinstance(of, list | dict) for of in parts["place"])
    has_surfaces = "surface" in parts and all(map(_is_surface, parts["surface"]))
    if not (has_offsets or has_places or has_surfaces):
        return None
    length = len(parts["label"])
    if any(len(of) != length for of in parts.values()):
        return [value]
    lists = {key: of for key, of in value.items() if isinstance(of, list) and len(of) == length}
    return transposed({_singular(key): of for key, of in lists.items()})


def lists_beside(value: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The entities of an object that has places under one key, or starts and ends under two, and
    the label of each under another: by these keys, as one ("spans, labels")."""
    return {
        _BESIDE.join(keys): found
        for keys in _ways(value)
        if (found := rows_beside(value, _BESIDE.join(keys))) is not None
    }


def is_beside(key: str) -> bool:
    """Whether a key is of several lists, as `lists_beside` has them."""
    return _BESIDE in key


def rows_beside(value: dict[str, Any], key: str) -> list[dict[str, Any]] | None:
    """The entities of an object in lists under several keys, as `lists_beside` names them; None if
    these are no such lists, or not of one length."""
    lists: list[Any] = [value.get(name) for name in key.split(_BESIDE)]
    if not all(isinstance(of, list) and len(of) == len(lists[0]) for of in lists):
        return None
    *places, labels = lists
    if not _are_labels(labels):
        return None
    if len(places) > 1:
        if not _are_numbers(*places):
            return None
        names = ("start", "end", "label")
        return [dict(zip(names, row, strict=True)) for row in zip(*lists, strict=True)]
    if not all(map(_is_place, places[0])):
        return None
    return [{"span": place, "label": label} for place, label in zip(*lists, strict=True)]


def tell_unlike_lists(line: int, value: dict[str, Any], key: str, problems: ProblemLog) -> None:
    """Note it as a problem if an object has something in lists that `rows_beside` cannot read."""
    if is_beside(key) and any(map(value.get, key.split(_BESIDE))):
        what = f"{key} are no lists of one length: left without annotation"
        problems.add(BAD_LINE, line, what)


def keys_of_places(value: dict[str, Any]) -> Iterator[str]:
    """The keys of an object under which there are places of spans, without their labels."""
    for key, of in value.items():
        if isinstance(of, list) and of and all(map(_is_place, of)):
            yield key


def _ways(value: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    by_part: dict[str, list[str]] = {}
    for key, of in value.items():
        if isinstance(of, list) and (part := _part(key)):
            by_part.setdefault(part, []).append(key)
    labels = by_part.get("label", ())
    yield from product(by_part.get("start", ()), by_part.get("end", ()), labels)
    yield from product(by_part.get("place", ()), labels)


def _part(key: str) -> str | None:
    name = plain(key)
    for part, known in _PARTS.items():
        if name in known or name.removesuffix("s") in known:
            return part
    return None


def _singular(key: str) -> str:
    """A key as an entity of its own would have it."""
    known = any(plain(key) in of for of in _PARTS.values())
    return key if known or _part(key) is None else key[:-1]


def _are_numbers(*lists: Sequence[Any]) -> bool:
    return all(whole_number(one) is not None for of in lists for one in of)


def _are_labels(values: Sequence[Any]) -> bool:
    """Whether a list is of labels, rather than of a tag for each token."""
    if all(type(one) is int for one in values):
        return True
    names = all(isinstance(one, str) and one for one in values)
    return names and not any(is_prefixed(one) or is_outside(one) for one in values)


def _is_surface(value: Any) -> bool:
    parts = value if isinstance(value, list) else [value]
    return all(isinstance(part, str) for part in parts)


def _is_place(value: Any) -> bool:
    """Whether a value is a start and an end, without a label."""
    if isinstance(value, dict):
        parts = {_part(key) for key in value}
        return {"start", "end"} <= parts and "label" not in parts
    return isinstance(value, list) and len(value) == 2 and all(type(one) is int for one in value)
