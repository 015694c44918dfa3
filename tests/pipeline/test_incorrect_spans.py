"""Spans that are known to be wrong, in training."""

import math

import pytest
from spacy.tokens import Doc, Span
from spacy.training import Example

TEXT = "王小明在北京大学工作。"


def example_with(nlp, wrong, gold=None):
    """gold: the entities; None: nothing is known of them."""
    reference = nlp.make_doc(TEXT)
    if gold is not None:
        reference.ents = [Span(reference, *span) for span in gold]
    reference.spans["wrong"] = [Span(reference, *span) for span in wrong]
    return Example(nlp.make_doc(TEXT), reference)


def loss_of(component, example):
    emissions = component.model.predict([example.predicted])
    return component.get_loss([example], emissions)[0]


@pytest.fixture
def nlp(trained_copy):
    trained_copy.get_pipe("bertcrf").incorrect_spans_key = "wrong"
    return trained_copy


def test_the_loss_is_that_of_all_that_is_not_wrong(nlp):
    """Else a span that is wrong would teach something about others."""
    component = nlp.get_pipe("bertcrf")
    asked = [(4, 6, "address"), (0, 3, "name")]
    for span in asked:
        probability = component.span_probabilities(nlp.make_doc(TEXT), [span])[0]
        found = loss_of(component, example_with(nlp, [span]))
        assert -math.expm1(-found) == pytest.approx(probability, rel=1e-3)


@pytest.mark.slow
def test_what_is_wrong_is_unlearned(nlp, entities_of):
    """Else a user's corrections would be without effect."""
    assert (4, 8, "organization") in entities_of([nlp(TEXT)])[0]
    optimizer = nlp.resume_training()
    optimizer.learn_rate = 0.003
    for _ in range(15):
        nlp.update([example_with(nlp, [(4, 8, "organization")])], sgd=optimizer)
    found = entities_of([nlp(TEXT)])[0]
    assert (4, 8, "organization") not in found
    assert (0, 3, "name") in found


def test_what_says_nothing_changes_nothing(nlp):
    """Else spans that cannot be predicted would stop or disturb the training."""
    component = nlp.get_pipe("bertcrf")
    gold = [(0, 3, "name"), (4, 8, "organization")]
    expected = loss_of(component, example_with(nlp, [], gold))
    for wrong in [(0, 3, "movie"), (4, 6, "address"), (0, 2, "name")]:
        found = loss_of(component, example_with(nlp, [wrong], gold))
        assert found == pytest.approx(expected, abs=1e-5)
    other_tokens = Doc(nlp.vocab, words=["王", "小明", TEXT[3:]], spaces=[False] * 3)
    misaligned = Example(other_tokens, example_with(nlp, [(0, 2, "name")]).reference)
    assert loss_of(component, misaligned) == pytest.approx(0, abs=1e-5)
    component.incorrect_spans_key = None
    assert loss_of(component, example_with(nlp, [(4, 6, "address")])) == pytest.approx(0, abs=1e-5)


def test_a_contradiction_is_an_error(nlp):
    """Else it would show as a loss that is infinite."""
    example = example_with(nlp, [(0, 3, "name")], [(0, 3, "name")])
    with pytest.raises(ValueError, match=r"'王小明' \(name\) is both a gold entity and"):
        loss_of(nlp.get_pipe("bertcrf"), example)


def test_the_setting_is_that_of_the_config(make_nlp):
    """Else the setting would be without effect."""
    assert make_nlp().get_pipe("bertcrf").incorrect_spans_key is None
    nlp = make_nlp(**{"components.bertcrf.incorrect_spans_key": "wrong"})
    assert nlp.get_pipe("bertcrf").incorrect_spans_key == "wrong"
