"""The ways in which offsets are counted, and from each to code points."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise, product
from typing import NamedTuple

from spacy_bertcrf.corpora.records import Mention

CODE_POINTS = "code points"
UTF_16 = "UTF-16 units"
GRAPHEMES = "grapheme clusters"
BYTES = "bytes of UTF-8"


class Counting(NamedTuple):
    """One way to count.

    first: the offset of the first character.
    inclusive: whether the end is the last character rather than the one after it.
    unit: CODE_POINTS, UTF_16, GRAPHEMES or BYTES.
    crlf_as_one: whether CR and LF together count one, as where a line end was one when the text
        was annotated.
    """

    first: int = 0
    inclusive: bool = False
    unit: str = CODE_POINTS
    crlf_as_one: bool = False

    def __str__(self) -> str:
        end = "inclusive" if self.inclusive else "exclusive"
        crlf = ", CRLF as one" if self.crlf_as_one else ""
        return f"offsets from {self.first}, ends {end}, in {self.unit}{crlf}"


ALL = tuple(
    Counting(first, inclusive, unit, crlf_as_one)
    for crlf_as_one, first, unit, inclusive in product(
        (False, True), (0, 1), (CODE_POINTS, UTF_16, BYTES), (False, True)
    )
)


class OffsetRule(NamedTuple):
    """How a tool counts, and how its files may count instead.

    own: the tool's own rule, which holds where nothing speaks against it.
    with_surface: what to try where the file has surfaces.
    without_surface: what to try where it has none, by word borders.
    other_ends: whether ends may be counted the other way than the tool does.
    """

    own: Counting
    with_surface: tuple[Counting, ...] = ALL
    without_surface: tuple[Counting, ...] = ()
    other_ends: bool = True

    def with_ends(self, ends: str | None) -> OffsetRule:
        """The rule where somebody says that ends are "inclusive" or "exclusive"; None says
        nothing."""
        if ends is None:
            return self
        inclusive = ends == "inclusive"
        others = (self.with_surface, self.without_surface)
        surface, borders = (
            tuple(dict.fromkeys(way._replace(inclusive=inclusive) for way in ways))
            for ways in others
        )
        return OffsetRule(self.own._replace(inclusive=inclusive), surface, borders, False)


@lru_cache(maxsize=8)
def to_code_points(text: str, counting: Counting) -> Callable[[int], int | None]:
    """From offsets in the counting's unit, from 0, to code points; None inside a character."""
    unit, crlf_as_one = counting.unit, counting.crlf_as_one or counting.unit == GRAPHEMES
    narrow = unit == CODE_POINTS or text.isascii() or (unit == UTF_16 and max(text) < "\U00010000")
    if narrow and not (crlf_as_one and "\r\n" in text):
        return same
    table, at = {0: 0}, 0
    if unit == GRAPHEMES:
        import regex

        for index, cluster in enumerate(regex.findall(r"\X", text), start=1):
            at += len(cluster)
            table[index] = at
    else:
        for index, (before, char) in enumerate(pairwise("\0" + text), start=1):
            if not (crlf_as_one and before == "\r" and char == "\n"):
                at += _WIDTHS[unit](char)
            table[at] = index
    last = max(table)
    # Offsets beyond the text stay beyond it.
    return lambda offset: table.get(offset, None if 0 <= offset <= last else offset + len(text))


def place(
    mention: Mention, counting: Counting, to_code_point: Callable[[int], int | None]
) -> Mention | None:
    """A mention with its offsets in code points; None if one is inside a character.

    to_code_point: `to_code_points` of its text and this counting.
    """
    shift, add = counting.first, int(counting.inclusive)

    def span(start: int, end: int) -> tuple[int, int] | None:
        at, to = to_code_point(start - shift), to_code_point(end - shift + add)
        return None if at is None or to is None else (at, to)

    whole = span(mention.start, mention.end)
    pieces = [span(*piece) for piece in mention.pieces]
    if whole is None or None in pieces:
        return None
    return mention._replace(
        start=whole[0], end=whole[1], pieces=tuple(piece for piece in pieces if piece)
    )


def same(offset: int) -> int | None:
    """Where offsets are code points already."""
    return offset


_WIDTHS: dict[str, Callable[[str], int]] = {
    CODE_POINTS: lambda char: 1,
    UTF_16: lambda char: 1 + (char > "\uffff"),
    BYTES: lambda char: len(char.encode()),
}
