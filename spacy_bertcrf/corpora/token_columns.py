"""Finds the columns of a table with a token a row: by their names, or by what they hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import islice, pairwise
from typing import NamedTuple

from spacy_bertcrf.corpora.delimited import Dialect, find_dialect, read_table
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.sources import Source
from spacy_bertcrf.corpora.tagged_tokens import is_outside, is_prefixed, looks_like_tags

_SEEN = 1000
_NOT_IN_NAMES = re.compile(r"[\W_]+")
_SENTENCES = (
    *("sentence", "sentenceid", "sentid", "sentenceidx", "sentenceindex", "sentenceno"),
    *("sentencenumber", "sentencenr", "sentencenum", "sent", "sentno", "sentnum", "sid"),
)
_TOKENS = ("word", "words", "token", "tokens", "form", "char", "character", "chars", "text")
_TAGS = (
    *(
        "necoarselit",
        "nefinelit",
        "nertag",
        "nertags",
        "ner",
        "nerlabel",
        "iob",
        "iobtag",
        "bio",
        "biotag",
        "bioes",
    ),
    *("entitytag", "entity", "netag", "ne", "namedentity", "tag", "tags", "label", "labels"),
    *("goldlabel", "gold", "annotation"),
)
_DOCUMENTS = ("document", "documentid", "doc", "docid", "docname", "article", "filename", "file")
_SENTENCE_NUMBER = re.compile(r"(sentence|sent|句子)\W*\d+", re.IGNORECASE)
_OUTSIDE = ("o", "other")
_FLAG = re.compile(r"\b(NoSpaceAfter|EndOfSentence|EndOfLine)\b")


class TokenColumns(NamedTuple):
    """Where a table has what; columns count from 0, None where there is none.

    dialect: how it is written.
    has_header: whether its first row names the columns.
    sentence: the column whose change begins a sentence; blank is as the row before.
    number: the column that numbers the tokens, and falls where a sentence begins.
    document: the column whose change begins a document.
    flags: HIPE's column of what else is to be said of a token: NoSpaceAfter, EndOfSentence.
    others: further columns of tags, that are not read.
    """

    dialect: Dialect
    has_header: bool
    token: int
    tag: int
    sentence: int | None
    number: int | None
    document: int | None
    flags: int | None = None
    others: tuple[int, ...] = ()

    def describe(self, header: Sequence[str]) -> str:
        """The columns as messages name them."""
        kinds = ("token", "tag", "sentence", "number", "document")
        places = [(kind, getattr(self, kind)) for kind in kinds]
        shown = [
            f"{kind} {header[at]!r}" if self.has_header else f"{kind} in column {at + 1}"
            for kind, at in places
            if at is not None
        ]
        return f"{self.dialect}: {', '.join(shown)}"


def find_token_columns(
    source: Source, options: Options, whole: bool = False
) -> tuple[TokenColumns, Sequence[str]]:
    """Find out which columns hold tokens, tags and numbers of sentences.

    source: the file.
    options: the columns of tokens and tags, from 1, where the user names them.
    whole: look at all of the file for how its cells are parted.

    Returns the layout and the cells of the first row. Raises ValueError if there are none.
    """
    dialect = find_dialect(source, whole)
    if dialect is None:
        raise ValueError("no table: rows have no two cells apart by commas, tabs or semicolons")
    rows = [
        row.cells
        for row in islice(read_table(source, dialect), _SEEN)
        if any(row.cells) and not is_comment(row.cells)
    ]
    if not rows:
        raise ValueError("no row that holds anything")
    names = [_NOT_IN_NAMES.sub("", cell).lower() for cell in rows[0]]
    has_header = _is_header(rows, names)
    if has_header and len(names) != dialect.n_columns:
        raise ValueError(f"{len(names)} names of columns above rows of {dialect.n_columns} cells")
    body = [row for row in rows[int(has_header) :] if len(row) == dialect.n_columns]
    if not has_header:
        names = [""] * dialect.n_columns
    columns = [list(cells) for cells in zip(*body, strict=True)]
    if not columns:
        raise ValueError("no row below the names of the columns")
    width = len(columns)
    tag = _given(options.tag_column, width, "tag")
    if tag is None:
        tag = _find_tag(columns, names)
    token = _given(options.token_column, width, "token")
    if token is None:
        token = _find_token(columns, names, tag)
    if options.token_column is None and not _are_words(columns[token]):
        raise ValueError("most cells have several words, and none a token")
    sentence = _find_sentence(columns, names, {token, tag})
    number = None if sentence is not None else _find_number(columns, {token, tag})
    document = _named(names, _DOCUMENTS, {token, tag, sentence})
    if not has_header and sentence is None and not any(map(is_prefixed, columns[tag])):
        raise ValueError("neither names of columns, nor numbers of sentences, nor tags as B-PER")
    flags = _find_flags(columns, names)
    others = tuple(
        at for at in _tag_columns(columns) if at != tag and any(map(is_prefixed, columns[at]))
    )
    layout = TokenColumns(
        dialect, has_header, token, tag, sentence, number, document, flags, others
    )
    return layout, rows[0]


def is_comment(cells: Sequence[str]) -> bool:
    """Whether a row is a comment: it begins with # and has no other cell."""
    return cells[0].startswith("#") and not any(cells[1:])


def _find_flags(columns: list[list[str]], names: list[str]) -> int | None:
    at = names.index("misc") if "misc" in names else None
    if at is None or not any(_FLAG.search(cell) for cell in columns[at]):
        return None
    return at


def _is_header(rows: list[list[str]], names: list[str]) -> bool:
    kinds = sum(any(name in names for name in known) for known in (_SENTENCES, _TOKENS, _TAGS))
    if kinds > 1:
        return True
    body = [row for row in rows[1:] if len(row) == len(rows[0])]
    for title, *cells in zip(rows[0], *body, strict=True):
        tags = cells and all(is_prefixed(cell) or is_outside(cell) for cell in cells)
        if tags and any(map(is_prefixed, cells)) and not is_prefixed(title):
            return not is_outside(title)
    return False


def _find_tag(columns: list[list[str]], names: list[str]) -> int:
    tags = _tag_columns(columns)
    for name in _TAGS:
        if name in names and names.index(name) in tags:
            return names.index(name)
    prefixed = [at for at in tags if sum(map(is_prefixed, columns[at])) > 0]
    outside = [at for at in tags if any(cell.strip().lower() in _OUTSIDE for cell in columns[at])]
    for found in (prefixed, outside):
        if found:
            return found[-1]
    raise ValueError("no column holds tags of entities; name it with --tag-column")


def _tag_columns(columns: list[list[str]]) -> list[int]:
    return [at for at, cells in enumerate(columns) if _are_words(cells) and looks_like_tags(cells)]


def _find_token(columns: list[list[str]], names: list[str], tag: int) -> int:
    named = _named(names, _TOKENS, {tag})
    if named is not None:
        return named
    kinds = {
        at: len(set(cells))
        for at, cells in enumerate(columns)
        if at != tag and not _are_numbers(cells) and not any(map(_SENTENCE_NUMBER.match, cells))
    }
    if not kinds:
        raise ValueError("no column holds tokens; name it with --token-column")
    return max(kinds, key=lambda at: (kinds[at], -at))


def _find_sentence(columns: list[list[str]], names: list[str], taken: set[int]) -> int | None:
    named = _named(names, _SENTENCES, taken)
    if named is not None:
        return named
    for at, cells in enumerate(columns):
        if at in taken:
            continue
        filled = [cell for cell in cells if cell.strip()]
        if filled and all(map(_SENTENCE_NUMBER.match, filled)):
            return at
        steps = [int(float(b)) - int(float(a)) for a, b in _pairs(filled)]
        if _are_numbers(filled) and steps and min(steps) >= 0 and 2 * steps.count(0) > len(steps):
            return at
    return None


def _find_number(columns: list[list[str]], taken: set[int]) -> int | None:
    for at, cells in enumerate(columns):
        if at not in taken and _are_numbers(cells):
            steps = [int(float(b)) - int(float(a)) for a, b in _pairs(cells)]
            if any(step < 0 for step in steps) and all(step == 1 or step < 0 for step in steps):
                return at
    return None


def _named(names: Sequence[str], known: Sequence[str], taken: Iterable[int | None]) -> int | None:
    found = (names.index(name) for name in known if name in names)
    taken = list(taken)
    return next((at for at in found if at not in taken), None)


def _given(column: int | None, width: int, kind: str) -> int | None:
    if column is None:
        return None
    if column == 0 or not -width <= column <= width:
        raise ValueError(
            f"there is no {kind} column {column} among {width}. Count from 1, or from -1 for the "
            "last"
        )
    return column - 1 if column > 0 else width + column


def _are_words(cells: Sequence[str]) -> bool:
    return 2 * sum(len(cell.split()) > 1 for cell in cells) < len(cells)


def _are_numbers(cells: Sequence[str]) -> bool:
    return bool(cells) and all(re.fullmatch(r"\s*\d+(\.0)?\s*", cell) for cell in cells)


def _pairs(cells: Sequence[str]) -> list[tuple[str, str]]:
    if not _are_numbers(cells):
        return []
    return list(pairwise(cells))
