"""Parts of a corpus, each in the next."""

import random
import re
from collections.abc import Sequence

from spacy.tokens import Doc


def subset_sizes(texts: Sequence[str], n: int) -> list[int]:
    """Numbers of documents, rising.

    texts: each a share such as "25%", or a number.
    n: documents of the whole corpus.

    Raises ValueError for what is neither, and for a size that is nothing or more than there is.
    """
    sizes = []
    for text in texts:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)", text.strip())
        if found is None:
            raise ValueError(
                f"{text!r} is no size: give a share such as 25% or a number such as 500."
            )
        number, percent = found.groups()
        size = round(float(number) * n / 100) if percent else round(float(number))
        if not 1 <= size <= n:
            raise ValueError(f"{text} are {size:,} documents, and the corpus has {n:,}.")
        sizes.append(size)
    return sorted(set(sizes))


def shuffled(docs: Sequence[Doc], seed: int) -> list[Doc]:
    """The documents in a random order, of which the first n are a subset of any more."""
    order = list(docs)
    random.Random(seed).shuffle(order)
    return order
