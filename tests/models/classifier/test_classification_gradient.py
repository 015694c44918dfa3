"""The gradients of classification, against torch's."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from spacy_bertcrf.models.classifier.classification_gradient import (
    exclusive_gradient,
    multilabel_gradient,
)

WEIGHTS = [0.5, 2.0, 1.0, 3.0]


@pytest.fixture
def logits() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(5, 4, requires_grad=True)


def exclusive(logits: torch.Tensor, truths: np.ndarray, **settings) -> np.ndarray:
    scores = logits.detach().softmax(1).numpy()
    return exclusive_gradient(scores, scores - truths, **settings)


def multilabel(logits: torch.Tensor, d_scores: np.ndarray, **settings) -> np.ndarray:
    return multilabel_gradient(logits.detach().sigmoid().numpy(), d_scores, **settings)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_exclusive_classes_are_weighted_as_in_torch(logits, weights):
    """Else a class weight would not be what it is everywhere else."""
    classes = torch.tensor([0, 3, 1, 1, 2])
    torch_weights = None if weights is None else torch.tensor(weights)
    F.cross_entropy(logits, classes, weight=torch_weights).backward()
    gradient = exclusive(logits, F.one_hot(classes, 4).numpy(), class_weights=weights)
    np.testing.assert_allclose(gradient, logits.grad, atol=1e-6)


def test_exclusive_labels_are_smoothed_as_in_torch(logits):
    classes = torch.tensor([0, 3, 1, 1, 2])
    F.cross_entropy(logits, classes, label_smoothing=0.2).backward()
    gradient = exclusive(logits, F.one_hot(classes, 4).numpy(), label_smoothing=0.2)
    np.testing.assert_allclose(gradient, logits.grad, atol=1e-6)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_texts_without_a_class_do_not_count(logits, weights):
    """Else a text that is annotated for NER alone would teach that no class is right."""
    truths = F.one_hot(torch.tensor([0, 3, 1, 1, 2]), 4).numpy()
    settings = {"label_smoothing": 0.1, "class_weights": weights}
    expected = exclusive(logits[:3], truths[:3], **settings)
    truths[3:] = 0
    gradient = exclusive(logits, truths, **settings)
    np.testing.assert_allclose(gradient[:3], expected, atol=1e-6)
    assert not exclusive(logits, 0 * truths, **settings).any()
    assert not gradient[3:].any()


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_several_labels_are_weighted_as_in_torch(logits, smoothing):
    truths = torch.randint(0, 2, (5, 4)).float()
    scores = logits.detach().sigmoid()
    targets = (1 - smoothing) * truths + smoothing / 2
    factors = 1 + truths * (torch.tensor(WEIGHTS) - 1)
    F.binary_cross_entropy_with_logits(logits, targets, weight=factors, reduction="sum").div(
        5
    ).backward()
    gradient = multilabel(
        logits, (scores - truths).numpy(), label_smoothing=smoothing, class_weights=WEIGHTS
    )
    np.testing.assert_allclose(gradient, logits.grad, atol=1e-6)


def test_labels_that_are_not_known_are_not_learned(logits):
    """spaCy's component gives 0 for them, which smoothing must not change."""
    truths = np.ones((5, 4), dtype="float32")
    d_scores = logits.detach().sigmoid().numpy() - truths
    d_scores[0] = d_scores[1, 2] = 0
    gradient = multilabel(logits, d_scores, label_smoothing=0.2)
    assert not gradient[0].any()
    assert not gradient[1, 2].any()
    full = multilabel(logits[1:], logits[1:].detach().sigmoid().numpy() - 1, label_smoothing=0.2)
    np.testing.assert_allclose(gradient[2:], full[1:], atol=1e-6)
