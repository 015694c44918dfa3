"""Probabilities of spans against enumeration of every set of spans of a small text."""

import itertools
import math

import numpy as np
import pytest
import torch
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_bertcrf.tagging import TagSet

WORDS = ["上", "海", "大", "学"]
TAGS = TagSet(["span"], "BIOES")


@pytest.fixture(params=[0, 1, 2])
def component(request, make_spans_nlp, nested_examples):
    """One with random weights that do not all but decide."""
    nlp = make_spans_nlp()
    nlp.initialize(lambda: nested_examples(nlp))
    component = nlp.get_pipe("bertcrf_spans")
    torch.manual_seed(request.param)
    for name in ("crf", "sequence_tagger"):
        for parameter in component.model.get_ref(name).shims[0].module.parameters():
            parameter.data.normal_()
    return component


@pytest.fixture
def by_label(component, every_set):
    """For each label, the probability of every set of spans of WORDS with it."""

    def score(doc):
        crf = component.model.get_ref("crf").shims[0].module
        start, transitions, end = (
            p.detach().double().numpy()
            for p in (crf.start_transitions, crf.transitions, crf.end_transitions)
        )
        rows = component.model.predict([doc]).dataXd.astype(np.float64).reshape(len(doc), -1, 5)
        found = {}
        for number, label in enumerate(component.labels):
            weights = {}
            for spans in every_set(len(doc), ["span"]):
                tags = TAGS.encode(spans, len(doc))
                path = start[tags[0]] + end[tags[-1]] + transitions[tags[:-1], tags[1:]].sum()
                path += rows[range(len(doc)), number, tags].sum()
                named = frozenset(span._replace(label=label) for span in spans)
                weights[named] = math.exp(path)
            total = sum(weights.values())
            found[label] = {spans: weight / total for spans, weight in weights.items()}
        return found

    return score


def all_spans(component):
    return [
        (start, end, label)
        for start in range(len(WORDS))
        for end in range(start + 1, len(WORDS) + 1)
        for label in component.labels
    ]


def test_the_probability_of_a_span_is_the_share_of_all_sets_with_it(component, by_label):
    """A user takes scores for probabilities: any shortcut would make them something else."""
    doc = Doc(component.vocab, WORDS)
    sets = by_label(doc)
    spans = all_spans(component)
    expected = [sum(p for found, p in sets[span[2]].items() if span in found) for span in spans]
    found = component.span_probabilities(doc, spans)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    for component.threshold in (0.05, 0.3, 0.5):
        predicted = component.predict([doc])[0]
        probable = {s for s, p in zip(spans, expected, strict=True) if p >= component.threshold}
        assert {tuple(item.span) for item in predicted} == probable


def test_the_best_sets_come_in_order(component, by_label):
    """Else a user who asks for a second reading would be given another one."""
    doc = Doc(component.vocab, WORDS)
    of_labels = [list(sets.items()) for sets in by_label(doc).values()]
    expected = sorted(
        (math.prod(p for _, p in sets) for sets in itertools.product(*of_labels)), reverse=True
    )
    (found,) = component.k_best([doc], 5)
    np.testing.assert_allclose([p for _, p in found], expected[:5], rtol=1e-4)
    component.threshold = None
    assert [item.span for item in component.predict([doc])[0]] == found[0][0]


@pytest.mark.parametrize("unknown", [[], ["place"], ["name", "place"]])
def test_the_loss_is_that_of_all_sets_that_fit(component, by_label, unknown):
    """Else what is not annotated would be learned as no span."""
    doc = Doc(component.vocab, WORDS)
    reference = Doc(component.vocab, WORDS)
    gold = {(0, 4, "organization"), (0, 2, "place")}
    reference.spans["sc"] = [Span(reference, *span) for span in sorted(gold)]
    if unknown:
        reference.spans["annotated_labels"] = [
            Span(reference, 0, 4, label) for label in component.labels if label not in unknown
        ]
    expected = 0.0
    for label, sets in by_label(doc).items():
        of_label = {span for span in gold if span[2] == label}
        fits = [
            p
            for found, p in sets.items()
            if (of_label <= found if label in unknown else of_label == {tuple(s) for s in found})
        ]
        expected -= math.log(sum(fits))
    example = Example(doc, reference)
    loss, _ = component.get_loss([example], component.model.predict([doc]))
    assert loss == pytest.approx(expected, rel=1e-4)


def test_spans_known_to_be_wrong_are_ruled_out(component, by_label):
    """Else rejected suggestions would teach nothing."""
    doc, reference = Doc(component.vocab, WORDS), Doc(component.vocab, WORDS)
    reference.spans["wrong"] = [Span(reference, 0, 2, "place"), Span(reference, 0, 4, "name")]
    component.incorrect_spans_key = "wrong"
    sets = by_label(doc)
    expected = -sum(
        math.log(sum(p for found, p in sets[label].items() if span not in found))
        for span, label in [((0, 2, "place"), "place"), ((0, 4, "name"), "name")]
    )
    loss, _ = component.get_loss([Example(doc, reference)], component.model.predict([doc]))
    assert loss == pytest.approx(expected, rel=1e-4)


def test_a_span_is_explained_by_its_alternatives(spans_nlp, nested_examples):
    """What they rest on is not known of spans that may overlap, which is said."""
    component = spans_nlp.get_pipe("bertcrf_spans")
    doc = spans_nlp.make_doc("王小明在北京大学工作。")
    mentions = component.mentions(nested_examples(spans_nlp))
    found = component.explain(doc, (4, 8, "organization"), mentions=mentions)
    others = {other.span: other.probability for other in found.alternatives}
    assert (4, 6, "place") in others
    exact = component.span_probabilities(doc, list(others))
    assert list(others.values()) == pytest.approx(exact.tolist())
    assert (found.outside, found.attributions) == (None, None)
    assert "known of a bertcrf alone" in found.no_attributions
    assert [near.mention.label for near in found.nearest] == ["organization"] * 2
