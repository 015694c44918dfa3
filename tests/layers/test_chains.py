"""A CRF's posterior as a chain, and the cross-entropy of another CRF, against all paths written
out."""

import math
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_bertcrf.layers import LinearChainCRF
from spacy_bertcrf.layers.chains import TagChain, cross_entropy, mixture

TAGS = 3


def random_crf(seed, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    legal = torch.ones(TAGS, TAGS, dtype=torch.bool)
    legal[1, 2] = False
    start = torch.tensor([True, True, False])
    crf = LinearChainCRF(TAGS, True, legal_start=start, legal_transitions=legal).double()
    for parameter in crf.parameters():
        parameter.data = scale * torch.randn(parameter.shape, generator=generator).double()
    return crf


def emissions_of(seed, length, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(length, TAGS, generator=generator, dtype=torch.float64)


def log_probabilities(crf, emissions, temperature=1.0):
    """Of each legal path its log-probability, with gradient."""
    paths, scores = [], []
    for path in product(range(TAGS), repeat=len(emissions)):
        moves = list(pairwise(path))
        if crf.legal_start[path[0]] and all(crf.legal_transitions[move] for move in moves):
            score = crf.start_transitions[path[0]] + crf.end_transitions[path[-1]]
            score = score + sum(emissions[t, tag] for t, tag in enumerate(path))
            scores.append(score + sum(crf.transitions[move] for move in moves))
            paths.append(path)
    return dict(zip(paths, (torch.stack(scores) / temperature).log_softmax(0), strict=True))


def probabilities(crf, emissions):
    return {path: log.exp().item() for path, log in log_probabilities(crf, emissions).items()}


def batch_of(sequences):
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    padded = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True)
    return padded, torch.arange(padded.shape[1]) < lengths[:, None]


def test_the_chain_is_the_posterior():
    """Else small models would learn from another distribution than the teacher's."""
    crf, sequences = random_crf(0), [emissions_of(seed, n) for seed, n in enumerate((4, 1, 3))]
    for sequence, chain in zip(sequences, crf.chains(*batch_of(sequences)), strict=True):
        exact = {
            path: math.exp(log.detach()) for path, log in log_probabilities(crf, sequence).items()
        }
        tags, counts = np.zeros((len(sequence), TAGS)), np.zeros((TAGS, TAGS))
        for path, probability in exact.items():
            tags[range(len(path)), path] += probability
            for move in pairwise(path):
                counts[move] += probability
        np.testing.assert_allclose(chain.tag_probabilities(), tags, atol=1e-12)
        np.testing.assert_allclose(chain.transition_counts(), counts, atol=1e-12)
        entropy = -sum(p * math.log(p) for p in exact.values())
        assert chain.entropy() == pytest.approx(entropy, abs=1e-12)


@pytest.mark.slow
@given(seed=st.integers(0, 999), temperature=st.sampled_from([0.5, 1.0, 3.0]))
@settings(max_examples=10, deadline=None)
def test_cross_entropy_and_its_gradient_are_those_over_all_sequences(seed, temperature):
    teacher, student = random_crf(seed), random_crf(seed + 1)
    lengths = (3, 1, 4)
    of_teacher = [emissions_of(seed + n, n) for n in lengths]
    of_student = [emissions_of(seed - n, n).requires_grad_() for n in lengths]
    expected = torch.zeros((), dtype=torch.float64)
    for a, b in zip(of_teacher, of_student, strict=True):
        p = log_probabilities(teacher, a, temperature)
        q = log_probabilities(student, b, temperature)
        expected = expected - sum(p[path].detach().exp() * q[path] for path in p)
    chains = teacher.chains(*batch_of(of_teacher), temperature=temperature)
    found = cross_entropy(student, *batch_of(of_student), chains, temperature)
    torch.testing.assert_close(found, expected)
    inputs = [*of_student, *student.parameters()]
    torch.testing.assert_close(
        torch.autograd.grad(found, inputs), torch.autograd.grad(expected, inputs)
    )


def test_it_is_the_entropy_where_both_agree():
    """So that the divergence is zero there and nowhere below."""
    crf, sequence = random_crf(1), emissions_of(2, 5)
    batch = batch_of([sequence])
    chains = crf.chains(*batch)
    assert float(cross_entropy(crf, *batch, chains)) == pytest.approx(chains[0].entropy())
    assert float(cross_entropy(random_crf(2), *batch, chains)) > chains[0].entropy() + 0.1


def test_a_mixture_has_the_mean_cross_entropy():
    """For that of an ensemble is linear in its members' distributions."""
    student, batch = random_crf(0), batch_of([emissions_of(0, 4)])
    chains = [random_crf(seed).chains(*batch)[0] for seed in (1, 2, 3)]
    alone = [float(cross_entropy(student, *batch, [chain])) for chain in chains]
    found = float(cross_entropy(student, *batch, [mixture(chains)]))
    assert found == pytest.approx(np.mean(alone))


@pytest.mark.parametrize("scale", [1.0, 200.0])
def test_extreme_scores_give_whole_probabilities(scale):
    """Log space takes over where numbers would underflow."""
    crf = random_crf(3, scale)
    (chain,) = crf.chains(*batch_of([emissions_of(3, 12, scale)]))
    np.testing.assert_allclose(chain.tag_probabilities().sum(1), 1, atol=1e-12)
    assert chain.transition_counts().sum() == pytest.approx(11)
    assert chain.transition_counts()[1, 2] == 0


def test_what_is_below_the_floor_is_left_out_and_made_up_for():
    crf, batch = random_crf(4), batch_of([emissions_of(4, 6, 3.0)])
    (whole,), (kept,) = crf.chains(*batch), crf.chains(*batch, floor=0.01)
    assert len(kept.entries) < len(whole.entries)
    np.testing.assert_allclose(kept.tag_probabilities().sum(1), 1)
    np.testing.assert_allclose(kept.tag_probabilities(), whole.tag_probabilities(), atol=0.1)


def test_samples_come_as_often_as_they_are_probable():
    crf, sequence = random_crf(5), emissions_of(5, 3)
    (chain,) = crf.chains(*batch_of([sequence]))
    random = np.random.default_rng(0)
    drawn = [(tuple(path.tolist()), log) for path, log in map(chain.sample, [random] * 4000)]
    paths = [path for path, _ in drawn]
    exact = probabilities(crf, sequence)
    for path, probability in exact.items():
        assert paths.count(path) / len(drawn) == pytest.approx(probability, abs=0.03)
    assert all(math.exp(log) == pytest.approx(exact[path]) for path, log in drawn[:20])


def test_tags_that_become_one_add_up():
    (chain,) = random_crf(6).chains(*batch_of([emissions_of(6, 4)]))
    merged = chain.renamed(np.asarray([0, 1, 1]), 2)
    tags = chain.tag_probabilities()
    np.testing.assert_allclose(merged.tag_probabilities()[:, 1], tags[:, 1:].sum(1))
    counts = chain.transition_counts()
    np.testing.assert_allclose(merged.transition_counts()[1, 1], counts[1:, 1:].sum())


def test_texts_without_tokens_cost_nothing():
    crf = random_crf(0)
    emissions, mask = torch.zeros(2, 0, TAGS, dtype=torch.float64), torch.ones(2, 0).bool()
    chains = crf.chains(emissions, mask)
    assert [len(chain) for chain in chains] == [0, 0]
    assert float(cross_entropy(crf, emissions, mask, chains)) == 0
    assert TagChain.of_nothing(TAGS).transition_counts().shape == (TAGS, TAGS)
