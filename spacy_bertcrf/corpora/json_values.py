"""JSON files: one value a line, one list, or values one after the other, each with its line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from spacy_bertcrf.corpora.json_faults import explain
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.sources import Source

BAD_LINE = "line that cannot be read"

_SAMPLE = 500
_HEAD = 100_000  # characters
_SAMPLE_KEY = "first JSON values"
# A token such as [1] in a line of columns begins no list.
_START = re.compile(r'\s*(?!\[-?\d+\][ \t]+\w)(?:\{\s*["}]|\[\s*(?:["\[{\]]|-?\d|null|true|false))')
_LIST_END = re.compile(r"\]\s*,?\s*")
_LINES_TRIED = 20
_BLANK = re.compile(r"\s*")
_COMMA = re.compile(r"\s*,\s*")
_COLON = re.compile(r"\s*:\s*")


class RepeatedKey(ValueError):
    """Raised for an object that has a key twice, with values that cannot be joined."""


class Value(NamedTuple):
    """One value of the file. line: where it begins, from 1."""

    line: int
    value: Any


class Member(NamedTuple):
    """One value of an object or a list. key: its key; None in a list. line: where it begins."""

    line: int
    key: str | None
    value: Any


def looks_like_json(source: Source) -> bool:
    """Whether the file begins as JSON's objects and lists do; it may be broken further on."""
    return source.is_text and bool(_START.match(source.text))


def read_values(source: Source, problems: ProblemLog | None = None) -> Iterator[Value]:
    """Read the values of a JSON file one by one: those of its lines, or the elements of its list.

    Where a key comes twice in an object, lists and objects under it are joined, for JSON's own
    way loses the first.

    source: the file.
    problems: log for what cannot be read, which is left out.

    Returns the values, in file order.
    """
    layout = _layout(source.text)
    if layout == "lines":
        yield from _of_lines(source, problems)
    else:
        yield from _of_text(source.text, layout == "list", problems)


def read_objects(source: Source, problems: ProblemLog) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read the objects of a JSON file as `read_values` does; what is no object is a problem."""
    return only_objects(read_values(source, problems), problems)


def only_objects(
    values: Iterable[Value], problems: ProblemLog
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Those of a file's values that are objects, with their lines; others are problems."""
    for line, value in values:
        if isinstance(value, dict):
            yield line, value
        else:
            problems.add(BAD_LINE, line, f"{describe_kind(value)}, not a JSON object: left out")


def list_under(
    value: dict[str, Any], key: str, line: int, problems: ProblemLog
) -> list[Any] | None:
    """The list under a key; None if there is none, and if something else is there, which is then a
    problem."""
    found = value.get(key)
    if found is None or isinstance(found, list):
        return found
    what = f"{key!r} is {describe_kind(found)}, not a list: left out"
    problems.add(BAD_LINE, line, what)
    return None


def record_key(value: dict[str, Any]) -> str | int | None:
    """The id of an object, as it is if it is a text or a whole number."""
    found = value.get("id")
    return found if type(found) is int or found is None else str(found)


def describe_kind(value: Any) -> str:
    """What a JSON value is: "an object", "a list", "a string", "null", "a number"."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a truth value"}
    return "null" if value is None else names.get(type(value), "a number")


def read_elements(
    source: Source, keys: Sequence[str], problems: ProblemLog | None = None
) -> Iterator[Value]:
    """Read the elements of a list that lies inside one object: of {"data": [...]}, or deeper.

    source: the file.
    keys: the way to the list from the outermost object: its key, the key in that, and so on.
    problems: log for what cannot be read, which is left out.

    Returns the elements, in file order; none if there is no such list.
    """
    at = _way_to(source.text, keys)
    if at is not None and source.text.startswith("[", at):
        yield from _of_text(source.text, True, problems, at)


def read_members(
    source: Source, keys: Sequence[str], problems: ProblemLog | None = None
) -> Iterator[Member]:
    """Read the values of an object that lies inside one object, with their keys; or the elements of
    a list, as `read_elements` does.

    source, keys, problems: as in `read_elements`.

    Returns the values, in file order; none if there is no such object or list.
    """
    text = source.text
    at = _way_to(text, keys)
    if at is not None and text.startswith("[", at):
        yield from (Member(line, None, of) for line, of in _of_text(text, True, problems, at))
    elif at is not None and text.startswith("{", at):
        yield from _of_object(text, at, problems)


def is_one_object(source: Source) -> bool:
    """Whether a JSON file is one object and nothing else."""
    text = source.text
    start = _BLANK.match(text).end()  # type: ignore[union-attr]
    return text.startswith("{", start) and len(sample(source, 2)) == 1


def sample(source: Source, limit: int = _SAMPLE) -> list[Any]:
    """The first values of a JSON file, to recognise a format by; an empty list if it is none. They
    are kept until the file is read, for each format looks at them."""
    if not looks_like_json(source):
        return []
    size, values = source.seen.get(_SAMPLE_KEY, (0, []))
    if size < limit:
        size = max(limit, _SAMPLE)
        values = [found.value for found in islice(read_values(source), size)]
        source.seen[_SAMPLE_KEY] = size, values
    return values[:limit]


def sample_objects(source: Source, limit: int = _SAMPLE) -> list[dict[str, Any]]:
    """The objects among the first values of a JSON file; an empty list if there is none."""
    return [value for value in sample(source, limit) if isinstance(value, dict)]


def _layout(text: str) -> str:
    """ "lines", "list" (one list whose elements are the values) or "stream" (values that run over
    lines)."""
    start = _BLANK.match(text).end()  # type: ignore[union-attr]
    line_end = re.compile(r"[\r\n]|\Z").search(text, start).start()  # type: ignore[union-attr]
    rest = text[line_end:]
    try:
        first = _parse(text[start:line_end])
    except ValueError:
        if text.startswith("[", start):
            return "list"
        try:
            _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            return "lines" if _are_values(rest) else "stream"
        return "stream"
    alone = not rest.strip()
    nested = isinstance(first, list) and all(isinstance(value, dict | list) for value in first)
    return "list" if alone and nested and first else "lines"


def _are_values(text: str) -> bool:
    """Whether most of the next lines are values, so that a broken one is a line of its own."""
    lines = [line for line in text[:_HEAD].splitlines() if line.strip()][:_LINES_TRIED]
    return 2 * sum(map(_is_value, lines)) >= len(lines)


def _is_value(line: str) -> bool:
    try:
        return isinstance(_parse(line), dict | list)
    except ValueError:
        return False


def _of_lines(source: Source, problems: ProblemLog | None) -> Iterator[Value]:
    for number, line in enumerate(source.lines(), start=1):
        if not line.strip(" \t"):
            continue
        try:
            yield Value(number, _parse(line))
        except ValueError as err:
            if problems is not None:
                problems.add(BAD_LINE, number, f"{err}; the line is left out")


def _of_text(
    text: str, is_list: bool, problems: ProblemLog | None, start: int = 0
) -> Iterator[Value]:
    is_inner = start > 0
    at = _BLANK.match(text, start).end() + is_list  # type: ignore[union-attr]
    counted, line = 0, 1
    while True:
        at = _BLANK.match(text, at).end()  # type: ignore[union-attr]
        line += len(_LINE_ENDS.findall(text, counted, at))
        counted = at
        if is_list and text.startswith("]", at):
            if is_inner:
                return
            # Behind a list may be another, or single values: `cat train.json dev.json`.
            at = _LIST_END.match(text, at).end()  # type: ignore[union-attr]
            is_list = text.startswith("[", at)
            at += is_list
            continue
        if at >= len(text):
            if is_list and problems is not None:
                problems.add(BAD_LINE, line, "the list has no end: the file is cut off here")
            return
        try:
            value, at, fault = _value_at(text, at)
        except (ValueError, RecursionError) as err:
            if problems is not None:
                what = f"not JSON: {explain(err, text)}; the rest of the file is left out"
                if not is_list:
                    line += len(_LINE_ENDS.findall(text, at, getattr(err, "pos", at)))
                problems.add(BAD_LINE, line, what)
            return
        if fault is None:
            yield Value(line, value)
        elif problems is not None:
            problems.add(BAD_LINE, line, f"{fault}; left out")
        if comma := _COMMA.match(text, at):
            at = comma.end()


def _value_at(text: str, at: int) -> tuple[Any, int, RepeatedKey | None]:
    """The value that begins at `at`, and where it ends; or why it is left out. Raises ValueError or
    RecursionError where it is broken."""
    try:
        return *_DECODER.raw_decode(text, at), None
    except RepeatedKey as err:
        return None, _LENIENT.raw_decode(text, at)[1], err


def _way_to(text: str, keys: Sequence[str]) -> int | None:
    """Where the value begins that lies under keys in the first object of a text."""
    at: int | None = _BLANK.match(text).end()  # type: ignore[union-attr]
    for key in keys:
        at = None if at is None else _find_key(text, at, key)
    return at


def _find_key(text: str, at: int, key: str) -> int | None:
    """Where the value of a key begins in the object that begins at `at`."""
    try:
        for found, start in _keys(text, at):
            if found == key:
                return start
    except (ValueError, RecursionError):
        pass
    return None


def _of_object(text: str, start: int, problems: ProblemLog | None) -> Iterator[Member]:
    counted, line = 0, 1
    try:
        for key, at in _keys(text, start):
            line += len(_LINE_ENDS.findall(text, counted, at))
            counted = at
            yield Member(line, key, _DECODER.raw_decode(text, at)[0])
    except (ValueError, RecursionError) as err:
        if problems is not None:
            what = f"not JSON: {explain(err, text)}; the rest of the file is left out"
            line += len(_LINE_ENDS.findall(text, counted, getattr(err, "pos", counted)))
            problems.add(BAD_LINE, line, what)


def _keys(text: str, at: int) -> Iterator[tuple[str, int]]:
    """The keys of the object that begins at `at`, and where the value of each begins. Raises
    ValueError where it is broken."""
    if not text.startswith("{", at):
        return
    at = _BLANK.match(text, at + 1).end()  # type: ignore[union-attr]
    while not text.startswith("}", at):
        key, at = _DECODER.raw_decode(text, at)
        colon = _COLON.match(text, at)
        if colon is None:
            raise json.JSONDecodeError("Expecting ':' delimiter", text, at)
        yield key, colon.end()
        _, at = _DECODER.raw_decode(text, colon.end())
        comma = _COMMA.match(text, at)
        at = comma.end() if comma else _BLANK.match(text, at).end()  # type: ignore[union-attr]
        if comma is None and not text.startswith("}", at):
            raise json.JSONDecodeError("Expecting ',' delimiter", text, at)


_LINE_ENDS = re.compile(r"\r\n|\r|\n")


def _parse(line: str) -> Any:
    try:
        return _DECODER.decode(line)
    except json.JSONDecodeError as err:
        what = explain(err, line)
        raise ValueError(f"not JSON: {what} at character {err.colno}") from None
    except RecursionError:
        raise ValueError("JSON nested too deep") from None


def _join_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    joined: dict[str, Any] = {}
    for key, value in pairs:
        if key not in joined:
            joined[key] = value
        elif isinstance(value, dict) and isinstance(joined[key], dict):
            joined[key] = _join_repeated([*joined[key].items(), *value.items()])
        elif isinstance(value, list) and isinstance(joined[key], list):
            joined[key] = joined[key] + value
        elif value != joined[key]:
            raise RepeatedKey(f"two values for {key!r}")
    return joined


def _join(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    return made if len(made) == len(pairs) else _join_repeated(pairs)


# Control characters in strings, such as tabs, are what they are.
_DECODER = json.JSONDecoder(object_pairs_hook=_join, strict=False)
_LENIENT = json.JSONDecoder(strict=False)
