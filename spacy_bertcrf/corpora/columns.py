"""Column files → Docs: one token a line with its tag, sentences apart by blank lines.

The format of the CoNLL-2003 shared task, of MSRA and of most Chinese corpora. Columns are apart by
tabs, or by ASCII spaces where a line has no tab; any other white space is part of a token.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_bertcrf.corpora.entities import BLANK, TRIMMED, annotate, trim
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.tagging import EntitySpan
from spacy_bertcrf.tagging.repair import read_tags

WRONG_COLUMNS = "wrong number of columns"
EMPTY_TOKEN = "empty token"

_DOCUMENT_START = "-DOCSTART-"
_HAN_OR_KANA = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_UNSPACED_LANGUAGES = ("bo", "ja", "km", "lo", "my", "th", "zh")


class Row(NamedTuple):
    """One token. line: its line, from 1. tag: as in the file; None if it has none."""

    line: int
    token: str
    tag: str | None


class Sentence(NamedTuple):
    """The tokens between two breaks. follows: whether the sentence before is of the same text."""

    rows: list[Row]
    follows: bool


def read_sentences(
    lines: Sequence[str], problems: ProblemLog, token_column: int = 1, tag_column: int = -1
) -> list[Sentence]:
    """Read the tokens and tags of a column file.

    Most lines decide how many columns there are. A line with another number keeps its token and
    loses its tag. An empty token was a space before some tool stripped it, and becomes one again.
    ``-DOCSTART-`` lines part texts; lines with ``#`` before a sentence are comments if they have
    another number of columns.

    lines: the lines of the file.
    problems: log to add to.
    token_column, tag_column: columns from 1, or from -1 for the last.

    RETURNS: the sentences, none of them empty.
    RAISES: ValueError, if there are no such columns.
    """
    split = [_columns(line) for line in lines]
    counts = Counter(len(columns) for columns in split if not _is_break(columns, token_column))
    if not counts:
        return []
    n_columns = max(counts, key=lambda count: (counts[count], count))
    token_at = _index(token_column, n_columns, "token")
    tag_at = _index(tag_column, n_columns, "tag")
    if token_at == tag_at:
        raise ValueError(
            f"Most lines have {n_columns} column(s), and tokens and tags cannot both be in column "
            f"{token_at + 1}. Name the columns of both, or check that this is a column file."
        )
    sentences: list[Sentence] = []
    rows: list[Row] = []
    follows = False
    for number, columns in enumerate(split, start=1):
        if _is_break(columns, token_column):
            if rows:
                sentences.append(Sentence(rows, follows))
            follows = not columns and (follows or bool(rows))
            rows = []
        elif len(columns) == n_columns:
            token = columns[token_at]
            if not token:
                problems.add(EMPTY_TOKEN, number, "read as a space")
            rows.append(Row(number, token or " ", columns[tag_at]))
        elif rows or not columns[0].startswith("#"):
            token = columns[token_at] if token_at < len(columns) else columns[0]
            what = f"{len(columns)} instead of {n_columns}: {token!r} is left without annotation"
            problems.add(WRONG_COLUMNS, number, what)
            rows.append(Row(number, token or " ", None))
    if rows:
        sentences.append(Sentence(rows, follows))
    return sentences


def sentences_to_docs(
    sentences: Iterable[Sentence], scheme: str, lang: str, vocab: Vocab, problems: ProblemLog
) -> Iterator[Doc]:
    """Make one Doc a sentence, with the file's own tokens.

    sentences: as ``read_sentences`` gives them.
    scheme: tag scheme of the file, one of ``tagging.repair.FILE_SCHEMES``.
    lang: ISO code of the language: where it writes spaces, each token has one after it.
    vocab: the Docs' vocabulary.
    problems: log to add to.

    RETURNS: the Docs, in file order.
    RAISES: ValueError, if there is no such scheme.
    """
    running = None
    for rows, follows in sentences:
        words = [row.token for row in rows]
        tags = [row.tag for row in rows]
        spans, missing, repairs, running = read_tags(tags, scheme, running if follows else None)
        for token, kind, what in repairs:
            problems.add(kind, rows[token].line, what)
        doc = Doc(vocab, words=words, spaces=_spaces(words, lang))
        annotate(doc, _trimmed(spans, rows, words, problems), missing)
        yield doc


def guess_language(sentences: Iterable[Sentence]) -> str:
    """Tell Chinese from languages that write spaces.

    RETURNS: "zh" if most tokens with letters have Chinese ones (or kana), else "en".
    """
    return guess_text_language(row.token for rows, _ in sentences for row in rows)


def guess_text_language(texts: Iterable[str]) -> str:
    """The same, of tokens or texts: "zh" if most of those with letters have Chinese ones."""
    tokens = list(texts)
    east_asian = sum(bool(_HAN_OR_KANA.search(token)) for token in tokens)
    with_letters = sum(any(map(str.isalpha, token)) for token in tokens)
    return "zh" if 2 * east_asian > with_letters else "en"


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


def _spaces(words: list[str], lang: str) -> list[bool]:
    if lang in _UNSPACED_LANGUAGES:
        return [False] * len(words)
    # A token that is white space itself parts its neighbours.
    pairs = zip(words, [*words[1:], " "], strict=True)
    return [not word.isspace() and not following.isspace() for word, following in pairs]


def _trimmed(
    spans: Iterable[EntitySpan], rows: list[Row], words: list[str], problems: ProblemLog
) -> Iterator[EntitySpan]:
    for span in spans:
        start, end = trim(words, span.start, span.end)
        line = rows[span.start].line
        if start == end:
            problems.add(BLANK, line, f"{span.label} of {span.end - span.start} token(s): left out")
            continue
        if (start, end) != span[:2]:
            cut = span.end - span.start - (end - start)
            problems.add(TRIMMED, line, f"{span.label}: {cut} token(s) taken off")
        yield EntitySpan(start, end, span.label)
