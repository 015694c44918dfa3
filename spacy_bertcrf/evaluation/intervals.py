"""Precision, recall and F1 with their intervals, by the bootstrap over documents."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from spacy_bertcrf.evaluation.judged import JudgedText

N_RESAMPLES = 1000
LEVEL = 0.95
SEED = 0


class Score(NamedTuple):
    """A score and its interval, from 0 to 1; nan where there is nothing to count."""

    value: float
    low: float
    high: float


class Measures(NamedTuple):
    """Precision, recall and F1."""

    precision: Score
    recall: Score
    f1: Score


class Scores(NamedTuple):
    """label: None for all labels together.
    n_gold, n_predicted, n_right: entities.
    measures: from these.
    """

    label: str | None
    n_gold: int
    n_predicted: int
    n_right: int
    measures: Measures


def score(texts: Sequence[JudgedText]) -> list[Scores]:
    """The scores of all labels together and of each, with the 95 % interval of each number:
    between the percentiles of 1,000 samples of as many texts, drawn with replacement (Efron 1979).

    The same texts give the same intervals.
    """
    labels = _labels(texts)
    counts = _counts(texts, labels)
    weights = _resamples(len(texts))
    values, samples = _measures(counts.sum(0)[None])[0], _measures(_sums(weights, counts))
    low, high = _bounds(samples)
    return [
        Scores(
            label,
            n_gold=int(counts[:, i, 0].sum()),
            n_predicted=int(counts[:, i, 1].sum()),
            n_right=int(counts[:, i, 2].sum()),
            measures=_with_bounds(values[i], low[i], high[i]),
        )
        for i, label in enumerate([None, *labels])
    ]


def score_difference(
    texts: Sequence[JudgedText], others: Sequence[JudgedText]
) -> list[tuple[str | None, Measures]]:
    """By how much the scores of the first are above those of the others, on the same documents:
    label (None for all) and differences. Each sample has the same documents of both."""
    labels = _labels([*texts, *others])
    counts, other_counts = _counts(texts, labels), _counts(others, labels)
    weights = _resamples(len(texts))
    values = _measures(counts.sum(0)[None])[0] - _measures(other_counts.sum(0)[None])[0]
    samples = _measures(_sums(weights, counts)) - _measures(_sums(weights, other_counts))
    low, high = _bounds(samples)
    return [
        (label, _with_bounds(values[i], low[i], high[i])) for i, label in enumerate([None, *labels])
    ]


def _labels(texts: Sequence[JudgedText]) -> list[str]:
    return sorted({span.label for text in texts for span in (*text.gold, *text.predicted)})


def _counts(texts: Sequence[JudgedText], labels: Sequence[str]) -> np.ndarray:
    """(n_texts, 1 + n_labels, 3) float64: gold, predicted and right entities."""
    places = {label: i for i, label in enumerate(labels, start=1)}
    counts = np.zeros((len(texts), 1 + len(labels), 3))
    for i, text in enumerate(texts):
        right = set(text.gold) & set(text.predicted)
        for column, spans in enumerate((text.gold, text.predicted, right)):
            for span in spans:
                counts[i, 0, column] += 1
                counts[i, places[span.label], column] += 1
    return counts


def _resamples(n: int) -> np.ndarray:
    """(n_samples, n) how often each document is in each sample."""
    rng = np.random.default_rng(SEED)
    return rng.multinomial(n, np.full(n, 1 / n), size=N_RESAMPLES).astype(np.float64)


def _sums(weights: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return (weights @ counts.reshape(len(counts), -1)).reshape(-1, *counts.shape[1:])


def _measures(sums: np.ndarray) -> np.ndarray:
    """(..., 3) of gold, predicted, right to (..., 3) of precision, recall, F1."""
    gold, predicted, right = np.moveaxis(sums, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack([right / predicted, right / gold, 2 * right / (gold + predicted)], axis=-1)


def _with_bounds(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> Measures:
    precision, recall, f1 = (
        Score(*map(float, found)) for found in zip(values, low, high, strict=True)
    )
    return Measures(precision, recall, f1)


def _bounds(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    tail = 100 * (1 - LEVEL) / 2
    # A sample without any entity of a label says nothing of it.
    sorted_samples = np.sort(samples, axis=0)  # nan comes last
    n = np.maximum((~np.isnan(samples)).sum(0), 1)
    low, high = (np.floor((n - 1) * tail / 100), np.ceil((n - 1) * (100 - tail) / 100))
    return _at(sorted_samples, low), _at(sorted_samples, high)


def _at(sorted_samples: np.ndarray, rank: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.take_along_axis(sorted_samples, rank.astype(int)[None], axis=0)[0]
    return found
