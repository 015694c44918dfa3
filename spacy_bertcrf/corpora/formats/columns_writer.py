"""Writes columns: a token and its tag a line, apart by a tab."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from spacy_bertcrf.corpora.column_table import is_document_start, split_columns
from spacy_bertcrf.corpora.entities import without_overlaps
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.writing import NOT_HELD, AnnotatedText, write_text
from spacy_bertcrf.tagging import EntitySpan
from spacy_bertcrf.tagging.repair import check_scheme
from spacy_bertcrf.tagging.written_tags import write_tags

CHANGED_TOKEN = "token that columns cannot hold"
EMPTY = "text without tokens"


def write_columns(
    texts: Iterable[AnnotatedText], path: Path, options: Options, problems: ProblemLog
) -> None:
    """Write a text after the other, a blank line between; in BIO or the scheme of the options.

    Of overlapping entities the longer is written. Raises ValueError if there is no such scheme, or
    for a label with a tab or a line end in it.
    """
    scheme = check_scheme(options.scheme or "BIO")
    problems.note("Not in columns", "the white space between tokens")
    write_text(path, _pieces(texts, scheme, problems))


def _pieces(texts: Iterable[AnnotatedText], scheme: str, problems: ProblemLog) -> Iterator[str]:
    for text in texts:
        if not len(text.doc):
            problems.add(EMPTY, text.number, "left out")
            continue
        if not text.is_annotated:
            problems.add(NOT_HELD, text.number, "nothing is known of it; written as outside")
        spans, dropped = without_overlaps(
            EntitySpan(span.start, span.end, span.label) for span in text.spans
        )
        for span, kind, kept in dropped:
            words = text.doc[span.start : span.end].text, text.doc[kept.start : kept.end].text
            what = f"{kind}: {span.label} {words[0]!r} left out for {kept.label} {words[1]!r}"
            problems.add(NOT_HELD, text.number, what)
        for one, other in pairwise(spans) if scheme == "IO" else ():
            if one.end == other.start and one.label == other.label:
                what = f"two neighbours of {one.label}, one in IO: {text.doc[other.start]!r}"
                problems.add(NOT_HELD, text.number, what)
        tags = write_tags(spans, len(text.doc), scheme)
        yield "".join(
            _line(token.text, tag, text.number, problems)
            for token, tag in zip(text.doc, tags, strict=True)
        )
        yield "\n"


def _line(token: str, tag: str, number: int, problems: ProblemLog) -> str:
    if any(end in tag for end in "\t\r\n"):
        raise ValueError(f"Columns cannot hold the label {tag[2:]!r}: a tab or line end is in it.")
    held = token
    if split_columns(f"{token}\t{tag}") != [token, tag] or any(end in token for end in "\r\n"):
        held = "_".join(token.split()) or " "
    if is_document_start(token):
        held = token.strip("-")
    if held != token:
        problems.add(CHANGED_TOKEN, number, f"{token!r} is written as {held!r}")
    return f"{held}\t{tag}\n"
