"""The head that scores pairs of tokens: what it can say that a CRF for each label cannot."""

import numpy as np
import pytest
import torch
from spacy.tokens import Doc, Span
from spacy.training import Example

POINTER = {"@layers": "spacy-bertcrf.GlobalPointer.v1", "width": 16}
HOSPITAL = [
    ("北京大学医学院", [(0, 7, "organization"), (0, 4, "organization"), (0, 2, "place")]),
    ("张伟在上海大学,", [(0, 2, "name"), (3, 7, "organization"), (3, 5, "place")]),
]


@pytest.fixture(scope="session")
def pointer_trained(make_spans_nlp, nested_examples):
    """(max_length) -> a pipeline that knows HOSPITAL. Not to be changed."""

    def train(max_length=None, n_steps=60, **settings):
        nlp = make_spans_nlp(head={**POINTER, "max_length": max_length}, **settings)
        torch.manual_seed(0)
        optimizer = nlp.initialize(lambda: nested_examples(nlp, HOSPITAL))
        optimizer.learn_rate = 0.01
        for _ in range(n_steps):
            nlp.update(nested_examples(nlp, HOSPITAL), sgd=optimizer)
        return nlp

    return train


@pytest.fixture(scope="module")
def pointer_nlp(pointer_trained):
    return pointer_trained()


def test_a_label_inside_itself_is_found(pointer_nlp, spans_of, nested_examples):
    """Else there would be no head for such corpora."""
    for text, spans in HOSPITAL:
        doc = pointer_nlp(text)
        assert sorted(spans_of(doc)) == sorted(spans)
        assert (
            (doc.spans["sc"].attrs["scores"] > 0.5) & (doc.spans["sc"].attrs["scores"] <= 1)
        ).all()
    assert pointer_nlp.evaluate(nested_examples(pointer_nlp, HOSPITAL))["spans_sc_f"] == 1.0


@pytest.mark.slow
def test_it_is_saved_and_grows(pointer_nlp, make_spans_nlp, spans_of, nested_examples):
    """Else what was learned could neither be handed on nor added to."""
    nlp = make_spans_nlp(head={**POINTER, "max_length": None}).from_bytes(pointer_nlp.to_bytes())
    expected = [spans_of(pointer_nlp(text)) for text, _ in HOSPITAL]
    assert [spans_of(nlp(text)) for text, _ in HOSPITAL] == expected
    nlp.get_pipe("bertcrf_spans").add_label("drug")
    assert [spans_of(nlp(text)) for text, _ in HOSPITAL] == expected
    texts = [*HOSPITAL, ("吃药", [(1, 2, "drug")])]
    optimizer = nlp.resume_training()
    optimizer.learn_rate = 0.01
    for _ in range(60):
        nlp.update(nested_examples(nlp, texts), sgd=optimizer)
    assert spans_of(nlp("吃药")) == [(1, 2, "drug")]


def test_longer_spans_are_counted_and_named(make_spans_nlp, nested_examples):
    """Else they would be lost in silence."""
    nlp = make_spans_nlp(head={**POINTER, "max_length": 4})
    with pytest.warns(UserWarning, match=r"1 of 6 gold spans .*at most max_length = 4 tokens"):
        optimizer = nlp.initialize(lambda: nested_examples(nlp, HOSPITAL))
    nlp.update(nested_examples(nlp, HOSPITAL), sgd=optimizer)
    component = nlp.get_pipe("bertcrf_spans")
    component.threshold = 0.001
    doc = nlp(HOSPITAL[0][0])
    assert max(span.end - span.start for span in doc.spans["sc"]) == 4
    probabilities = component.span_probabilities(
        nlp.make_doc(HOSPITAL[0][0]), [(0, 7, "organization"), (0, 4, "organization")]
    )
    assert probabilities[0] == 0 < probabilities[1]


def test_what_a_text_says_of_its_spans_is_kept(pointer_nlp, spans_of):
    """Else given spans and sentence breaks would hold with one of the heads only."""
    component = pointer_nlp.get_pipe("bertcrf_spans")
    doc = pointer_nlp.make_doc(HOSPITAL[0][0])
    doc.spans["sc"] = [Span(doc, 4, 7, "organization")]
    doc[4].is_sent_start = True
    probable = component.span_probabilities(
        doc, [(4, 7, "organization"), (0, 7, "organization"), (0, 4, "organization")]
    )
    assert probable[0] == 1
    assert probable[1] == 0
    assert probable[2] > 0.5
    found = spans_of(component(doc))
    assert set(found) >= {(0, 4, "organization"), (4, 7, "organization"), (0, 2, "place")}
    assert (0, 7, "organization") not in found


def test_what_is_unknown_teaches_nothing(pointer_nlp):
    """Else a text that was annotated for places would have no names."""
    component = pointer_nlp.get_pipe("bertcrf_spans")
    doc = pointer_nlp.make_doc("王芳在北京")
    reference = doc.copy()
    reference.spans["sc"] = [Span(reference, 3, 5, "place")]
    reference.spans["annotated_labels"] = [Span(reference, 0, 5, "place")]
    _, gradient = component.get_loss([Example(doc, reference)], component.model.predict([doc]))
    of_labels = np.abs(gradient.dataXd[:, 32:]).reshape(len(doc), 2, -1).max((0, 1))
    assert of_labels[list(component.labels).index("place")] > 0
    assert of_labels[list(component.labels).index("name")] == 0


def test_there_are_no_readings(pointer_nlp):
    """Else products of scores would be taken for probabilities."""
    with pytest.raises(ValueError, match="no probability to sets of spans"):
        pointer_nlp.get_pipe("bertcrf_spans").k_best([pointer_nlp.make_doc("王芳")])


def test_ways_of_training_that_need_tags_are_refused(make_spans_nlp):
    """Else they would take scores of spans for those of tags."""
    strategies = {"tokens": {"@misc": "spacy-bertcrf.TokenCrossEntropy.v1"}}
    with pytest.raises(ValueError, match="'tokens' has a loss on the scores of tags"):
        make_spans_nlp(head=POINTER, strategies=strategies)
    dropout = {"many": {"@misc": "spacy-bertcrf.MultiSampleDropout.v1"}}
    make_spans_nlp(head=POINTER, strategies=dropout)


@pytest.mark.parametrize("settings", [{"width": 3}, {"width": 0}, {"max_length": 0}])
def test_sizes_that_cannot_be_are_refused(make_spans_nlp, settings):
    """Else they would fail deep in the model."""
    with pytest.raises(ValueError, match=f"{next(iter(settings))} is"):
        make_spans_nlp(head={**POINTER, **settings})


@pytest.mark.slow
def test_a_text_of_100000_tokens_is_read(pointer_trained):
    """Else a long text would end a run: all its pairs would take 100 GB for each label."""
    nlp = pointer_trained(max_length=16, n_steps=2)
    component = nlp.get_pipe("bertcrf_spans")
    component.threshold = 0.9
    doc = component(Doc(nlp.vocab, ["王", "芳", "在", "北", "京"] * 20_000))
    assert "sc" in doc.spans
