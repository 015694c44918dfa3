"""Texts packed into sequences of one length, and an endless stream of them with masks."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import IterableDataset

from spacy_bertcrf.pretraining.masking import IGNORED, Masking, Sequence

BUFFER = 4096
Pieces = Callable[[str], tuple[np.ndarray, np.ndarray]]


class Packer:
    """Packs texts one behind the other into sequences of `max_length` wordpieces, as RoBERTa's
    FULL-SENTENCES do (Liu et al. 2019, https://arxiv.org/abs/1907.11692).

    No word is parted by the end of a sequence, unless it is longer than a quarter of one.

    pieces: the ids of a text's wordpieces, and whether each begins a word.
    prefix, suffix: special tokens before and after a sequence; the suffix also between texts.
    max_length: of a sequence, special tokens counted.

    Raises ValueError if special tokens leave no room.
    """

    def __init__(self, pieces: Pieces, prefix: list[int], suffix: list[int], max_length: int):
        self.pieces = pieces
        self.prefix = prefix
        self.suffix = suffix
        self.capacity = max_length - len(prefix) - len(suffix)
        if self.capacity < 1:
            raise ValueError(f"max_length is {max_length}, too short for special tokens and text.")

    def __call__(self, texts: Iterable[str]) -> Iterator[Sequence]:
        """The sequences of some texts; the last may be shorter."""
        none = np.zeros(0, dtype=bool)
        rest = Sequence(np.zeros(0, dtype=np.int64), none, none)
        for text in texts:
            ids, begins = self.pieces(text)
            if not len(ids):
                continue
            if len(rest.ids):
                rest = _joined(rest, _special(self.suffix))
            rest = _joined(rest, Sequence(ids, begins, np.ones(len(ids), dtype=bool)))
            begin = 0
            while len(rest.ids) - begin > self.capacity:
                end = self._end(rest.begins, begin)
                if rest.is_text[begin:end].any():
                    yield self._framed(rest, begin, end)
                begin = end + int(np.argmax(rest.is_text[end:]))
            rest = Sequence(*(column[begin:] for column in rest))
        if rest.is_text.any():
            yield self._framed(rest, 0, len(rest.ids))

    def _end(self, begins: np.ndarray, begin: int) -> int:
        last = begin + self.capacity
        ends = np.flatnonzero(begins[last - self.capacity // 4 : last + 1])
        return int(last - self.capacity // 4 + ends[-1]) if len(ends) else last

    def _framed(self, rest: Sequence, begin: int, end: int) -> Sequence:
        text = Sequence(*(column[begin:end] for column in rest))
        text.begins[:1] = True
        return _joined(_joined(_special(self.prefix), text), _special(self.suffix))


class MaskedSequences(IterableDataset[dict[str, np.ndarray]]):
    """Sequences with masks, corpus after corpus without end.

    Each sequence gets other masks each time. The same seed gives the same stream, so that a
    training which is resumed goes on where it was.

    sequences: reads the corpus once.
    masking: draws the masks.
    seed: of masks and order.
    buffer: so many sequences are in memory, from which the next is drawn.

    Raises ValueError, when iterated over, if there is no sequence.
    """

    def __init__(
        self,
        sequences: Callable[[], Iterator[Sequence]],
        masking: Masking,
        seed: int,
        buffer: int = BUFFER,
    ):
        self.sequences = sequences
        self.masking = masking
        self.seed = seed
        self.buffer = buffer

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        order = np.random.default_rng((self.seed, 0))
        n_drawn = 0
        while True:
            n_before = n_drawn
            for sequence in _shuffled(self.sequences(), self.buffer, order):
                n_drawn += 1
                rng = np.random.default_rng((self.seed, n_drawn))
                yield masked(sequence, self.masking, rng)
            if n_drawn == n_before:
                raise ValueError("There is no text to train on.")


def masked(sequence: Sequence, masking: Masking, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A sequence as an example to learn from: "input_ids" and "labels", (n_pieces,) int64."""
    input_ids, labels = masking(sequence, rng)
    return {"input_ids": input_ids, "labels": labels}


class Padding:
    """Puts examples into one batch of tensors, (n_examples, most pieces) int64, with an
    "attention_mask".

    pad_id: of the wordpiece that fills short sequences.
    """

    def __init__(self, pad_id: int):
        self.pad_id = pad_id

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        lengths = [len(example["input_ids"]) for example in examples]
        shape = (len(examples), max(lengths))
        batch = {
            "input_ids": np.full(shape, self.pad_id),
            "labels": np.full(shape, IGNORED),
            "attention_mask": np.zeros(shape, dtype=np.int64),
        }
        for row, (example, length) in enumerate(zip(examples, lengths, strict=True)):
            batch["input_ids"][row, :length] = example["input_ids"]
            batch["labels"][row, :length] = example["labels"]
            batch["attention_mask"][row, :length] = 1
        return {name: torch.from_numpy(array) for name, array in batch.items()}


def _special(ids: list[int]) -> Sequence:
    return Sequence(
        np.asarray(ids, dtype=np.int64),
        np.ones(len(ids), dtype=bool),
        np.zeros(len(ids), dtype=bool),
    )


def _joined(first: Sequence, second: Sequence) -> Sequence:
    return Sequence(*(np.concatenate(pair) for pair in zip(first, second, strict=True)))


def _shuffled(
    sequences: Iterator[Sequence], size: int, rng: np.random.Generator
) -> Iterator[Sequence]:
    buffer: list[Sequence] = []
    for sequence in sequences:
        if len(buffer) < size:
            buffer.append(sequence)
            continue
        i = int(rng.integers(size))
        yield buffer[i]
        buffer[i] = sequence
    for i in rng.permutation(len(buffer)):
        yield buffer[i]
