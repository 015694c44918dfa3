"""Batches in which little is padding."""

from collections.abc import Iterator, Sequence

from spacy.tokens import Doc


def batches_by_length(docs: Sequence[Doc], max_tokens: int) -> Iterator[list[int]]:
    """The indices of all Docs with tokens, the shortest Docs first.

    max_tokens: of a batch, with padding. A Doc that is longer goes alone.
    """
    batch: list[int] = []
    for i in sorted((i for i, doc in enumerate(docs) if len(doc)), key=lambda i: len(docs[i])):
        if batch and (len(batch) + 1) * len(docs[i]) > max_tokens:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
