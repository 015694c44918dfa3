"""Joins sentences to longer Docs, so that BERT sees those before and after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from spacy.tokens import Doc

from spacy_bertcrf.corpora.language import UNSPACED


class Joining(NamedTuple):
    """What to join.

    documents: whether all sentences of a document.
    sentences: how many at most; None for any number.
    max_tokens: how many tokens at most; a longer sentence stays as it is. None for any number.
    """

    documents: bool = False
    sentences: int | None = None
    max_tokens: int | None = None

    def __bool__(self) -> bool:
        return self.documents or self.sentences is not None


def join(
    docs: Iterable[tuple[Doc, bool | None]], joining: Joining, lang: str
) -> Iterator[tuple[Doc, bool | None]]:
    """Join Docs that are sentences of one document; each keeps its place as a sentence.

    docs: the Docs, and for each whether a document begins with it; None where its file does not
        know documents: then it is one itself.
    joining: what to join.
    lang: language code: where it writes spaces, sentences have one between them.

    Returns the longer Docs, and whether a document begins with each.
    """
    waiting: list[Doc] = []
    n_tokens = 0
    begins: bool | None = None
    for doc, new in docs:
        full = len(waiting) == joining.sentences or (
            joining.max_tokens is not None and n_tokens + len(doc) > joining.max_tokens
        )
        if waiting and (new is not False or full):
            yield _joined(waiting, lang), begins
            waiting, n_tokens = [], 0
        if not waiting:
            begins = new
        waiting.append(doc)
        n_tokens += len(doc)
    if waiting:
        yield _joined(waiting, lang), begins


def _joined(docs: list[Doc], lang: str) -> Doc:
    starts, at = {0}, 0
    for doc in docs:
        known = {token.i for token in doc if token.is_sent_start} or {0}
        starts |= {at + start for start in known | {0}}
        at += len(doc)
    # spaCy's type stubs know no `exclude`.
    how: dict[str, Any] = {"exclude": ["user_data"]}
    joined = Doc.from_docs(docs, ensure_whitespace=lang not in UNSPACED, **how)
    assert joined is not None
    joined.cats = docs[0].cats if len(docs) == 1 else {}
    for token in joined:
        token.is_sent_start = token.i in starts
    return joined
