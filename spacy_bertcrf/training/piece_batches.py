"""`spacy-bertcrf.batch_by_pieces.v1`: training batches measured in wordpieces."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from typing import TypeVar

import numpy as np
from spacy.tokens import Doc
from spacy.training import Example

from spacy_bertcrf.models.bert.length_groups import length_groups
from spacy_bertcrf.models.bert.pretrained import load_tokenizer
from spacy_bertcrf.models.bert.wordpieces import WordpieceTokenizer

Item = TypeVar("Item", Doc, Example)


def batch_by_pieces(
    size: int, tokenizer: str, alignment: str = "token", buffer: int = 1024
) -> Callable[[Iterable[Item]], Iterator[list[Item]]]:
    """Batches of Docs that have about the same number of wordpieces.

    size: the most wordpieces with padding in a batch, special tokens counted. A longer Doc has
        a batch to itself.
    tokenizer: a Hugging Face tokenizer's name on the hub, or its folder; the encoder's.
    alignment: as the encoder has it.
    buffer: how many Docs are sorted by length at a time. Their batches are shuffled.

    Raises ValueError for a size or a buffer of nothing.
    """
    if size < 1 or buffer < 1:
        raise ValueError(f"size is {size} and buffer {buffer}; they must be at least 1.")

    @cache
    def load() -> WordpieceTokenizer:
        return WordpieceTokenizer(load_tokenizer(tokenizer, {}), alignment)

    def batches(items: Iterable[Item]) -> Iterator[list[Item]]:
        stream = iter(items)
        while buffered := list(islice(stream, buffer)):
            lengths = _lengths(buffered, load())
            # At such a cost, no batch is made but where the size asks for it.
            groups = length_groups(lengths, size, batch_cost=size * len(buffered))
            random.shuffle(groups)
            for group in groups:
                yield [buffered[i] for i in group]

    return batches


def _lengths(items: Sequence[Doc | Example], tokenizer: WordpieceTokenizer) -> np.ndarray:
    docs = [item.predicted if isinstance(item, Example) else item for item in items]
    return tokenizer(docs).doc_lengths + len(tokenizer.prefix) + len(tokenizer.suffix)
