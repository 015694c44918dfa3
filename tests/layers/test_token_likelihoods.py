"""The chain rule's parts of a path's likelihood, against all paths written out."""

from itertools import pairwise, product

import pytest
import torch

from spacy_bertcrf.layers import LinearChainCRF
from spacy_bertcrf.layers.token_likelihoods import token_log_likelihoods

TAGS = 3
LENGTHS = [4, 2, 0]


@pytest.fixture
def crf():
    torch.manual_seed(0)
    legal = torch.ones(TAGS, TAGS, dtype=torch.bool)
    legal[1, 2] = False
    ends = torch.tensor([True, True, False])
    return LinearChainCRF(TAGS, True, ends, legal, ends).double()


@pytest.fixture
def emissions():
    torch.manual_seed(1)
    return torch.randn(3, 4, TAGS, dtype=torch.float64, requires_grad=True)


@pytest.fixture
def allowed():
    """One tag, several, or all."""
    sets = torch.ones(3, 4, TAGS, dtype=torch.bool)
    sets[0, 0] = torch.tensor([True, False, False])
    sets[0, 2] = torch.tensor([False, True, True])
    sets[1, :2] = torch.tensor([[True, False, False], [False, True, False]])
    return sets


MASK = torch.arange(4) < torch.tensor(LENGTHS)[:, None]


def by_enumeration(crf, emissions, allowed):
    """(length,) of one sequence."""
    scores, paths = [], []
    for path in product(range(TAGS), repeat=len(emissions)):
        moves = list(pairwise(path))
        ends = crf.legal_start[path[0]] and crf.legal_end[path[-1]]
        if ends and all(crf.legal_transitions[a, b] for a, b in moves):
            score = crf.start_transitions[path[0]] + crf.end_transitions[path[-1]]
            score = score + sum(emissions[i, tag] for i, tag in enumerate(path))
            scores.append(score + sum(crf.transitions[a, b] for a, b in moves))
            paths.append(path)
    logs = torch.stack(scores).log_softmax(0)
    found, before = [], torch.zeros(())
    for t in range(len(emissions)):
        fits = [all(allowed[i, path[i]] for i in range(t + 1)) for path in paths]
        now = logs[torch.tensor(fits)].logsumexp(0)
        found.append(now - before)
        before = now
    return torch.stack(found)


def test_value_and_gradient_are_those_of_the_definition(crf, emissions, allowed):
    found = token_log_likelihoods(crf, emissions, allowed, MASK)
    assert (found[~MASK] == 0).all()
    inputs = [emissions, *crf.parameters()]
    weights = torch.tensor([3.0, 0.5, 1.0, 2.0], dtype=torch.float64)
    expected = torch.zeros(())
    for i in (0, 1):
        exact = by_enumeration(crf, emissions[i, : LENGTHS[i]], allowed[i])
        torch.testing.assert_close(found[i, : LENGTHS[i]], exact)
        expected = expected + (weights[: LENGTHS[i]] * exact).sum()
    for gradient, exact in zip(
        torch.autograd.grad((weights * found).sum(), inputs),
        torch.autograd.grad(expected, inputs),
        strict=True,
    ):
        torch.testing.assert_close(gradient, exact)


def test_they_add_up_to_the_likelihood(crf, emissions, allowed):
    found = token_log_likelihoods(crf, emissions, allowed, MASK).sum(1)
    whole = crf.partial_log_likelihood(emissions, allowed, MASK, "none")
    torch.testing.assert_close(found, whole, check_dtype=False)


def test_large_scores_stay_finite(crf, emissions, allowed):
    """Else one token of which the model is sure ends a training with NaN."""
    found = token_log_likelihoods(crf, 1000 * emissions, allowed, MASK)
    gradients = torch.autograd.grad(found.sum(), [emissions, *crf.parameters()])
    assert found.isfinite().all()
    assert all(gradient.isfinite().all() for gradient in gradients)
