"""A rate that rises, and then falls until the last step."""

import math
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_bertcrf.training.schedules import warmup_decay


def rates(n_steps, *args, **kwargs):
    return list(islice(warmup_decay(*args, **kwargs), n_steps))


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


def test_the_number_of_steps_is_asked_for_at_the_first_step():
    """Else `spacy debug config` would read the whole corpus."""
    asked = []

    def count():
        asked.append(True)
        return 4

    schedule = warmup_decay(1.0, 0.5, "linear", count)
    assert not asked
    assert next(schedule) == pytest.approx(1 / 3)
    assert asked == [True]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((1.0, 0.1, "square", 10), "decay is 'square'"),
        ((-1.0, 0.1, "linear", 10), "initial_rate is -1"),
        ((1.0, -1, "linear", 10), "warmup is -1"),
        ((1.0, 1.5, "linear", 10), "warmup is 1.5"),
        ((1.0, 10, "linear", 10), "Of 10 steps, 10 are to warm up"),
        ((1.0, 0.0, "linear", None), "give total_steps"),
        ((1.0, 0.1, "constant", None), "give total_steps"),
    ],
)
def test_wrong_settings_are_refused_at_once(settings, message):
    with pytest.raises(ValueError, match=message):
        warmup_decay(*settings)


def test_a_constant_rate_needs_no_number_of_steps():
    assert rates(4, 1.0, 1, "constant") == [0.5, 1, 1, 1]
