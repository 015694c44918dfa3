"""Which learning rate and weight decay each parameter has."""

import numpy as np
import pytest
import torch
from thinc.api import constant

from spacy_bertcrf.training.optimizer.learn_rates import Rate
from spacy_bertcrf.training.optimizer.parameter_groups import (
    best_match,
    is_bias_or_norm,
    read_groups,
)

BLOCKS = {
    "bert": {"pattern": "bert_encoder.*", "learn_rate_scale": 0.1},
    "top": {"pattern": "bert_encoder.*.layer.1.*", "learn_rate": 0.5},
    "crf": {"pattern": "crf.*", "weight_decay": 0.0},
}


@pytest.mark.parametrize("order", [1, -1])
def test_the_longest_pattern_counts_whatever_the_order(order):
    """thinc keeps no order of blocks in all its versions."""
    groups = read_groups(dict(list(BLOCKS.items())[::order]), 0.01)
    names = {
        "bert_encoder.bert.encoder.layer.0.output.dense.weight": "bert",
        "bert_encoder.bert.encoder.layer.1.output.dense.weight": "top",
        "crf.transitions": "crf",
    }
    for name, group in names.items():
        found = best_match(groups, name)
        assert found is not None
        assert found.name == group
    assert best_match(groups, "sequence_tagger.projection.weight") is None
    assert {group.name: group.weight_decay for group in groups} == {
        "bert": 0.01,
        "top": 0.01,
        "crf": 0.0,
    }


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("crf.transitions", (5, 5), False),
        ("crf.start_transitions", (5,), True),
        ("sequence_tagger.encoder.lstm.weight_ih_l0", (8, 4), False),
        ("sequence_tagger.encoder.lstm.bias_ih_l0", (8,), True),
        ("transformer.embeddings.LayerNorm.weight", (8,), True),
        ("sequence_tagger.encoder.forward_half.0.first.weight.original0", (8, 1, 1), True),
        ("tok2vec.maxout.b", (4, 3), True),
        ("tok2vec.maxout.W", (4, 3, 2), False),
        ("tok2vec.hashembed.E", (50, 4), False),
        ("bert_encoder.bert.encoder.layer.0.attention.self.query.weight", (8, 8), False),
    ],
)
def test_biases_and_norms_are_told_by_name_and_shape(name, shape, expected):
    """Else decay would pull to 0 what should stay near 1, or leave out what it is for."""
    assert is_bias_or_norm(name, torch.zeros(shape)) == expected
    assert is_bias_or_norm(name, np.zeros(shape)) == expected


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"learn_rate": 0.1}, "needs a pattern"),
        ({"pattern": "crf.*", "rate": 0.1}, "pattern, rate"),
        ({"pattern": "crf.*", "learn_rate": 0.1, "learn_rate_scale": 2}, "Keep one of them"),
        ({"pattern": "crf.*", "weight_decay": -1}, "is negative"),
    ],
)
def test_wrong_blocks_are_refused(block, message):
    with pytest.raises(ValueError, match=message):
        read_groups({"crf": block}, 0.01)


def test_no_group_takes_the_name_of_the_rest():
    with pytest.raises(ValueError, match="can be called 'default'"):
        read_groups({"default": {"pattern": "*"}}, 0.01)


def test_a_rate_is_that_of_its_step_and_stays_behind_the_end():
    rate = Rate(iter([0.1, 0.2]))
    assert rate.value == 0.1
    rate.advance()
    assert rate.value == 0.2
    rate.advance()
    assert rate.value == 0.2
    untouched = Rate(iter([0.1, 0.2]))
    untouched.advance()
    assert untouched.value == 0.2
    assert Rate(3).value == 3.0
    assert Rate(constant(0.5)).value == 0.5
