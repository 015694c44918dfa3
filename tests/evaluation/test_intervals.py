"""Scores with their intervals."""

import numpy as np
import pytest

from spacy_bertcrf.evaluation.intervals import score, score_difference
from spacy_bertcrf.evaluation.judged import CharSpan, JudgedText


def judged(n_right, n_wrong, label="PER"):
    """Texts with one gold entity each, which is predicted or not."""
    span = CharSpan(0, 1, label)
    right, wrong = JudgedText("ab", (span,), (span,)), JudgedText("ab", (span,), ())
    return [right] * n_right + [wrong] * n_wrong


def test_the_interval_is_that_of_the_binomial():
    """With one entity a document, the recall of a sample is a share of independent draws."""
    total = score(judged(80, 20))[0]
    assert (total.n_gold, total.n_predicted, total.n_right) == (100, 80, 80)
    recall = total.measures.recall
    assert recall.value == pytest.approx(0.8)
    half = 1.96 * np.sqrt(0.8 * 0.2 / 100)
    assert recall.low == pytest.approx(0.8 - half, abs=0.02)
    assert recall.high == pytest.approx(0.8 + half, abs=0.02)
    assert total.measures.precision[:] == (1, 1, 1)


def test_labels_are_scored_for_themselves():
    both = score([*judged(3, 0), *judged(0, 2, "LOC")])
    assert [(s.label, s.n_gold, s.n_right) for s in both] == [
        (None, 5, 3), ("LOC", 2, 0), ("PER", 3, 3),
    ]  # fmt: skip
    assert np.isnan(both[1].measures.precision.value)


def test_a_difference_between_alike_pipelines_is_none():
    texts = judged(5, 5)
    for _, measures in score_difference(texts, texts):
        assert all(found[:] == (0, 0, 0) for found in measures)


def test_the_difference_is_paired():
    """What both get wrong alike widens each interval, and not that of the difference."""
    texts, others = judged(60, 40), judged(50, 50)
    recall = score_difference(texts, others)[0][1].recall
    assert recall.value == pytest.approx(0.1)
    alone = score(texts)[0].measures.recall
    assert recall.high - recall.low < alone.high - alone.low
    assert recall.low > 0
