"""Reads an annotated corpus from a file of any format that this package knows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import spacy
from spacy.tokens import Doc
from spacy.util import get_lang_class
from spacy.vocab import create_vocab

from spacy_bertcrf.corpora.cluener import read_cluener
from spacy_bertcrf.corpora.columns import (
    guess_language,
    guess_text_language,
    read_sentences,
    sentences_to_docs,
)
from spacy_bertcrf.corpora.labelled_texts import (
    LAYOUTS,
    detect_layout,
    labelled_texts_to_docs,
    read_classes,
    read_labelled_texts,
)
from spacy_bertcrf.corpora.lines import read_lines
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.tagging.repair import check_scheme, detect_scheme

FORMATS = ("auto", "cluener", "columns", "msra", *LAYOUTS)


class Corpus(NamedTuple):
    """What a file holds.

    docs: the documents.
    problems: what is wrong in the file.
    format: the format it was read in.
    lang: the language code it was read with.
    scheme: the tag scheme it was read in; None for a format without tags.
    """

    docs: list[Doc]
    problems: ProblemLog
    format: str
    lang: str
    scheme: str | None


def read_corpus(
    path: Path,
    format: str = "auto",
    *,
    lang: str | None = None,
    scheme: str | None = None,
    token_column: int = 1,
    tag_column: int = -1,
    encoding: str = "utf8",
    classes: Path | None = None,
) -> Corpus:
    """Read the documents of a file, and note what is wrong in it.

    path: the file.
    format: "cluener" (JSON lines), "columns", "msra" (columns of Chinese characters), "text-label"
        or "label-text" (a text and its label a line, apart by a tab) or "auto".
    lang: language code. If None, "zh" for CLUENER and MSRA, and guessed for the others.
    scheme: tag scheme of a column file, one of ``tagging.repair.FILE_SCHEMES``. If None, detected.
    token_column, tag_column: columns from 1, or from -1 for the last.
    encoding: encoding of the file, and of `classes`.
    classes: a file with the names of the classes whose numbers, from 0, are the labels of texts.

    RETURNS: the documents and the problems; there may be none of either.
    RAISES: ValueError, if an argument does not fit the file; ImportError, if the language is
        unknown or its tokenizer is not installed; OSError, if the file cannot be read.
    """
    if format not in FORMATS:
        raise ValueError(f"There is no format {format!r}. Use one of: {', '.join(FORMATS)}.")
    given_scheme = check_scheme(scheme) if scheme is not None else None
    lines = read_lines(path, encoding)
    if format == "auto":
        format = _detect_format(lines, classes is not None)
    problems = ProblemLog(path)
    if format in LAYOUTS:
        if scheme is not None:
            raise ValueError("A tag scheme is for column files: labels of texts are no tags.")
        names = None if classes is None else read_classes(classes, read_lines(classes, encoding))
        texts = read_labelled_texts(lines, format, problems, names)
        lang = lang or guess_text_language(text.text for text in texts)
        docs = labelled_texts_to_docs(texts, spacy.blank(lang), problems, names)
        return Corpus(docs, problems, format, lang, None)
    if classes is not None:
        raise ValueError(
            "Names of classes are for texts with labels; this file is read as "
            f"{format}. Say which column is the text: --format text-label or label-text."
        )
    if format == "cluener":
        if scheme is not None:
            raise ValueError("A tag scheme is for column files: CLUENER's format has no tags.")
        lang = lang or "zh"
        docs = list(read_cluener(lines, spacy.blank(lang), problems))
        return Corpus(docs, problems, format, lang, None)

    sentences = read_sentences(lines, problems, token_column, tag_column)
    found = given_scheme or detect_scheme([row.tag for row in rows] for rows, _ in sentences)
    lang = lang or ("zh" if format == "msra" else guess_language(sentences))
    # The tokens are given, so the language need not have its tokenizer installed.
    vocab = create_vocab(lang, get_lang_class(lang).Defaults)
    docs = list(sentences_to_docs(sentences, found, lang, vocab, problems))
    return Corpus(docs, problems, format, lang, found)


def _detect_format(lines: Sequence[str], has_classes: bool) -> str:
    first = next((line for line in lines if line.strip(" \t")), "")
    if re.match(r'[ \t]*\{[ \t]*["}]', first):
        return "cluener"
    return detect_layout(lines) or ("text-label" if has_classes else "columns")
