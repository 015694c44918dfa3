"""Entities as any JSON has them: objects or lists, with offsets under whatever keys, or without;
in a list, or under their labels, texts or ids."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

from spacy_bertcrf.corpora.json_entity_keys import (
    ENDS,
    INDICES,
    LABELS,
    LENGTHS,
    OFFSETS,
    PAIRS,
    STARTS,
    SURFACES,
    TOKEN_ENDS,
    TOKEN_STARTS,
    VALUES,
    Keys,
    plain,
)
from spacy_bertcrf.corpora.json_mentions import whole_number
from spacy_bertcrf.corpora.json_parallel import entity_rows
from spacy_bertcrf.corpora.records import Mention

_INSIDE: Keys = """location position span data value offsets range textsegment textextraction
infons points point loc textlocation node""".split()  # noqa: SIM905
_PAIR_TEXT = re.compile(r"\D{0,2}(\d+)\D{1,3}(\d+)\D{0,2}")
_DEEPEST = 3


class Named(NamedTuple):
    """An entity of which the file gives the text and the label, and no place."""

    label: Any
    surface: str


def entities_in(
    value: Any, text: str | None = None, in_tokens: bool = False, label: str | None = None
) -> Iterator[Mention | Named]:
    """The entities of a text, whatever holds them.

    value: what is under the key of the entities: a list, an object whose keys are labels, texts or
        ids, or one with a list for each part of them.
    text: the text, which tells surfaces from labels.
    in_tokens: whether offsets count tokens, where an entity has both kinds.
    label: the label of entities that have none of their own.

    Returns each entity; what is none, as one that will be reported.
    """
    rows = entity_rows(value)
    if isinstance(value, dict) and rows is None:
        for key, inner in value.items():
            yield from _under(key, inner, text, in_tokens, label)
        return
    if rows is None:
        rows = value if isinstance(value, list) else [value]
    for one in rows:
        # DocRED has the mentions of one entity in a list.
        is_cluster = isinstance(one, list) and one and all(isinstance(of, dict) for of in one)
        for mention in one if is_cluster else [one]:
            yield from _entity(mention, text, in_tokens, label)


def has_offsets(entity: Mention | Named) -> bool:
    """Whether an entity has two numbers as its place, and a label."""
    return (
        isinstance(entity, Mention)
        and type(entity.start) is type(entity.end) is int
        and _is_label(entity.label)
    )


def is_named(entity: Mention | Named) -> bool:
    """Whether an entity has a text and a label, and no place."""
    return isinstance(entity, Named) and _is_label(entity.label) and bool(entity.surface)


def _is_label(label: Any) -> bool:
    return (isinstance(label, str) and bool(label.strip())) or type(label) is int


def _under(
    key: str, value: Any, text: str | None, in_tokens: bool, label: str | None
) -> Iterator[Mention | Named]:
    """What lies under a key that may be a label, a surface, or an id."""
    if isinstance(value, str):
        is_surface = text is not None and key in text and value not in text
        yield Named(value, key) if is_surface else Named(key, value)
    elif isinstance(value, dict) and _offsets_of(value, in_tokens) is not None:
        yield from _entity(value, text, in_tokens, label or key)
    elif isinstance(value, dict):
        for surface, places in value.items():
            for start, end in _places(places):
                yield Mention(start, end, key, surface)
            if not _places(places):
                yield Mention(value, None, key, surface)  # type: ignore[arg-type]
    elif isinstance(value, list):
        if found := _places(value):
            yield from (Mention(start, end, key) for start, end in found)
            return
        for one in value:
            if isinstance(one, str):
                yield Named(key, one)
            else:
                yield from _entity(one, text, in_tokens, key)
    else:
        yield Mention(value, None, key)  # type: ignore[arg-type]


def _places(value: Any) -> list[tuple[int, int]]:
    """[0, 4] or [[0, 4], [9, 12]] as pairs; empty if it is neither."""
    pairs = value if isinstance(value, list) and value and isinstance(value[0], list) else [value]
    return [(pair[0], pair[1]) for pair in pairs] if pairs and all(map(_is_pair, pairs)) else []


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and type(value[0]) is type(value[1]) is int


def _entity(
    value: Any, text: str | None, in_tokens: bool, label: str | None
) -> Iterator[Mention | Named]:
    if isinstance(value, dict):
        yield from _of_object(value, text, in_tokens, label)
    elif isinstance(value, list):
        yield _of_list(value, text, label)
    else:
        yield Mention(value, None, None)  # type: ignore[arg-type]


def _of_object(
    value: dict[str, Any], text: str | None, in_tokens: bool, label: str | None
) -> Iterator[Mention | Named]:
    flat = {plain(key): of for key, of in value.items()}
    label_key, labels = _labels_of(flat)
    surface = _surface_of(flat, label_key, text)
    if (spans := _spans_of(flat)) is not None and labels:
        yield from (Mention(*span, name) for name in labels for span in spans)
        return
    offsets = _offsets_of(value, in_tokens)
    if surface is None and offsets is not None and len(offsets[2]) > 1:
        surface = _of_pieces(flat, len(offsets[2]))
    for name in labels or [label]:
        if offsets is not None:
            start, end, pieces = offsets
            yield Mention(start, end, name, surface, pieces=pieces if len(pieces) > 1 else ())
        elif name and not flat.keys() & {*STARTS, *ENDS, *PAIRS}:
            yield Named(name, surface or "")
        else:
            yield Mention(_any(flat, STARTS), _any(flat, ENDS), name, surface)


def _labels_of(flat: dict[str, Any]) -> tuple[str | None, list[Any]]:
    """The key of the label, and the labels: nearly always one."""
    for key in LABELS:
        of = flat.get(key)
        of = _name(of)
        labels = [_name(one) for one in of] if isinstance(of, list) else [of]
        labels = [one for one in labels if (isinstance(one, str) and one) or type(one) is int]
        if labels:
            return key, labels
    for key in _INSIDE:
        if isinstance(flat.get(key), dict):
            _, labels = _labels_of({plain(name): of for name, of in flat[key].items()})
            if labels and isinstance(labels[0], str):
                return None, labels
    return None, []


def _name(label: Any) -> Any:
    """A label, or what an object that stands for it is called."""
    if not isinstance(label, dict):
        return label
    return next((label[key] for key in ("name", "label", "value") if key in label), None)


def _surface_of(flat: dict[str, Any], label_key: str | None, text: str | None) -> str | None:
    for key in SURFACES:
        of = flat.get(key)
        if isinstance(of, list) and len(of) == 1:
            of = of[0]
        is_place = key in PAIRS and isinstance(of, str) and _PAIR_TEXT.fullmatch(of)
        if key != label_key and isinstance(of, str) and of and not is_place:
            return of
    for key in VALUES:
        of = flat.get(key)
        if key != label_key and isinstance(of, str) and of:
            said = of[1:-1] if len(of) > 2 and of[0] == of[-1] == '"' else of
            if text is None or said in text:
                return said
    inner = [flat[key] for key in _INSIDE if isinstance(flat.get(key), dict)]
    return next((of["text"] for of in inner if isinstance(of.get("text"), str)), None)


def _spans_of(flat: dict[str, Any]) -> list[tuple[int, int]] | None:
    """The places of all entities with one label, as CAIL has them: ["0;2", "3;5"], and an empty
    list where there is none; None if an object has no such list."""
    if flat.keys() & {*STARTS, *ENDS, *SURFACES} - {*PAIRS}:
        return None
    for key in PAIRS:
        of = flat.get(key)
        if isinstance(of, list) and all(isinstance(one, str) for one in of):
            matches = [_PAIR_TEXT.fullmatch(one) for one in of]
            if all(matches):
                return [(int(match[1]), int(match[2])) for match in matches if match]
    return None


def _of_pieces(flat: dict[str, Any], count: int) -> str | None:
    """The surfaces of an entity's pieces, put together."""
    found = (flat[key] for key in SURFACES if isinstance(flat.get(key), list))
    lists = (of for of in found if len(of) == count and all(isinstance(one, str) for one in of))
    return next((" ".join(of) for of in lists), None)


def _offsets_of(
    value: dict[str, Any], in_tokens: bool, depth: int = 1
) -> tuple[int, int, tuple[tuple[int, int], ...]] | None:
    """Start, end and pieces; None if an object has no two numbers for them."""
    flat = {plain(key): of for key, of in value.items()}
    ways = [(TOKEN_STARTS, TOKEN_ENDS)] if in_tokens else []
    for starts, ends in [*ways, (STARTS, ENDS)]:
        start, end = _number(flat, starts), _number(flat, ends)
        if start is not None and end is not None:
            return start, end, ()
        if end is not None and "displayname" in flat:
            # Google's JSON has no key for what is 0.
            return 0, end, ()
    start, length = _number(flat, OFFSETS), _number(flat, LENGTHS)
    if start is not None and length is not None:
        return start, start + length, ()
    for key in PAIRS:
        pieces = _pieces(flat.get(key), in_tokens, depth)
        if in_tokens and (not pieces or key in INDICES):
            pieces = _runs(flat.get(key))
        if pieces:
            return pieces[0][0], pieces[-1][1], pieces
    inner = [of for key in _INSIDE for of in _objects(flat.get(key))]
    inner += [of for key, of in flat.items() if isinstance(of, dict) and key not in _INSIDE]
    if depth < _DEEPEST:
        found = [_offsets_of(of, in_tokens, depth + 1) for of in inner]
        return next((one for one in found if one is not None), None)
    return None


def _pieces(value: Any, in_tokens: bool, depth: int) -> tuple[tuple[int, int], ...]:
    if isinstance(value, str):
        parts = [_PAIR_TEXT.fullmatch(part) for part in value.split(",")]
        whole = _PAIR_TEXT.fullmatch(value)
        matches = [whole] if whole else parts
        return tuple((int(m[1]), int(m[2])) for m in matches if m) if all(matches) else ()
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        found = [_offsets_of(one, in_tokens, depth + 1) for one in value if depth < _DEEPEST]
        return tuple((one[0], one[1]) for one in found if one) if all(found) else ()
    return tuple(_places(value))


def _runs(value: Any) -> tuple[tuple[int, int], ...]:
    """The first and last of each run of tokens that are named one by one: [3, 4, 7] as (3, 4) and
    (7, 7); empty if a value is no such list."""
    if not isinstance(value, list) or not value or any(type(one) is not int for one in value):
        return ()
    if any(second <= first for first, second in pairwise(value)):
        return ()
    firsts = [n for n, one in enumerate(value) if n == 0 or value[n - 1] != one - 1]
    return tuple((value[first], value[last - 1]) for first, last in pairwise([*firsts, len(value)]))


def _objects(value: Any) -> list[dict[str, Any]]:
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, dict)]


def _of_list(value: list[Any], text: str | None, label: str | None) -> Mention | Named:
    """An entity of a list: two offsets in their order, a label, and perhaps its text."""
    inner = [one for one in value if isinstance(one, list)]
    flat = [part for one in value for part in (one if _is_pair(one) and len(inner) == 1 else [one])]
    offsets: list[Any] = [n for one in flat if (n := _offset(one)) is not None]
    names = [one for one in flat if isinstance(one, str) and _offset(one) is None]
    others = len(flat) - len(offsets) - len(names)
    if others == 0 and len(offsets) == 0 and len(names) == 2:
        first, second = names
        swapped = text is not None and second in text and first not in text
        return Named(first, second) if swapped else Named(second, first)
    if others or len(offsets) != 2 or not 1 <= len(names) + (label is not None) <= 2:
        return Mention(value, None, None)  # type: ignore[arg-type]
    start, end = offsets
    if len(names) == 1 and label is not None:
        return Mention(start, end, label, names[0])
    if not names:
        return Mention(start, end, label)  # type: ignore[arg-type]
    if len(names) == 1:
        return Mention(start, end, names[0])
    name, surface = names
    if text is not None and _is_there(name, text, start) > _is_there(surface, text, start):
        name, surface = surface, name
    return Mention(start, end, name, surface)


def _offset(value: Any) -> int | None:
    return value if type(value) is int else None


def _is_there(surface: str, text: str, start: int) -> int:
    near = text[max(start - 1, 0) : start + len(surface) + 1]
    return 2 if surface in near else int(surface in text)


def _number(flat: dict[str, Any], keys: Keys) -> int | None:
    return next((n for key in keys if (n := whole_number(flat.get(key))) is not None), None)


def _any(flat: dict[str, Any], keys: Keys) -> Any:
    return next((flat[key] for key in keys if key in flat), None)
