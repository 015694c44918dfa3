"""A rate that rises, and then falls until the last step."""

import math
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_bertcrf.training.optimizer.schedules import WarmupDecay


def rates(n_steps, *args, **kwargs):
    return list(islice(WarmupDecay(*args, **kwargs), n_steps))


@pytest.mark.parametrize(
    ("decay", "last"),
    [
        ("linear", [1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6, 0, 0]),
        ("cosine", [(1 + math.cos(math.pi * n / 6)) / 2 for n in range(6)] + [0, 0]),
        ("constant", [1] * 8),
    ],
)
@pytest.mark.parametrize("warmup", [2, 0.25])
def test_the_rates_are_those_of_the_formula(decay, last, warmup):
    found = rates(10, 0.5, warmup, decay, 8)
    assert found == pytest.approx([0.5 * rate for rate in [1 / 3, 2 / 3, *last]])


@given(
    total=st.integers(1, 200),
    warmup=st.floats(0, 0.99),
    decay=st.sampled_from(["linear", "cosine", "constant"]),
)
def test_it_rises_and_then_falls_and_every_step_counts(total, warmup, decay):
    """Else a step would be lost, or the training end at a rate that it should not have."""
    if round(warmup * total) == total:
        return
    found = rates(total, 3.0, warmup, decay, total)
    peak = round(warmup * total)
    assert found[peak] == max(found) == 3.0
    assert all(rate > 0 for rate in found)
    assert found[: peak + 1] == sorted(found[: peak + 1])
    assert found[peak:] == sorted(found[peak:], reverse=True)


def test_the_number_of_steps_can_be_told_later():
    """Else it would have to be counted when the config is read."""
    schedule = WarmupDecay(1.0, 0.5, "linear")
    assert schedule.needs_total_steps
    schedule.total_steps = 4
    assert not schedule.needs_total_steps
    assert next(schedule) == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="Of 0 steps"):
        WarmupDecay(1.0).total_steps = 0


def test_without_a_number_of_steps_the_rate_stays():
    """Else a pipeline could not be trained on from Python, where nobody knows it."""
    with pytest.warns(UserWarning, match="not known how many"):
        assert rates(3, 0.5, 0.1, "linear") == [0.5, 0.5, 0.5]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((1.0, 0.1, "square", 10), "decay is 'square'"),
        ((-1.0, 0.1, "linear", 10), "initial_rate is -1"),
        ((1.0, -1, "linear", 10), "warmup is -1"),
        ((1.0, 1.5, "linear", 10), "warmup is 1.5"),
        ((1.0, 10, "linear", 10), "Of 10 steps, 10 are to warm up"),
    ],
)
def test_wrong_settings_are_refused_at_once(settings, message):
    with pytest.raises(ValueError, match=message):
        WarmupDecay(*settings)


def test_a_constant_rate_needs_no_number_of_steps():
    assert rates(4, 1.0, 1, "constant") == [0.5, 1, 1, 1]
