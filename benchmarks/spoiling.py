"""Spoils a share of a corpus' entities, as wrong annotations do: the same way for the same seed."""

import random
from collections.abc import Sequence
from typing import NamedTuple

from spacy.tokens import Doc, Span

LABEL, BORDER, REMOVED, ADDED = "label", "border", "removed", "added"
KINDS = (LABEL, BORDER, REMOVED, ADDED)

TokenSpan = tuple[int, int, str]


class Spoiled(NamedTuple):
    """An annotation that is wrong now, in tokens, end exclusive.

    document: its number, from 0.
    before, after: what was there, and what is; None for no entity.
    """

    document: int
    kind: str
    before: TokenSpan | None
    after: TokenSpan | None


def spoil(docs: Sequence[Doc], share: float, seed: int) -> list[Spoiled]:
    """Spoil annotations of Docs in place, in number a share of their entities, each kind equally
    often: another label; one border moved by a token; no entity; and an entity where there is
    none, as long as one of the corpus and with the label of one.

    None overlaps with another entity, and each entity is spoiled once at most.
    """
    rng = random.Random(seed)
    entities = [(i, span_of(ent)) for i, doc in enumerate(docs) for ent in doc.ents]
    labels = sorted({span[2] for _, span in entities})
    left: list[list[TokenSpan]] = [[span_of(ent) for ent in doc.ents] for doc in docs]
    n_each = round(share * len(entities) / len(KINDS))
    order = rng.sample(entities, len(entities))
    spoiled: list[Spoiled] = []
    for kind in (LABEL, BORDER, REMOVED):
        found = 0
        while found < n_each:
            document, span = order.pop()
            after = _spoiled(kind, span, left[document], len(docs[document]), labels, rng)
            if kind != REMOVED and after is None:
                continue
            left[document].remove(span)
            left[document] += [after] if after else []
            spoiled.append(Spoiled(document, kind, span, after))
            found += 1
    touched = {(item.document, item.before) for item in spoiled}
    found = 0
    while found < n_each:
        document = rng.randrange(len(docs))
        start, end, label = rng.choice(entities)[1]
        at = rng.randrange(max(len(docs[document]), 1))
        added = (at, at + end - start, label)
        gone = [before for i, before in touched if i == document and before]
        if added[1] > len(docs[document]) or _overlaps(added, [*left[document], *gone]):
            continue
        left[document].append(added)
        spoiled.append(Spoiled(document, ADDED, None, added))
        found += 1
    for doc, spans in zip(docs, left, strict=True):
        doc.set_ents([Span(doc, *span) for span in sorted(spans)])
    return spoiled


def span_of(ent: Span) -> TokenSpan:
    return ent.start, ent.end, ent.label_


def _spoiled(
    kind: str,
    span: TokenSpan,
    others: Sequence[TokenSpan],
    length: int,
    labels: Sequence[str],
    rng: random.Random,
) -> TokenSpan | None:
    start, end, label = span
    if kind == LABEL:
        return start, end, rng.choice([other for other in labels if other != label])
    if kind == BORDER:
        moved = [(start - 1, end, label), (start + 1, end, label)]
        moved += [(start, end - 1, label), (start, end + 1, label)]
        rest = [other for other in others if other != span]
        possible = [
            new for new in moved
            if 0 <= new[0] < new[1] <= length and not _overlaps(new, rest)
        ]  # fmt: skip
        return rng.choice(possible) if possible else None
    return None


def _overlaps(span: TokenSpan, others: Sequence[TokenSpan]) -> bool:
    return any(span[0] < end and start < span[1] for start, end, _ in others)
