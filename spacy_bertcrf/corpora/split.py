"""Splits a corpus into train, dev and test parts."""

from __future__ import annotations

import random
from collections.abc import Sequence

from spacy.tokens import Doc

PARTS = ("train", "dev", "test")


def parse_split(text: str) -> dict[str, float]:
    """Read percentages such as "64/16/20" (train, dev, test) or "80/20" (train, dev).

    RETURNS: the percentage of each part.
    RAISES: ValueError, if they are not two or three positive numbers that sum to 100.
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


def split_docs(docs: Sequence[Doc], shares: dict[str, float], seed: int) -> dict[str, list[Doc]]:
    """Deal documents out to the parts at random, the same way for the same seed.

    docs: the documents.
    shares: the percentage of each part.
    seed: seed of the shuffle.

    RETURNS: the documents of each part, in their old order.
    RAISES: ValueError, if a part would be empty.
    """
    order = list(range(len(docs)))
    random.Random(seed).shuffle(order)
    parts: dict[str, list[Doc]] = {}
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
