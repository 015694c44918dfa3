"""The gradient of the cross-entropy of classes, weighted and smoothed."""

from collections.abc import Sequence

from thinc.api import get_array_module
from thinc.types import Floats2d

from spacy_bertcrf.models.types import Array


def exclusive_gradient(
    scores: Floats2d,
    d_scores: Floats2d,
    label_smoothing: float = 0.0,
    class_weights: Sequence[float] | None = None,
) -> Floats2d:
    """The gradient, by the logits, of the mean over texts of w_y · CE(q, p), weighted by w_y.

    p is the softmax of the logits, y the true class and q the target: (1 − s) on y and s/K on
    each of all K classes (Szegedy et al. 2016, https://arxiv.org/abs/1512.00567).

    scores: (n_texts, K), p.
    d_scores: (n_texts, K), p less the truth, which is 1 for y and 0 for others. A text whose
        truth is 0 for all classes is not annotated, and has no part in the mean.
    label_smoothing: s.
    class_weights: w, 1 for each class if None.

    Returns (n_texts, K), the sum of weights its divisor, as in torch's CrossEntropyLoss.
    """
    xp = get_array_module(scores)
    truths: Array = scores - d_scores
    is_known: Array = (truths.sum(1, keepdims=True) > 0.5).astype("float32")
    weights = is_known
    if class_weights is not None:
        weights = is_known * (truths @ xp.asarray(class_weights, dtype="float32")[:, None])
    targets = (1 - label_smoothing) * truths + label_smoothing / scores.shape[1]
    gradient: Floats2d = (scores - targets) * (weights / _at_least(xp, weights.sum()))
    return gradient


def multilabel_gradient(
    scores: Floats2d,
    d_scores: Floats2d,
    label_smoothing: float = 0.0,
    class_weights: Sequence[float] | None = None,
) -> Floats2d:
    """The gradient, by the logits, of the mean over texts of the sum over labels of the binary
    cross-entropy, that of each label's positives times its weight.

    scores: (n_texts, K), the sigmoid p of the logits.
    d_scores: (n_texts, K), p less the truth, 0 or 1; 0 where the truth is not known. A text
        that nothing is known of has no part in the mean.
    label_smoothing: s; targets are (1 − s) · truth + s/2.
    class_weights: of each label, 1 if None; as `pos_weight` in torch's BCEWithLogitsLoss.

    Returns (n_texts, K).
    """
    xp = get_array_module(scores)
    truths = scores - d_scores
    is_known: Array = d_scores != 0
    factors: Array = is_known.astype("float32")
    if class_weights is not None:
        extra = xp.asarray(class_weights, dtype="float32") - 1
        factors = factors * (1 + truths * extra)
    targets = (1 - label_smoothing) * truths + label_smoothing / 2
    n_known = is_known.any(1).sum()
    gradient: Floats2d = (scores - targets) * factors / _at_least(xp, n_known.astype("float32"))
    return gradient


def _at_least(xp: Array, divisor: Array) -> Array:
    """Where nothing is annotated, all that is divided is 0."""
    return xp.maximum(divisor, 1e-12)
