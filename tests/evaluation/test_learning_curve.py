"""What a larger corpus may give."""

import numpy as np
import pytest

from spacy_bertcrf.evaluation.learning_curve import PowerLaw, fit_power_law, plot_learning_curve


@pytest.mark.parametrize("law", [PowerLaw(0.1, 2.0, 0.5), PowerLaw(0.0, 1.5, 0.3)])
def test_a_power_law_is_found_again(law):
    """From its own scores, as far as twice the corpus."""
    scores = {n: [float(law.score(n))] for n in (100, 200, 400, 800)}
    found = fit_power_law(scores)
    assert float(found.score(1600)) == pytest.approx(float(law.score(1600)), abs=0.002)
    assert found.rest == pytest.approx(law.rest, abs=0.01)


def test_seeds_are_averaged():
    law = PowerLaw(0.1, 2.0, 0.5)
    noisy = {n: [float(law.score(n)) + d for d in (-0.01, 0.01)] for n in (100, 200, 400, 800)}
    assert float(fit_power_law(noisy).score(1600)) == pytest.approx(
        float(law.score(1600)), abs=0.002
    )


@pytest.mark.parametrize(
    "scores",
    [{10: [0.5], 20: [0.6]}, {10: [0.6], 20: [0.6], 40: [0.6]}, {1: [0.9], 2: [0.7], 3: [0.5]}],
)
def test_nothing_is_said_where_nothing_is_known(scores):
    assert fit_power_law(scores) is None


def test_it_is_drawn():
    pytest.importorskip("matplotlib")
    scores = {n: [0.9 - 1 / np.sqrt(n)] for n in (100, 200, 400)}
    svg = plot_learning_curve(scores, "ents_f").decode("utf8")
    assert "ents_f" in svg
    assert "power law" in svg
