"""Columns: one token a line with its tag, sentences apart by blank lines.

The format of the CoNLL-2003 shared task, of MSRA and of most Chinese corpora. Columns are apart by
tabs, or by ASCII spaces where a line has no tab; any other white space is part of a token.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from spacy_bertcrf.corpora.formats.format import AGAINST, POSSIBLE, Evidence, Format
from spacy_bertcrf.corpora.json_values import looks_like_json
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.corpora.sources import Source
from spacy_bertcrf.tagging.repair import check_scheme, detect_scheme, read_tags

WRONG_COLUMNS = "wrong number of columns"
EMPTY_TOKEN = "empty token"

_DOCUMENT_START = "-DOCSTART-"
_SEEN = 3000


class Sentence(NamedTuple):
    """The tokens between two breaks.

    lines: the line of each token, from 1.
    tokens: the tokens.
    tags: their tags as in the file; None for one that has none.
    follows: whether the sentence before is of the same text.
    """

    lines: list[int]
    tokens: list[str]
    tags: list[str | None]
    follows: bool


class Layout(NamedTuple):
    """How many columns most lines have, and which of them, from 0, hold tokens and tags."""

    n_columns: int
    token_at: int
    tag_at: int


class Columns(Format):
    """A token and its tag a line."""

    name = "columns"
    description = "a token and its tag a line, blank lines between sentences"
    options = frozenset({"scheme", "token_column", "tag_column"})

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By a column of tags beside one of tokens."""
        if looks_like_json(source):
            return Evidence("the file is JSON", AGAINST)
        try:
            layout = find_layout(islice(source.lines(), _SEEN), options)
            if layout is None:
                return Evidence("no line that holds anything", POSSIBLE)
            head = islice(source.lines(), _SEEN)
            sentences = read_sentences(head, layout, ProblemLog(source.path))
            scheme = options.scheme or detect_scheme(sentence.tags for sentence in sentences)
        except ValueError as err:
            return Evidence(str(err), AGAINST)
        what = f"most lines have {layout.n_columns} columns, the last of them of tags"
        if options.tag_column not in (None, -1):
            what = f"column {layout.tag_at + 1} of {layout.n_columns} holds tags"
        return Evidence(what, POSSIBLE, {"tag scheme": scheme})

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a sentence; tags that break their scheme are repaired, and reported."""
        layout = find_layout(source.lines(), options)
        if layout is None:
            return
        scheme = check_scheme(options.scheme) if options.scheme else None
        if scheme is None:
            unseen = ProblemLog(source.path)
            sentences = read_sentences(source.lines(), layout, unseen)
            scheme = detect_scheme(sentence.tags for sentence in sentences)
        given = "" if options.scheme else " (detected; --scheme to change)"
        problems.notes["Tag scheme"] = f"{scheme}{given}"
        running = None
        for lines, tokens, tags, follows in read_sentences(source.lines(), layout, problems):
            spans, missing, repairs, running = read_tags(tags, scheme, running if follows else None)
            for token, kind, what in repairs:
                problems.add(kind, lines[token], what)
            yield Record(
                lines[0],
                tokens=tokens,
                entities=[Mention(*span) for span in spans],
                missing=[(token, token + 1) for token in missing],
                lines=lines,
                new_document=not follows,
            )


class Msra(Columns):
    """Columns of Chinese characters."""

    name = "msra"
    description = "columns of Chinese characters, as MSRA's"
    lang = "zh"

    def recognise(self, source: Source, options: Options) -> None:
        """Never by itself: the same as columns, with the language given."""
        return


def find_layout(lines: Iterable[str], options: Options) -> Layout | None:
    """Find out how many columns most lines have.

    lines: the lines of the file.
    options: which columns hold tokens (by default the first) and tags (the last).

    Returns the layout, or None if there is no line to judge by. Raises ValueError if there are no
    such columns.
    """
    token_column, tag_column = options.token_column or 1, options.tag_column or -1
    for column, kind in ((options.token_column, "token"), (options.tag_column, "tag")):
        if column == 0:
            raise ValueError(f"There is no {kind} column 0. Count from 1, or from -1 for the last.")
    counts: Counter[int] = Counter()
    for line in lines:
        columns = _columns(line)
        if not _is_break(columns, token_column):
            counts[len(columns)] += 1
    if not counts:
        return None
    n_columns = max(counts, key=lambda count: (counts[count], count))
    token_at = _index(token_column, n_columns, "token")
    tag_at = _index(tag_column, n_columns, "tag")
    if token_at == tag_at:
        raise ValueError(
            f"Most lines have {n_columns} column(s), and tokens and tags cannot both be in column "
            f"{token_at + 1}. Name the columns of both, or check that this is a column file."
        )
    return Layout(n_columns, token_at, tag_at)


def read_sentences(
    lines: Iterable[str], layout: Layout, problems: ProblemLog
) -> Iterator[Sentence]:
    """Read the tokens and tags of a column file.

    A line with another number of columns keeps its token and loses its tag. An empty token was a
    space before some tool stripped it, and becomes one again. ``-DOCSTART-`` lines part texts;
    lines with ``#`` before a sentence are comments if they have another number of columns.

    lines: the lines of the file.
    layout: its columns.
    problems: log to add to.

    Returns the sentences, none of them empty.
    """
    n_columns, token_at, tag_at = layout
    sentence = Sentence([], [], [], False)
    for number, line in enumerate(lines, start=1):
        columns = _columns(line)
        if _is_break(columns, token_at + 1):
            if sentence.tokens:
                yield sentence
            follows = not columns and (sentence.follows or bool(sentence.tokens))
            sentence = Sentence([], [], [], follows)
            continue
        if len(columns) == n_columns:
            token, tag = columns[token_at], columns[tag_at]
            if not token:
                problems.add(EMPTY_TOKEN, number, "read as a space")
        elif sentence.tokens or not columns[0].startswith("#"):
            token, tag = columns[token_at] if token_at < len(columns) else columns[0], None
            what = f"{len(columns)} instead of {n_columns}: {token!r} is left without annotation"
            problems.add(WRONG_COLUMNS, number, what)
        else:
            continue
        sentence.lines.append(number)
        sentence.tokens.append(token or " ")
        sentence.tags.append(tag)
    if sentence.tokens:
        yield sentence


def _columns(line: str) -> list[str]:
    if not line.strip(" \t"):
        return []
    if "\t" in line:
        return [column.strip(" ") or column for column in line.split("\t")]
    return re.split(" +", line.rstrip(" "))


def _is_break(columns: list[str], token_column: int) -> bool:
    if not columns:
        return True
    at = token_column - 1 if token_column > 0 else token_column
    return columns[0] == _DOCUMENT_START or columns[at : at + 1] == [_DOCUMENT_START]


def _index(column: int, n_columns: int, kind: str) -> int:
    if column == 0 or not -n_columns <= column <= n_columns:
        raise ValueError(
            f"There is no {kind} column {column}: most lines have {n_columns} column(s). Count "
            f"from 1, or from -1 for the last."
        )
    return column - 1 if column > 0 else n_columns + column
