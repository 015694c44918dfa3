"""Batches of similar length: none lost, none too big, and none cheaper."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_bertcrf.models.bert.length_groups import length_groups

lengths_lists = st.lists(st.integers(1, 60), max_size=40)
few_lengths = st.lists(st.integers(1, 60), min_size=1, max_size=9)
sizes, costs = st.integers(1, 200), st.integers(0, 100)


@given(lengths_lists, sizes, costs)
def test_every_sequence_is_in_one_batch(lengths, max_padded, batch_cost):
    """Else a text would have no vectors, or be computed twice."""
    groups = length_groups(lengths, max_padded, batch_cost)
    assert sorted(np.concatenate([[], *groups]).tolist()) == list(range(len(lengths)))
    assert all(len(group) for group in groups)


@given(lengths_lists, sizes, costs)
def test_batches_are_sorted_and_keep_to_their_size(lengths, max_padded, batch_cost):
    """Else memory would not be bounded; and the widest row is taken to be the last."""
    groups = length_groups(lengths, max_padded, batch_cost)
    in_order = [lengths[i] for group in groups for i in group]
    assert in_order == sorted(lengths)
    for group in groups:
        assert len(group) == 1 or len(group) * lengths[group[-1]] <= max_padded


@given(few_lengths, sizes, costs)
def test_no_other_cuts_are_cheaper(lengths, max_padded, batch_cost):
    """Else the encoder would compute padding that it need not."""
    ascending = sorted(lengths)
    n = len(ascending)
    prices = []
    for n_cuts in range(n):
        for cuts in combinations(range(1, n), n_cuts):
            groups = [ascending[begin:end] for begin, end in pairwise([0, *cuts, n])]
            if all(len(group) == 1 or len(group) * group[-1] <= max_padded for group in groups):
                prices.append(_price(groups, batch_cost))
    found = [
        [lengths[i] for i in group] for group in length_groups(lengths, max_padded, batch_cost)
    ]
    assert _price(found, batch_cost) == min(prices)


@pytest.mark.parametrize(
    ("batch_cost", "expected"),
    [(0, [[1], [0, 3], [2]]), (7, [[1, 0, 3], [2]]), (100, [[1, 0, 3, 2]])],
)
def test_a_dear_batch_is_filled_up(batch_cost, expected):
    """A GPU is quicker with padding than with many small batches, a CPU is not."""
    groups = length_groups([4, 2, 9, 4], 1000, batch_cost)
    assert [group.tolist() for group in groups] == expected


def test_no_sequences_no_batches():
    """Texts without wordpieces alone."""
    assert length_groups([], 100, 16) == []
    assert length_groups(np.zeros(0, dtype=np.int64), 100, 16) == []


def _price(groups: list[list[int]], batch_cost: int) -> int:
    return sum(len(group) * max(group) + batch_cost for group in groups)
