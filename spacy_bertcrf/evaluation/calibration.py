"""Whether the scores of predicted entities say how often the entities are right."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from spacy.tokens import Doc, Span
from spacy.training import Example

MISSING = 0  # a value of Token.ent_iob
SHOWN_CHARACTERS = 80  # of a text, in an error message


@dataclass(frozen=True)
class Calibration:
    """Scores against accuracy, in bins of equal width from 0 to 1.

    counts: (n_bins,) int64, how many predicted entities have their score in the bin. A score on
        the border of two bins is in the lower one.
    confidence: (n_bins,) float64, the mean of their scores; nan in an empty bin.
    accuracy: (n_bins,) float64, the share of them that is right; nan in an empty bin.
    n_unjudged: how many predicted entities were left out, for the gold annotation of their
        tokens is missing.
    """

    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    n_unjudged: int = 0

    @property
    def edges(self) -> np.ndarray:
        """(n_bins + 1,) float64, the borders of the bins."""
        return _edges(len(self.counts))

    @property
    def error(self) -> float:
        """The expected calibration error (Naeini et al. 2015; Guo et al. 2017,
        https://arxiv.org/abs/1706.04599): the difference of confidence and accuracy, from 0 to 1,
        averaged over the entities bin by bin."""
        gaps = np.abs(np.nan_to_num(self.confidence - self.accuracy))
        return float(np.average(gaps, weights=self.counts))


def measure_calibration(
    examples: Iterable[Example],
    spans_key: str,
    n_bins: int = 15,
    *,
    gold_key: str | None = None,
) -> Calibration:
    """Compare the scores of predicted entities with how often they are right.

    An entity is right if the reference has one with just these borders and this label. Of one
    that has tokens without annotation it is not known, and it is left out, whatever its other
    tokens say: where only wrong ones can be told, to count these would make the scores look too
    high.

    examples: their predicted Docs have the entities in `doc.spans[spans_key]` and the scores in
        its `attrs["scores"]`, as `bertcrf` with this spans_key sets them. Entities that were set
        before it have a score of 1, and count like the others.
    n_bins: 15, as in Guo et al. (2017).
    gold_key: the reference Docs have the right spans in `reference.spans[gold_key]`, and those are
        all; None if they have them in `reference.ents`.

    Raises ValueError if a Doc has no scores, one for each entity and from 0 to 1, if no entity
    can be judged, and if there are no bins.
    """
    if n_bins < 1:
        raise ValueError(f"n_bins is {n_bins}; it must be at least 1.")
    scores: list[float] = []
    is_right: list[bool] = []
    n_unjudged = 0
    for example in examples:
        reference = example.reference
        spans = reference.ents if gold_key is None else reference.spans[gold_key]
        gold = _entities(example.get_aligned_spans_y2x(spans, allow_overlap=True))
        for span, score in _scored_spans(example.predicted, spans_key):
            if gold_key is None and _lacks_annotation(example, span):
                n_unjudged += 1
            else:
                scores.append(score)
                is_right.append((span.start, span.end, span.label_) in gold)
    if not scores:
        raise ValueError(
            "No predicted entity can be judged: there are none"
            + (f" but {n_unjudged} on tokens without gold annotation." if n_unjudged else ".")
        )
    return calibration_of(np.asarray(scores), np.asarray(is_right), n_bins, n_unjudged)


def calibration_of(
    scores: np.ndarray, is_right: np.ndarray, n_bins: int = 15, n_unjudged: int = 0
) -> Calibration:
    """scores: (n,) of predicted entities, from 0 to 1; is_right: (n,) bool."""
    bins = np.digitize(scores, _edges(n_bins)[1:-1], right=True)
    counts = np.bincount(bins, minlength=n_bins)
    with np.errstate(invalid="ignore"):
        confidence = np.bincount(bins, scores, minlength=n_bins) / counts
        accuracy = np.bincount(bins, is_right, minlength=n_bins) / counts
    return Calibration(counts, confidence, accuracy, n_unjudged)


def _scored_spans(doc: Doc, spans_key: str) -> list[tuple[Span, float]]:
    text = doc.text[:SHOWN_CHARACTERS]
    if spans_key not in doc.spans or "scores" not in doc.spans[spans_key].attrs:
        raise ValueError(
            f"doc.spans['{spans_key}'] has no scores in the text '{text}'. Set the component's "
            f"spans_key to '{spans_key}', and let it predict."
        )
    spans = list(doc.spans[spans_key])
    scores = np.asarray(doc.spans[spans_key].attrs["scores"], dtype=np.float64)
    if scores.shape != (len(spans),):
        raise ValueError(
            f"doc.spans['{spans_key}'] has {len(spans)} spans and scores of the shape "
            f"{scores.shape} in the text '{text}'. There must be one for each."
        )
    if not ((scores >= 0) & (scores <= 1)).all():
        raise ValueError(
            f"doc.spans['{spans_key}'] has scores that are no probabilities, {scores.tolist()}, "
            f"in the text '{text}'."
        )
    return list(zip(spans, scores.tolist(), strict=True))


def _lacks_annotation(example: Example, span: Span) -> bool:
    of_reference = example.alignment.x2y[span.start : span.end]
    return any(example.reference[int(i)].ent_iob == MISSING for i in of_reference)


def _entities(spans: Iterable[Span]) -> set[tuple[int, int, str]]:
    return {(span.start, span.end, span.label_) for span in spans}


def _edges(n_bins: int) -> np.ndarray:
    return np.linspace(0, 1, n_bins + 1)
