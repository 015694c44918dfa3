"""What the CRF knows beyond its best path, from Python."""

import pytest
from spacy.tokens import Doc, Span

TEXTS = ["王小明在北京大学工作。", "", "李雷和韩梅梅去了上海。"]


@pytest.fixture(params=["BIO", "BIOES"])
def component(request, scheme_nlp):
    return scheme_nlp(request.param).get_pipe("bertcrf")


@pytest.mark.parametrize("text", ["张伟在", "北京大"])
def test_readings_and_spans_are_those_of_enumeration(component, scored, text):
    """Else the probabilities would be no probabilities, or a better reading would be missed."""
    doc = Doc(component.vocab, words=list(text), spaces=[False] * len(text))
    expected = scored(component, doc)
    found = component.k_best([doc], k=len(expected) + 5)[0]
    assert len(found) == len(expected)
    for spans, probability in found:
        assert probability == pytest.approx(expected[tuple(spans)], rel=1e-4)
    probabilities = [probability for _, probability in found]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1)
    assert component.k_best([doc], k=4)[0] == found[:4]
    spans = sorted({span for entities in expected for span in entities})
    exact = [sum(p for entities, p in expected.items() if span in entities) for span in spans]
    assert component.span_probabilities(doc, spans) == pytest.approx(exact, rel=1e-4, abs=1e-7)


def test_the_first_reading_is_what_is_predicted(trained, entities_of):
    """Else `k_best` would be about another model than `nlp(text)`."""
    docs = [trained.make_doc(text) for text in TEXTS]
    best = trained.get_pipe("bertcrf").k_best(docs, k=3)
    assert [found[0][0] for found in best] == entities_of(trained.pipe(TEXTS))
    assert [len(found) for found in best] == [3, 1, 3]
    assert best[1] == [([], 1.0)]
    assert not any(doc.ents for doc in docs)


def test_what_is_given_is_in_every_reading(trained):
    """Else the alternatives would contradict what the user has said."""
    component = trained.get_pipe("bertcrf")
    doc = trained.make_doc(TEXTS[0])
    doc.set_ents([Span(doc, 4, 6, "address")], default="missing")
    readings = component.k_best([doc], k=5)[0]
    assert all((4, 6, "address") in spans for spans, _ in readings)
    asked = [Span(doc, 4, 6, "address"), (4, 8, "organization"), (0, 3, "name")]
    given, against, name = component.span_probabilities(doc, asked)
    assert given == pytest.approx(1)
    assert against == 0
    assert 0 < name < 1


def test_readings_that_differ_in_spaces_are_one(scheme_nlp):
    """Else the same entities would be listed twice, each with a part of their probability."""
    nlp = scheme_nlp("BIO")
    component = nlp.get_pipe("bertcrf")
    doc = Doc(nlp.vocab, words=["张", "伟", " "], spaces=[False] * 3)
    readings = component.k_best([doc], k=1000)[0]
    assert len({tuple(spans) for spans, _ in readings}) == len(readings)
    assert sum(probability for _, probability in readings) == pytest.approx(1)
    of_readings = sum(p for spans, p in readings if (0, 2, "name") in spans)
    found = component.span_probabilities(doc, [(0, 2, "name"), (0, 3, "name")])
    assert found == pytest.approx([of_readings, 0])


@pytest.mark.parametrize(
    "span", [(0, 3, "movie"), (3, 3, "name"), (9, 12, "name"), (-1, 1, "name")]
)
def test_impossible_questions_are_refused(trained, span):
    """Else a slip would be answered with the probability of something else."""
    doc = trained.make_doc(TEXTS[0])
    component = trained.get_pipe("bertcrf")
    with pytest.raises(ValueError, match=r"must lie in the text, which has 11 tokens"):
        component.span_probabilities(doc, [span])
    assert component.span_probabilities(doc, []).shape == (0,)
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        component.k_best([doc], k=0)


def test_nothing_is_asked_of_an_untrained_component(make_nlp):
    """Else a forgotten `nlp.initialize` would show as a riddle of tensors."""
    nlp = make_nlp()
    doc = nlp.make_doc(TEXTS[0])
    with pytest.raises(ValueError, match="initialize"):
        nlp.get_pipe("bertcrf").k_best([doc])
    with pytest.raises(ValueError, match="initialize"):
        nlp.get_pipe("bertcrf").span_probabilities(doc, [])
