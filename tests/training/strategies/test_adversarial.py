"""Adversarial training: the disturbance is the one that is meant, and leaves no trace."""

from itertools import pairwise

import pytest
import torch

from spacy_bertcrf.models.strategy import inner_bert
from spacy_bertcrf.training.strategies.adversarial import FGM, PGD


@pytest.fixture
def component(make_nlp, make_examples):
    """An untrained recogniser with a BERT inside, and its examples."""
    no_dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    nlp = make_nlp(
        "bert_bilstm_crf",
        **{"components.bertcrf.model.tok2vec.transformer_config": no_dropout},
    )
    nlp.initialize(lambda: make_examples(nlp))
    recognizer = nlp.get_pipe("bertcrf")
    recognizer.given = make_examples(nlp)
    return recognizer


def embeddings_of(component):
    return inner_bert(component.model).module.bert.get_input_embeddings().weight


def gradients_of(component):
    return {
        (i, name): parameter.grad.clone()
        for i, node in enumerate(component.model.walk())
        for shim in node.shims
        for name, parameter in shim.module.named_parameters()
        if parameter.grad is not None
    }


def clear(component):
    for node in component.model.walk():
        for shim in node.shims:
            shim.module.zero_grad(set_to_none=True)


def one_pass(component, examples):
    n_docs = len(examples)
    return component.learning._pass(examples, component._targets, 1 / n_docs, n_docs)


def watched(component, seen):
    """The component's own pass, without dropout, noting weights before and gradients after."""

    def learn(examples):
        weights = embeddings_of(component).detach().clone()
        losses = one_pass(component, examples)
        gradient = embeddings_of(component).grad
        seen.append((weights, None if gradient is None else gradient.clone()))
        return losses

    return learn


def assert_same(found, expected, tolerance=1e-5):
    assert found.keys() == expected.keys()
    for key, gradient in expected.items():
        torch.testing.assert_close(found[key], gradient, rtol=tolerance, atol=tolerance)


def test_fgm_goes_epsilon_along_the_gradient_and_comes_back(component):
    """Else the training would be on other texts than the paper's, or wear the embeddings down."""
    seen = []
    FGM(epsilon=0.7).around(watched(component, seen), component.model)(component.given)
    (before, gradient), (disturbed, _) = seen
    torch.testing.assert_close(disturbed - before, 0.7 * gradient / gradient.norm())
    assert (disturbed - before).norm() == pytest.approx(0.7, rel=1e-5)
    assert torch.equal(embeddings_of(component), before)


def test_fgm_adds_both_gradients_to_earlier_ones(component):
    """Else gradient accumulation would lose batches, or bend the direction to theirs."""
    learn = watched(component, seen := [])
    learn(component.given[:3])
    earlier = gradients_of(component)
    clear(component)
    FGM().around(learn, component.model)(component.given[3:])
    alone = gradients_of(component)
    direction = seen[-1][0] - seen[-2][0]
    clear(component)
    learn(component.given[:3])
    FGM().around(learn, component.model)(component.given[3:])
    assert_same(gradients_of(component), {key: alone[key] + earlier[key] for key in alone})
    torch.testing.assert_close(seen[-1][0] - seen[-2][0], direction)


def test_pgd_walks_within_epsilon_and_comes_back(component):
    """Else it would not be projected gradient descent."""
    learn = watched(component, seen := [])
    learn(component.given)
    clean = gradients_of(component)
    clear(component)
    PGD(epsilon=0.5, alpha=0.3, steps=3).around(learn, component.model)(component.given)
    weights = [weights for weights, _ in seen[1:]]
    distances = [float((moved - weights[0]).norm()) for moved in weights]
    assert distances[1] == pytest.approx(0.3, rel=1e-4)
    assert distances[3] == pytest.approx(0.5, rel=1e-4)  # 0.9 without the projection
    assert max(distances) <= 0.5 * (1 + 1e-5)
    assert all(not torch.equal(a, b) for a, b in pairwise(weights))
    assert torch.equal(embeddings_of(component), weights[0])
    together = gradients_of(component)
    with torch.no_grad():
        embeddings_of(component).copy_(weights[3])
    clear(component)
    learn(component.given)
    disturbed = gradients_of(component)
    assert_same(together, {key: clean[key] + disturbed[key] for key in clean})


@pytest.mark.parametrize("strategy", [FGM, PGD])
def test_a_disturbance_ends_with_an_error_too(strategy, component):
    """Else an interrupted training would go on, or be saved, with wrong weights."""
    bert = inner_bert(component.model).module.bert
    before = {name: p.detach().clone() for name, p in bert.named_parameters()}
    calls = []

    def learn(examples):
        calls.append(one_pass(component, examples))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return calls[0]

    with pytest.raises(KeyboardInterrupt):
        strategy().around(learn, component.model)(component.given)
    for name, parameter in bert.named_parameters():
        assert torch.equal(parameter, before[name]), name


@pytest.mark.parametrize(
    ("make", "message"),
    [(lambda: FGM(0), "epsilon"), (lambda: PGD(alpha=-1), "alpha")],
)
def test_a_disturbance_of_no_length_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
