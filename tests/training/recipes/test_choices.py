"""The rules that settings follow from."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_bertcrf.training.recipes.choices import (
    EPOCHS,
    LEAST_PIECES,
    LEAST_STEPS,
    MOST_PIECES,
    Machine,
    choose,
)
from spacy_bertcrf.training.recipes.corpus_survey import CorpusSurvey
from spacy_bertcrf.training.recipes.machine import BertSize

BASE = BertSize(12, 768)
CPU = Machine(gpu=False, bfloat16=False)


def corpus(pieces, n_entities=10):
    return CorpusSurvey(
        pieces=np.asarray(pieces, dtype=np.int64),
        n_tokens=sum(pieces),
        n_missing=0,
        labels=Counter({"PER": n_entities}),
        mentions=Counter({"ann": n_entities}),
        n_misaligned=0,
        n_overlapping=0,
        n_without_entities=0,
        n_of_one_character=0,
    )


def chosen(train, bert=BASE, machine=CPU):
    return {choice.key: choice.value for choice in choose(train, bert, machine)}


@given(st.lists(st.integers(3, 3000), min_size=1, max_size=300))
def test_however_small_a_corpus_is_it_gets_its_steps(pieces):
    """300 sentences in four epochs make 40 steps, after which BERT has hardly begun to learn."""
    settings = chosen(corpus(pieces))
    size = settings["training.batcher.size"]
    assert LEAST_PIECES <= size <= MOST_PIECES
    # Batches are not full, so that there are more steps than these.
    least = settings["training.max_epochs"] * sum(pieces) / size
    assert least >= 0.5 * LEAST_STEPS or settings["training.max_epochs"] >= LEAST_STEPS
    assert settings["training.eval_frequency"] >= 1


def test_a_large_corpus_is_seen_a_few_times():
    """Who has 50,000 sentences would wait for days."""
    settings = chosen(corpus([40] * 50_000))
    assert settings["training.max_epochs"] == EPOCHS


@pytest.mark.parametrize("bert", [BertSize(4, 312), BASE, BertSize(1, 32)])
def test_all_of_bert_learns_soon_from_a_small_corpus(bert):
    """Frozen for long it would learn nothing; and a large corpus needs no such care."""
    settings = chosen(corpus([20] * 300), bert=bert)
    steps = settings["training.max_epochs"] * 300 * 20 / settings["training.batcher.size"]
    unfreezing = settings["training.before_update"]
    assert unfreezing["unit"] == "steps"
    assert 0 < unfreezing["every"] * (bert.n_layers + 1) < steps / 4
    assert "training.before_update" not in chosen(corpus([20] * 50_000), bert=bert)


@pytest.mark.parametrize(
    ("small", "large"),
    [
        (BertSize(4, 312), BertSize(12, 768)),
        (BertSize(4, 384), BertSize(6, 384)),
        (BertSize(12, 768), BertSize(24, 1024)),
    ],
)
def test_a_larger_bert_learns_more_slowly(small, large):
    """A large one is ruined at a small one's rate."""
    key = "training.optimizer.learn_rate.initial_rate"
    train = corpus([20] * 100)
    assert chosen(train, bert=small)[key] > chosen(train, bert=large)[key]


@pytest.mark.parametrize(
    ("machine", "precision"),
    [(Machine(True, False), True), (Machine(False, True), True), (Machine(False, False), False)],
)
def test_half_precision_where_it_is_fast(machine, precision):
    """A CPU that does not compute in bfloat16 is slower with it."""
    key = "components.bertcrf.model.tok2vec.mixed_precision"
    assert chosen(corpus([20] * 100), machine=machine)[key] is precision
