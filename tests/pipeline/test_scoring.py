"""The scores of `nlp.evaluate` and `spacy evaluate`, held against seqeval's strict ones."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from seqeval.metrics import classification_report, f1_score, precision_score, recall_score
from seqeval.scheme import IOB2
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_bertcrf.pipeline.tag_posterior import Prediction
from spacy_bertcrf.tagging import EntitySpan, TagSet

LABELS = ["address", "name", "organization"]
IOB = TagSet(LABELS, "BIO")


@st.composite
def spans_on(draw, length):
    spans, end = [], 0
    while end < length:
        start = end + draw(st.integers(0, 3))
        end = start + draw(st.integers(1, 3))
        if end <= length:
            spans.append(EntitySpan(start, end, draw(st.sampled_from(LABELS))))
    return spans


@st.composite
def gold_and_predicted(draw):
    length = draw(st.integers(0, 8))
    gold = draw(spans_on(length))
    kept = [span for span in gold if draw(st.booleans())]
    predicted = kept if draw(st.booleans()) else draw(spans_on(length))
    return length, gold, predicted


@pytest.mark.slow
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(gold_and_predicted(), min_size=1, max_size=6))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_scores_are_those_of_seqeval(trained, monkeypatch, texts):
    """Else our figures could not be compared with those of papers."""
    component = trained.get_pipe("bertcrf")
    examples = []
    for length, gold, _ in texts:
        doc = Doc(trained.vocab, words=["w"] * length)
        reference = doc.copy()
        reference.ents = [Span(reference, *span) for span in gold]
        examples.append(Example(doc, reference))
    tag_set = component.tag_set
    answers = iter([Prediction(tag_set.encode(spans, length)) for length, _, spans in texts])
    with monkeypatch.context() as patches:
        patches.setattr(component, "predict", lambda docs: [next(answers) for _ in docs])
        scores = trained.evaluate(examples)
    tags = [
        [[IOB.tags[tag] for tag in IOB.encode(text[part], text[0])] for text in texts]
        for part in (1, 2)
    ]
    for key, score in (
        ("ents_p", precision_score),
        ("ents_r", recall_score),
        ("ents_f", f1_score),
    ):
        expected = score(*tags, mode="strict", scheme=IOB2, zero_division=0)
        assert (scores[key] or 0) == pytest.approx(expected, abs=1e-6)
    if not any(gold for _, gold, _ in texts):
        return
    report = classification_report(
        *tags, mode="strict", scheme=IOB2, output_dict=True, zero_division=0
    )
    for label, found in scores["ents_per_type"].items():
        for key, name in (("p", "precision"), ("r", "recall"), ("f", "f1-score")):
            assert found[key] == pytest.approx(report[label][name], abs=1e-6)


def test_a_pipeline_that_knows_its_texts_scores_one(trained_nlp, make_examples):
    """Else the scores would not be those of what the pipeline predicts."""
    scores = trained_nlp.evaluate(make_examples(trained_nlp))
    assert scores["ents_f"] == scores["ents_p"] == scores["ents_r"] == 1.0
    assert set(scores["ents_per_type"]) == set(LABELS)


def test_no_scorer_gives_no_scores(make_nlp, make_examples):
    """Else the scorer of the config would be without effect."""
    nlp = make_nlp(**{"components.bertcrf.model.tok2vec.width": 16})
    nlp.initialize(lambda: make_examples(nlp))
    nlp.get_pipe("bertcrf").scorer = None
    assert "ents_f" not in nlp.evaluate(make_examples(nlp))
