"""Lines of columns → sentences of tokens and tags, given what is in which column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, pairwise
from typing import NamedTuple

from spacy_bertcrf.corpora.clean_tags import UNSEEN, clean_tag
from spacy_bertcrf.corpora.column_comments import is_comment, is_untagged_hashtag
from spacy_bertcrf.corpora.column_layout import Layout
from spacy_bertcrf.corpora.column_table import is_document_start, split_columns
from spacy_bertcrf.corpora.malformed import AS_SPACE, EMPTY_TOKEN
from spacy_bertcrf.corpora.problems import ProblemLog

WRONG_COLUMNS = "wrong number of columns"
HEADINGS = "Lines of one word that begin with #, read as headings"
MARKUP = "Lines of markup or rules, read as breaks"

ENDS = frozenset(".!?。！？…")

_ROWS_KEPT = 200_000
_NEW_DOCUMENT = "# newdoc"


class Sentence(NamedTuple):
    """The tokens between two breaks, a line each.

    line: the line of the first.
    tokens: the tokens.
    tags: the tags of each, as `read_tags` reads them: several where entities overlap; none of a
        token without annotation.
    follows: whether the sentence before is of the same text.
    """

    line: int
    tokens: list[str]
    tags: list[tuple[str, ...]]
    follows: bool


def read_sentences(
    lines: Iterable[str], layout: Layout, problems: ProblemLog
) -> Iterator[Sentence]:
    """Read the tokens and tags of a column file.

    A line with another number of columns keeps its token and loses its tag. An empty token was a
    space before some tool stripped it, and becomes one again. ``-DOCSTART-`` lines part texts, and
    so does ``# newdoc``; lines that are one element, such as ``<s>``, part sentences. Where nothing
    does, they end with a full stop that is outside. Lines that begin with # before a sentence are
    comments as `is_comment` tells them; a hashtag without a tag is a heading if nothing but a blank
    line follows, or most sentences have one, and else a token that lost its tag.

    lines: the lines of the file.
    layout: its columns.
    problems: log to add to.

    Returns the sentences, none of them empty.
    """
    rows: dict[str, _Row] = {}
    tokens: list[str] = []
    tags: list[tuple[str, ...]] = []
    first, has_header = 0, layout.has_header
    follows = text_begun = False
    for number, (line, after) in enumerate(pairwise(chain(lines, [""])), start=1):
        row = rows.get(line)
        if row is None:
            row = _row(line, layout)
            if len(rows) < _ROWS_KEPT:
                rows[line] = row
        token, of_token, fault, parts, is_markup = row
        if token is None:
            problems.count(MARKUP, int(is_markup))
            if tokens:
                yield Sentence(first, tokens, tags, follows)
                tokens, tags = [], []
                text_begun = True
            if parts:
                text_begun = False
            continue
        if not tokens:
            if has_header:
                has_header = False
                continue
            if line.startswith("#"):
                columns = split_columns(line)
                is_last = layout.has_headings or not after.strip(" \t")
                is_heading = is_last and is_untagged_hashtag(layout, columns, line)
                problems.count(HEADINGS, int(is_heading))
                if is_heading or is_comment(layout, columns, line):
                    text_begun = text_begun and not line.startswith(_NEW_DOCUMENT)
                    continue
            first, follows = number, text_begun
        if fault:
            problems.add(*fault[:1], number, fault[1])
        tokens.append(token)
        tags.append(of_token)
        if not layout.has_breaks and token in ENDS and of_token == ("O",):
            yield Sentence(first, tokens, tags, follows)
            tokens, tags = [], []
            text_begun = True
    if tokens:
        yield Sentence(first, tokens, tags, follows)


class _Row(NamedTuple):
    """What a line says.

    token: None for a break.
    tags: those of the token; none if it has none.
    fault: kind and description of what is wrong with it.
    parts_texts: for a break, whether another text begins.
    is_markup: for a break, whether it is an element of a document's build.
    """

    token: str | None
    tags: tuple[str, ...] = ()
    fault: tuple[str, str] | None = None
    parts_texts: bool = False
    is_markup: bool = False


def _row(line: str, layout: Layout) -> _Row:
    columns = split_columns(line)
    if not columns:
        return _Row(None)
    if not columns[0] and len(columns) == layout.width + 1 and "\t" not in line:
        columns = columns[1:]  # the line is indented
    at = layout.token_at
    if any(map(is_document_start, (columns[0], *columns[at : at + 1]))):
        return _Row(None, parts_texts=True)
    if layout.is_markup(columns, line):
        return _Row(None, is_markup=True)
    if layout.fits(columns) or layout.has_more_tags(columns):
        token = columns[at]
        fault = _fault(token, columns[layout.tag_at])
        return _Row(token or " ", layout.tags(columns), fault)
    token = columns[at] if at < len(columns) else columns[0]
    what = f"{len(columns)} instead of {layout.width}: {token!r} is left without annotation"
    return _Row(token or " ", (), (WRONG_COLUMNS, what))


def _fault(token: str, tag: str) -> tuple[str, str] | None:
    """What is wrong in a line that has as many columns as others."""
    if not token:
        return EMPTY_TOKEN, AS_SPACE
    cleaned = clean_tag(tag)
    return None if cleaned == tag else (UNSEEN, f"{tag!r} is read as {cleaned!r}")
