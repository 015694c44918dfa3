"""Tables as text: cells apart by commas, tabs, semicolons or bars, quoted or not (RFC 4180)."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from spacy_bertcrf.corpora.sources import Source

SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars"}

_SAMPLE = 1000
_SAMPLE_CHARS = 300_000
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n")
_LONGEST = 2**31 - 1  # characters of a cell: as many as Python's csv can count everywhere
# A quote behind an odd number of backslashes.
_ESCAPED_QUOTE = re.compile(r"(?<!\\)((?:\\\\)*)\\\"")
# Programs quote a list or an object, whether or not a separator is in it.
_QUOTED_VALUE = re.compile(r'"(?:\[.*\]|\{.*\}|\(.*\))"', re.DOTALL)


class Dialect(NamedTuple):
    """How a table is written.

    separator: what parts its cells.
    quoted: whether quotes around a cell are no part of it.
    n_columns: the cells of most rows.
    escaped: whether a quote in a quoted cell is written as \\" (Spark, MySQL), and not as "".
    """

    separator: str
    quoted: bool
    n_columns: int
    escaped: bool = False

    def __str__(self) -> str:
        escaped = ', quotes in cells written as \\"' if self.escaped else ""
        return f"{self.n_columns} columns apart by {SEPARATORS[self.separator]}{escaped}"


class TableRow(NamedTuple):
    """A row. line: where it begins, from 1. cells: none for a blank line."""

    line: int
    cells: list[str]


def find_dialect(source: Source, whole: bool = False) -> Dialect | None:
    """Find out how a table is written: so that most rows have as many cells.

    source: the file.
    whole: look at all of it, not at its beginning alone.

    Returns the dialect, or None if it is no table of two columns or more.
    """
    text = _body(source)
    head = text
    if len(text) > _SAMPLE_CHARS:
        head = text[: text.rfind("\n", 0, _SAMPLE_CHARS) + 1]
    found: list[tuple[int, int, Dialect]] = []
    # The whole text says how its quotes are written: there may be none at its beginning.
    escaped = {separator for separator in SEPARATORS if _has_escapes(text, separator)}
    for order, separator in enumerate(SEPARATORS):
        if separator in head:
            dialect, fit = _with_separator(head, separator, separator in escaped, _SAMPLE)
            if dialect is not None:
                found.append((fit, -order, dialect))
    if not found:
        return None
    dialect = max(found)[2]
    if not whole:
        return dialect
    return _with_separator(text, dialect.separator, dialect.separator in escaped, None)[0]


def read_table(source: Source, dialect: Dialect) -> Iterator[TableRow]:
    """Read the rows of a table. Raises ValueError, with the line, if a quoted cell does not end."""
    body = _body(source)
    shift = source.text[: len(source.text) - len(body)].count("\n")
    if dialect.escaped:
        body = _doubled(body)
    reader = _reader(body, dialect.separator, dialect.quoted)
    line = 1
    try:
        for cells in reader:
            yield TableRow(line + shift, cells)
            line = reader.line_num + 1
    except csv.Error as err:
        raise ValueError(f"{source.path}:{line + shift}: {err} in this row of the table.") from None


def _body(source: Source) -> str:
    text = source.text
    match = _SEPARATOR_LINE.match(text)
    return text[match.end() :] if match else text


def _reader(text: str, separator: str, quoted: bool) -> csv._reader:  # type: ignore[name-defined]
    csv.field_size_limit(_LONGEST)
    lines = io.StringIO(text, newline="")
    if quoted:
        return csv.reader(lines, delimiter=separator)
    return csv.reader(lines, delimiter=separator, quoting=csv.QUOTE_NONE)


def _with_separator(
    text: str, separator: str, escaped: bool, limit: int | None
) -> tuple[Dialect | None, int]:
    """The better of quoted and not, and how many rows then fit."""
    if escaped:
        text = _doubled(text)
    quoted = _count(text, separator, True, limit)
    bare = _count(text, separator, False, limit)
    as_quoted = quoted[1] > bare[1] or (
        quoted[1] == bare[1] and ('"' not in text or _needs_quotes(text, separator, limit))
    )
    n_columns, fit, rows = quoted if as_quoted else bare
    if n_columns < 2 or 2 * fit <= rows:
        return None, 0
    return Dialect(separator, as_quoted, n_columns, as_quoted and escaped), fit


def _has_escapes(text: str, separator: str) -> bool:
    """Whether quotes in quoted cells are escaped: then more rows can be read in which each quoted
    cell ends where its quote does."""
    if '\\"' not in text:
        return False
    return _count_strict(_doubled(text), separator) > _count_strict(text, separator)


def _count_strict(text: str, separator: str) -> int:
    """How many rows there are before one that has more behind the quote that ends a cell."""
    count = 0
    try:
        for _ in csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True):
            count += 1
    except csv.Error:
        pass
    return count


def _doubled(text: str) -> str:
    """Escaped quotes as RFC 4180 has them."""
    return _ESCAPED_QUOTE.sub(r'\1""', text)


def _count(text: str, separator: str, quoted: bool, limit: int | None) -> tuple[int, int, int]:
    """The cells that most rows have, how many rows have them, and how many rows there are."""
    counts: Counter[int] = Counter()
    try:
        for cells in islice(_reader(text, separator, quoted), limit):
            if any(cells):
                counts[len(cells)] += 1
    except csv.Error:
        return 0, 0, 0
    if not counts:
        return 0, 0, 0
    n_columns, fit = max(counts.items(), key=lambda item: (item[1], item[0]))
    return n_columns, fit, counts.total()


def _needs_quotes(text: str, separator: str, limit: int | None) -> bool:
    """Whether quotes stand around cells that need them, or around most, or all of a column, or
    several words between commas; otherwise they are tokens."""
    needed = unneeded = others = single = phrases = 0
    columns: dict[int, list[bool]] = {}
    for row, cells in enumerate(islice(_reader(text, separator, False), limit)):
        for at, cell in enumerate(cells):
            is_quoted = len(cell) > 1 and cell[0] == cell[-1] == '"'
            if row:
                columns.setdefault(at, []).append(is_quoted)
            single += cell[:1] == '"' and not is_quoted
            phrases += is_quoted and " " in cell
            if cell[:1] != '"':
                others += not cell.isdecimal()
            elif _QUOTED_VALUE.fullmatch(cell) or (
                len(cell) > 1 and cell.endswith('"') and '""' in cell[1:-1]
            ):
                needed += 1
            else:
                unneeded += 1
    if not single and (
        (phrases and separator in ",;") or any(len(of) > 1 and all(of) for of in columns.values())
    ):
        return True
    return needed > unneeded or unneeded > others
