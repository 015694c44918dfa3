"""The divergence of two posteriors, and its gradient, against all paths written out."""

from itertools import pairwise, product

import pytest
import torch

from spacy_bertcrf.layers import LinearChainCRF
from spacy_bertcrf.layers.posterior_divergence import FLOOR, posterior_divergence

TAGS = 3


@pytest.fixture
def crf():
    torch.manual_seed(0)
    legal = torch.ones(TAGS, TAGS, dtype=torch.bool)
    legal[1, 2] = False
    return LinearChainCRF(TAGS, batch_first=True, legal_transitions=legal).double()


def marginals_by_enumeration(crf, emissions):
    """(length, tags), with gradient."""
    scores, paths = [], []
    for path in product(range(TAGS), repeat=len(emissions)):
        moves = list(pairwise(path))
        if all(crf.legal_transitions[a, b] for a, b in moves):
            score = crf.start_transitions[path[0]] + crf.end_transitions[path[-1]]
            score = score + sum(emissions[i, tag] for i, tag in enumerate(path))
            scores.append(score + sum(crf.transitions[a, b] for a, b in moves))
            paths.append(path)
    probabilities = torch.stack(scores).softmax(0)
    occurs = torch.nn.functional.one_hot(torch.tensor(paths), TAGS)
    return (probabilities[:, None, None] * occurs).sum(0)


def expected_divergence(crf, first, second, lengths):
    total = torch.zeros(())
    for a, b, length in zip(first, second, lengths, strict=True):
        p = marginals_by_enumeration(crf, a[:length]) + FLOOR
        q = marginals_by_enumeration(crf, b[:length]) + FLOOR
        total = total + ((p - q) * (p.log() - q.log())).sum() / 2
    return total


def test_value_and_gradient_are_those_of_the_definition(crf):
    """Else the consistency would be that of something else than the posteriors."""
    torch.manual_seed(1)
    lengths = [4, 2]
    mask = torch.arange(4) < torch.tensor(lengths)[:, None]
    first = torch.randn(2, 4, TAGS, dtype=torch.float64, requires_grad=True)
    second = torch.randn(2, 4, TAGS, dtype=torch.float64, requires_grad=True)
    inputs = [first, second, *crf.parameters()]
    expected = expected_divergence(crf, first, second, lengths)
    found = posterior_divergence(crf, first, second, mask)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    pairs = zip(
        torch.autograd.grad(found, inputs), torch.autograd.grad(expected, inputs), strict=True
    )
    for gradient, exact in pairs:
        torch.testing.assert_close(gradient, exact, rtol=1e-6, atol=1e-7)


def test_equal_scores_have_no_divergence_and_no_gradient(crf):
    """Else a model without dropout would be pulled somewhere."""
    emissions = torch.randn(2, 5, TAGS, dtype=torch.float64, requires_grad=True)
    mask = torch.ones(2, 5, dtype=torch.bool)
    found = posterior_divergence(crf, emissions, emissions, mask)
    assert float(found.detach()) == 0
    (gradient,) = torch.autograd.grad(found, [emissions])
    assert float(gradient.abs().max()) < 1e-6


def test_certain_posteriors_have_a_finite_divergence(crf):
    """Else one token that the model is sure of would end the training."""
    sure = torch.zeros(1, 3, TAGS)
    sure[:, :, 0] = 1e4
    other = sure.flip(2).requires_grad_()
    found = posterior_divergence(crf, sure, other, torch.ones(1, 3, dtype=torch.bool))
    found.backward()
    assert found.isfinite()
    assert other.grad.isfinite().all()
