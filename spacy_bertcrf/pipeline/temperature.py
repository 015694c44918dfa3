"""The temperature at which the scores of predicted entities tell best which of them are right."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from spacy.training import Example

from spacy_bertcrf.pipeline.annotations import incorrect_spans
from spacy_bertcrf.pipeline.gold import Gold
from spacy_bertcrf.tagging import EntitySpan

RANGE = (1 / 20, 20.0)
N_COARSE = 25  # with a factor of 1.28 from one to the next; the middle one is 1
TOLERANCE = 1e-3  # of the temperature's logarithm
SHRINKS = (math.sqrt(5) - 1) / 2
# Scores are float32, in which what is closer to 1 is 1 itself: one wrong entity with such a score
# would make the loss infinite.
CLOSEST = 1e-7


class Posterior(Protocol):
    """What a component believes of the spans of a batch of Docs."""

    def at_temperature(self, temperature: float) -> "Posterior":
        """The same with another temperature."""

    def predicted_spans(self) -> list[list[EntitySpan]]:
        """For each Doc, the spans that are predicted for it, whatever the temperature."""

    def span_probabilities(self, spans: Sequence[Sequence[EntitySpan]]) -> list[np.ndarray]:
        """For each Doc, the probabilities of some spans."""


@dataclass(frozen=True)
class JudgedEntities:
    """The predicted entities of a batch of Docs that are known to be right or wrong.

    posterior: that of the batch.
    spans: for each Doc, the entities.
    is_right: (n_spans,) bool, those of all Docs in a row.
    n_unjudged: how many predicted entities are not among them.
    """

    posterior: Posterior
    spans: list[list[EntitySpan]]
    is_right: np.ndarray
    n_unjudged: int


def judge_entities(
    posterior: Posterior,
    examples: Sequence[Example],
    labels: Sequence[str],
    gold: Gold,
    incorrect_spans_key: str | None = None,
) -> JudgedEntities:
    """Predict the entities of a batch, and compare them with the gold annotation.

    An entity is right if the annotation has one with just these borders and this label. One with
    tokens that have no annotation is left out, but for those that are known to be wrong.

    examples: those of the Docs that the posterior is of.
    labels, gold: those of the component.
    incorrect_spans_key: where the reference Docs keep spans that are known to be wrong.

    Raises ValueError, with the text, if such a span is a gold entity.
    """
    spans: list[list[EntitySpan]] = []
    is_right: list[bool] = []
    n_unjudged = 0
    predicted = posterior.predicted_spans()
    for example, found in zip(examples, predicted, strict=True):
        annotation = gold.of_example(example)
        incorrect = incorrect_spans(example, annotation.spans, labels, incorrect_spans_key)
        judged = [span for span in found if span in incorrect or annotation.is_known(span)]
        spans.append(judged)
        is_right += [span in annotation.spans for span in judged]
        n_unjudged += len(found) - len(judged)
    return JudgedEntities(posterior, spans, np.asarray(is_right, dtype=bool), n_unjudged)


def fitted_temperature(batches: Sequence[JudgedEntities]) -> float:
    """The temperature in RANGE at which the scores of the entities have the smallest log loss.

    Takes one forward-backward for each batch and temperature that is tried.

    Raises ValueError if there are no entities.
    """
    if not any(batch.is_right.size for batch in batches):
        n_unjudged = sum(batch.n_unjudged for batch in batches)
        raise ValueError(
            "A temperature is fitted on predicted entities that are right or wrong. In the "
            "examples the component predicts none"
            + (f" but {n_unjudged} on tokens without gold annotation" if n_unjudged else "")
            + ". Give it more examples, annotated where it finds entities, and with predicted "
            "Docs that have no entities yet."
        )
    return smallest_loss(lambda temperature: log_loss(batches, temperature))


def log_loss(batches: Sequence[JudgedEntities], temperature: float) -> float:
    """The mean negative logarithm of the probability that an entity is what it is, right or
    wrong, if its score is the probability that it is right."""
    scores = np.concatenate(
        [
            scores
            for batch in batches
            for scores in batch.posterior.at_temperature(temperature).span_probabilities(
                batch.spans
            )
        ]
    )
    scores = scores.astype(np.float64).clip(CLOSEST, 1 - CLOSEST)
    is_right = np.concatenate([batch.is_right for batch in batches])
    return float(-np.log(np.where(is_right, scores, 1 - scores)).mean())


def smallest_loss(loss: Callable[[float], float]) -> float:
    """The temperature in RANGE with the smallest loss that is found; of equal ones, the closest
    to 1.

    The loss may have several minima, so a coarse grid comes first, and then a golden-section
    search (Kiefer 1953) around the best of the grid.
    """
    losses: dict[float, float] = {}

    def at(logarithm: float) -> float:
        losses[logarithm] = loss(math.exp(logarithm))
        return losses[logarithm]

    def best() -> float:
        return min(losses, key=lambda logarithm: (losses[logarithm], abs(logarithm)))

    step = math.log(RANGE[1] / RANGE[0]) / (N_COARSE - 1)
    grid = [(i - N_COARSE // 2) * step for i in range(N_COARSE)]
    for logarithm in grid:
        at(logarithm)
    low, high = max(best() - step, grid[0]), min(best() + step, grid[-1])
    left, right = high - SHRINKS * (high - low), low + SHRINKS * (high - low)
    at_left, at_right = at(left), at(right)
    while high - low > TOLERANCE:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - SHRINKS * (high - low)
            at_left = at(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + SHRINKS * (high - low)
            at_right = at(right)
    return math.exp(best())
