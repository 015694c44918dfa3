"""Counts what a corpus holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from spacy.tokens import Doc

from spacy_bertcrf.corpora.packing import DocCounts


class CorpusSummary(NamedTuple):
    """What a corpus holds.

    documents: number of documents.
    unannotated: documents among them without any annotation, of tokens or as a whole.
    tokens: number of tokens.
    missing: tokens without annotation in documents that have some.
    entities: number of entities of each label.
    categories: number of documents in each category, with 0 for one that no document is in.
    without_entities: documents among them that are annotated and have no entity.
    """

    documents: int
    unannotated: int
    tokens: int
    missing: int
    entities: Counter[str]
    categories: Counter[str]
    without_entities: int = 0


def summarize(docs: Iterable[Doc | DocCounts]) -> CorpusSummary:
    """Count documents, tokens, entities and categories, of Docs or of what was counted of each."""
    documents = unannotated = tokens = missing = empty = 0
    entities: Counter[str] = Counter()
    categories: Counter[str] = Counter()
    for doc in docs:
        counts = _count(doc) if isinstance(doc, Doc) else doc
        documents += 1
        tokens += counts.tokens
        if counts.missing == counts.tokens:
            unannotated += not counts.cats
        else:
            missing += counts.missing
            empty += not counts.entities
        entities.update(counts.entities)
        categories.update({label: int(value > 0) for label, value in counts.cats.items()})
    return CorpusSummary(documents, unannotated, tokens, missing, entities, categories, empty)


def _count(doc: Doc) -> DocCounts:
    missing = sum(token.ent_iob == 0 for token in doc)
    return DocCounts(len(doc), missing, Counter(ent.label_ for ent in doc.ents), doc.cats)
