"""Masks: how many, which together, and what stands in their place."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_bertcrf.pretraining.masking import IGNORED, MASKINGS, Masking, Sequence

MASK = 1
RANDOM = np.arange(100, 200)


def sequence_of(lengths):
    """[CLS], words of so many pieces, [SEP]."""
    n = sum(lengths)
    ids = np.concatenate([[2], np.arange(1000, 1000 + n), [3]])
    begins = np.concatenate([[True], *([True] + [False] * (k - 1) for k in lengths), [True]])
    is_text = np.concatenate([[False], np.ones(n, bool), [False]])
    return Sequence(ids.astype(np.int64), begins.astype(bool), is_text)


def masking(kind, share=0.15):
    return Masking(kind, share, MASK, RANDOM)


LENGTHS = st.lists(st.integers(1, 6), min_size=1, max_size=60)


@pytest.mark.slow
@given(LENGTHS, st.sampled_from(MASKINGS), st.floats(0.05, 0.9), st.integers(0, 1000))
def test_the_share_is_kept_and_special_tokens_stay(lengths, kind, share, seed):
    """[SEP] would be predicted from nothing; more masks would leave too little text."""
    sequence = sequence_of(lengths)
    chosen = masking(kind, share).choose(sequence, np.random.default_rng(seed))
    assert not chosen[~sequence.is_text].any()
    assert 1 <= chosen.sum() <= max(1, round(share * sum(lengths)))
    if kind == "pieces":
        assert chosen.sum() == max(1, round(share * sum(lengths)))


@given(LENGTHS, st.sampled_from(["words", "ngrams"]), st.integers(0, 1000))
def test_words_are_masked_whole(lengths, kind, seed):
    """The rest of a word gives a masked piece away."""
    sequence = sequence_of(lengths)
    chosen = masking(kind).choose(sequence, np.random.default_rng(seed))
    word = np.cumsum(sequence.begins) - 1
    whole = {number: chosen[word == number].all() for number in set(word[chosen].tolist())}
    # A sequence whose words are all longer than the share has one piece masked.
    assert all(whole.values()) or chosen.sum() == 1
    budget = max(1, round(0.15 * sum(lengths)))
    if min(lengths) <= budget:
        assert all(whole.values())


def test_ngrams_are_as_long_as_macberts():
    """One to four words in a row, with 40, 30, 20 and 10 %."""
    sequence = sequence_of([1] * 5000)
    lengths = []
    for seed in range(20):
        # So few that hardly two lie side by side.
        chosen = masking("ngrams", 0.01).choose(sequence, np.random.default_rng(seed))
        runs = np.diff(np.flatnonzero(np.diff(np.concatenate([[0], chosen, [0]])))).tolist()[::2]
        lengths += runs
    shares = np.bincount(lengths, minlength=5)[1:5] / len(lengths)
    assert np.abs(shares - [0.4, 0.3, 0.2, 0.1]).max() < 0.07


def test_ngrams_do_not_reach_over_special_tokens():
    """The next text is another one."""
    sequence = sequence_of([1] * 40)
    sequence.is_text[::2] = False
    for seed in range(20):
        chosen = masking("ngrams", 0.5).choose(sequence, np.random.default_rng(seed))
        assert not (chosen & ~sequence.is_text).any()


def test_of_the_masked_80_become_mask_10_random_and_10_stay():
    """Fine-tuning sees no [MASK]: without the rest BERT would learn to read it alone."""
    sequence = sequence_of([1] * 20_000)
    ids, labels = masking("words", 0.5)(sequence, np.random.default_rng(0))
    chosen = labels != IGNORED
    assert (labels[chosen] == sequence.ids[chosen]).all()
    assert (ids[~chosen] == sequence.ids[~chosen]).all()
    assert abs((ids[chosen] == MASK).mean() - 0.8) < 0.02
    assert abs((ids[chosen] == labels[chosen]).mean() - 0.1) < 0.02
    assert set(ids[chosen]) - set(sequence.ids) - {MASK} <= set(RANDOM)


def test_settings_that_cannot_be_are_refused():
    """A share of 15 (per cent) would mask everything."""
    with pytest.raises(ValueError, match="words, ngrams, pieces"):
        masking("spans")
    with pytest.raises(ValueError, match="between 0 and 1"):
        masking("words", 15)
