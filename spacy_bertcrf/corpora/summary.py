"""Counts what a corpus holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from spacy.tokens import Doc


class CorpusSummary(NamedTuple):
    """What a corpus holds.

    documents: number of documents.
    unannotated: documents among them without any annotation, of tokens or as a whole.
    tokens: number of tokens.
    missing: tokens without annotation in documents that have some.
    entities: number of entities of each label.
    categories: number of documents in each category, with 0 for one that no document is in.
    """

    documents: int
    unannotated: int
    tokens: int
    missing: int
    entities: Counter[str]
    categories: Counter[str]


def summarize(docs: Iterable[Doc]) -> CorpusSummary:
    """Count documents, tokens, entities and categories."""
    documents = unannotated = tokens = missing = 0
    entities: Counter[str] = Counter()
    categories: Counter[str] = Counter()
    for doc in docs:
        documents += 1
        tokens += len(doc)
        unknown = sum(token.ent_iob == 0 for token in doc)
        if unknown == len(doc):
            unannotated += not doc.cats
        else:
            missing += unknown
        entities.update(entity.label_ for entity in doc.ents)
        categories.update({label: int(value > 0) for label, value in doc.cats.items()})
    return CorpusSummary(documents, unannotated, tokens, missing, entities, categories)
