"""Packing and the endless stream: what the model gets to read."""

from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spacy_bertcrf.pretraining.masking import IGNORED, Masking
from spacy_bertcrf.pretraining.sequences import MaskedSequences, Packer, Padding

CLS, SEP, MASK, PAD = 1, 2, 3, 0


def pieces(text):
    """A piece for each character; words are parted by upper case."""
    ids = np.asarray([ord(char) for char in text], dtype=np.int64)
    return ids, np.asarray([char.isupper() or i == 0 for i, char in enumerate(text)], dtype=bool)


def packer(max_length):
    return Packer(pieces, [CLS], [SEP], max_length)


@pytest.mark.slow
@given(st.lists(st.text("Aab", max_size=40), max_size=8), st.integers(3, 30))
def test_no_text_is_lost_and_no_sequence_too_long(texts, max_length):
    """What packing drops is never learned; what is too long stops the model."""
    sequences = list(packer(max_length)(texts))
    assert all(len(sequence.ids) <= max_length for sequence in sequences)
    assert all(sequence.ids[0] == CLS and sequence.ids[-1] == SEP for sequence in sequences)
    kept = "".join(chr(i) for sequence in sequences for i in sequence.ids[sequence.is_text])
    assert kept == "".join(texts)
    for sequence in sequences:
        assert (sequence.is_text == (sequence.ids > MASK)).all()
        assert sequence.begins[1]


def test_texts_share_a_sequence_with_a_border_between():
    """Short texts would leave most of a sequence to padding."""
    (sequence,) = packer(16)(["Ab", "Cd", ""])
    assert sequence.ids.tolist() == [CLS, ord("A"), ord("b"), SEP, ord("C"), ord("d"), SEP]


def test_a_sequence_ends_between_words():
    """Half a word cannot be guessed, nor masked as a whole."""
    first, second = packer(12)(["AbcdefghIjk"])
    assert "".join(map(chr, first.ids[1:-1])) == "Abcdefgh"
    assert "".join(map(chr, second.ids[1:-1])) == "Ijk"
    longest, rest = packer(12)(["Abcdefghijkl"])
    assert len(longest.ids) == 12
    assert len(rest.ids) == 4


def stream(texts, seed=0, buffer=4):
    masking = Masking("words", 0.3, MASK, np.arange(200, 300))
    return MaskedSequences(lambda: packer(8)(texts), masking, seed, buffer)


def test_masks_are_drawn_anew_each_time():
    """With the same masks in each epoch, most words of a small corpus are never predicted."""
    texts = ["ABCDEF", "GHIJKL", "MNOPQR"]
    drawn = list(islice(stream(texts), 300))
    for i in range(0, 300, 3):  # each epoch has each sequence once
        assert {example["labels"].max() > 0 for example in drawn[i : i + 3]} == {True}
    labels = {tuple(example["labels"]) for example in drawn}
    assert len(labels) > 15
    predicted = {int(label) for example in drawn for label in example["labels"]} - {IGNORED}
    assert predicted == {ord(char) for char in "".join(texts)}


def test_the_order_is_another_each_epoch_and_the_stream_repeatable():
    """A resumed training would go on with what it has seen."""
    texts = [char * 5 for char in "ABCDEFGHIJKL"]

    def drawn(seed):
        return [
            (tuple(e["input_ids"]), tuple(e["labels"])) for e in islice(stream(texts, seed), 60)
        ]

    assert drawn(0) == drawn(0) != drawn(1)
    starts = [labels for _, labels in drawn(0)]
    order = [max(labels) for labels in starts]
    assert sorted(order[:12]) == sorted(order[12:24])
    assert order[:12] != order[12:24]


def test_an_empty_corpus_is_an_error_and_not_an_endless_loop():
    """The training would hang."""
    with pytest.raises(ValueError, match="no text"):
        next(iter(stream(["", ""])))


def test_padding_is_not_read_and_not_predicted():
    """Padding would be the most frequent word."""
    short, long = (
        {"input_ids": np.arange(4, 4 + n), "labels": np.arange(4, 4 + n)} for n in (3, 8)
    )
    batch = Padding(PAD)([short, long])
    n = len(short["input_ids"])
    assert batch["input_ids"].shape == (2, len(long["input_ids"]))
    assert batch["input_ids"].dtype == torch.int64
    assert batch["attention_mask"].sum(1).tolist() == [n, len(long["input_ids"])]
    assert (batch["labels"][0, n:] == IGNORED).all()
    assert (batch["input_ids"][0, n:] == PAD).all()


def test_special_tokens_must_leave_room():
    """Sequences would hold no text at all."""
    with pytest.raises(ValueError, match="max_length is 2"):
        packer(2)
