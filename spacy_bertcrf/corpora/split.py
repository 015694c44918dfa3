"""Splits a corpus into train, dev and test parts."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeVar

from spacy.tokens import Doc

T = TypeVar("T")

PARTS = ("train", "dev", "test")


def parse_split(text: str) -> dict[str, float]:
    """Read percentages such as "64/16/20" (train, dev, test) or "80/20" (train, dev).

    Returns the percentage of each part. Raises ValueError if they are not two or three positive
    numbers that sum to 100.
    """
    try:
        shares = [float(share) for share in text.split("/")]
    except ValueError:
        shares = []
    if not 2 <= len(shares) <= 3 or min(shares) <= 0 or not abs(sum(shares) - 100) < 1e-6:
        raise ValueError(
            f"--split {text!r} is not two or three positive percentages that sum to 100. Write "
            f"e.g. 64/16/20 for train, dev and test, or 80/20 for train and dev."
        )
    return dict(zip(PARTS, shares, strict=False))


def split_docs(docs: Sequence[T], shares: dict[str, float], seed: int) -> dict[str, list[T]]:
    """Deal documents out to the parts at random, the same way for the same seed.

    docs: the documents, or their numbers.
    shares: the percentage of each part.
    seed: seed of the shuffle.

    Returns the documents of each part, in their old order. Raises ValueError if a part would be
    empty.
    """
    order = list(range(len(docs)))
    random.Random(seed).shuffle(order)
    parts: dict[str, list[T]] = {}
    start = 0
    reached = 0.0
    for name, share in shares.items():
        reached += share
        end = round(len(docs) * reached / 100)
        if end == start:
            raise ValueError(
                f"{len(docs)} document(s) are too few: {share:g} % of them leave none for "
                f"{name}. Convert without --split, or change the percentages."
            )
        parts[name] = [docs[i] for i in sorted(order[start:end])]
        start = end
    return parts


def deal_folds(documents: Sequence[Iterable[str]], n_folds: int, seed: int) -> list[list[int]]:
    """Deal documents out to folds for cross-validation so that each has its share of every label,
    the rarest first (Sechidis et al., 2011, "On the Stratification of Multi-label Data").

    documents: the labels of each document's entities and its categories, as often as they occur.
    n_folds: number of folds.
    seed: seed of the shuffle.

    Returns the numbers of the documents of each fold, in order. Raises ValueError if there are
    fewer documents than folds, or fewer than two folds.
    """
    if not 2 <= n_folds <= len(documents):
        raise ValueError(
            f"{len(documents)} document(s) cannot be dealt out to {n_folds} folds. Use --folds 2 "
            f"or more, and no more than there are documents."
        )
    held = [Counter(labels) for labels in documents]
    totals: Counter[str] = Counter()
    for counts in held:
        totals.update(counts)
    order = list(range(len(documents)))
    random.Random(seed).shuffle(order)
    # A document is dealt by its rarest label, and the one with most of it goes first.
    rarest = {
        i: min(held[i], key=lambda label: (totals[label], label), default=None) for i in order
    }
    order.sort(key=lambda i: _turn(rarest[i], totals, held[i]))
    folds: list[list[int]] = [[] for _ in range(n_folds)]
    dealt: list[Counter[str]] = [Counter() for _ in range(n_folds)]
    for i in order:
        label = rarest[i]
        fold = min(
            range(n_folds),
            key=lambda f: (dealt[f][label] if label is not None else 0, len(folds[f]), f),
        )
        folds[fold].append(i)
        dealt[fold].update(held[i])
    return [sorted(fold) for fold in folds]


def deal_texts(docs: Sequence[Doc], n_folds: int, seed: int) -> list[list[int]]:
    """Deal documents out to folds as `deal_folds` does, by the labels of their entities; those with
    the same text come to the same fold, so that none is learned from where another is left out.

    Returns and raises as `deal_folds`.
    """
    same: dict[str, list[int]] = {}
    for index, doc in enumerate(docs):
        same.setdefault(doc.text, []).append(index)
    groups = list(same.values())
    labels = [[ent.label_ for index in group for ent in docs[index].ents] for group in groups]
    dealt = deal_folds(labels, n_folds, seed)
    return [sorted(index for group in fold for index in groups[group]) for fold in dealt]


def _turn(label: str | None, totals: Counter[str], held: Counter[str]) -> tuple[float, str, int]:
    if label is None:
        return (float("inf"), "", 0)
    return (totals[label], label, -held[label])
