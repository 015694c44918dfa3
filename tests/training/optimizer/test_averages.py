"""Averages of the weights."""

import numpy as np
import pytest
import spacy

from spacy_bertcrf.models.current_training import training_of
from spacy_bertcrf.training.optimizer.adamw import AdamW
from spacy_bertcrf.training.optimizer.averages import EMA, SWA


def trajectory(averages, n_steps=12):
    """The weights after each step, and the optimizer's average after it or None."""
    optimizer = AdamW(0.1, averages=averages)
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(3, 2)).astype("float32")
    seen = []
    for _ in range(n_steps):
        gradient = rng.normal(size=(3, 2)).astype("float32")
        weights, _ = optimizer((1, "W"), weights, gradient)
        average = optimizer.averages.get((1, "W"))
        seen.append((weights.copy(), None if average is None else average.copy()))
        optimizer.step_schedules()
    return seen


@pytest.mark.parametrize("warm_up", [True, False])
def test_ema_is_its_closed_form(warm_up):
    """The sum of all weights, each times its own share and what later decays leave of it."""
    seen = trajectory(EMA(0.5, warm_up=warm_up))
    weights = np.stack([w for w, _ in seen])
    decays = [min(0.5, (1 + n) / (10 + n)) if warm_up else 0.5 for n in range(1, len(seen))]
    for n, (_, average) in enumerate(seen):
        shares = np.array([1.0, *[1 - d for d in decays[:n]]])
        left = np.array([np.prod(decays[i:n]) for i in range(n + 1)])
        assert (shares * left).sum() == pytest.approx(1)
        expected = np.tensordot(shares * left, weights[: n + 1], axes=1)
        np.testing.assert_allclose(average, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("start", [4, 0.25])
def test_swa_is_the_mean_of_the_weights_it_takes(start):
    seen = trajectory(SWA(start, every=3, total_steps=12))
    for n, (_, average) in enumerate(seen, 1):
        taken = [w for step, (w, _) in enumerate(seen[:n], 1) if step in (4, 7, 10)]
        if not taken:
            assert average is None
        else:
            np.testing.assert_allclose(average, np.mean(taken, axis=0), rtol=1e-5, atol=1e-6)


def test_a_share_of_unknown_steps_is_an_error():
    """Else nobody would know which weights are in the average."""
    endless = spacy.blank("en")
    endless.config["training"]["max_steps"] = 0
    with training_of(endless), pytest.raises(ValueError, match="Give the start"):
        trajectory(SWA(0.5))


def test_outside_a_training_a_share_of_its_steps_is_no_error():
    """A pipeline that was trained with SWA could not be updated from Python."""
    with pytest.warns(UserWarning, match="no averages are kept"):
        seen = trajectory(SWA(0.5))
    assert all(average is None for _, average in seen)


def test_before_swa_begins_the_weights_themselves_are_evaluated():
    """spaCy takes the averages where there are any."""
    optimizer = AdamW(0.1, averages=SWA(2))
    optimizer((1, "W"), np.ones((2, 2), "float32"), np.ones((2, 2), "float32"))
    assert not optimizer.averages


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EMA(1.0), "decay of EMA is 1.0"),
        (lambda: SWA(-1), "start of SWA is -1"),
        (lambda: SWA(1.5), "start of SWA is 1.5"),
        (lambda: SWA(3, every=0), "every 0 steps"),
    ],
)
def test_wrong_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
