"""Expected calibration error of predicted entities."""

import math

import numpy as np
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_bertcrf.evaluation.calibration import measure_calibration

VOCAB = spacy.blank("zh").vocab
SCORES = st.floats(0, 1, width=32)


def scored_doc(words, spans, key="sure"):
    """A Doc with spans as (start, end, label, score) in doc.spans."""
    doc = Doc(VOCAB, words=words, spaces=[False] * len(words))
    doc.spans[key] = [Span(doc, start, end, label) for start, end, label, _ in spans]
    doc.spans[key].attrs["scores"] = np.asarray([s for *_, s in spans], dtype="float32")
    return doc


def gold_doc(words, tags):
    return Doc(VOCAB, words=words, spaces=[False] * len(words), ents=tags)


def one_token_entities(outcomes):
    """An example with an entity a token, each with its score and whether gold has it."""
    words = ["字"] * len(outcomes)
    predicted = scored_doc(words, [(i, i + 1, "A", s) for i, (s, _) in enumerate(outcomes)])
    return Example(predicted, gold_doc(words, ["B-A" if right else "O" for _, right in outcomes]))


@pytest.mark.slow
@given(st.lists(st.tuples(SCORES, st.booleans()), min_size=1, max_size=30), st.integers(1, 20))
def test_the_error_is_that_of_the_definition(outcomes, n_bins):
    """Else it could not be compared with what others publish."""
    calibration = measure_calibration([one_token_entities(outcomes)], "sure", n_bins)
    expected = 0.0
    edges = np.linspace(0, 1, n_bins + 1)
    for m in range(n_bins):
        low, high = edges[m : m + 2]
        members = [(s, r) for s, r in outcomes if low < s <= high or (m == 0 and s == 0)]
        assert calibration.counts[m] == len(members)
        if not members:
            assert math.isnan(calibration.accuracy[m])
            assert math.isnan(calibration.confidence[m])
            continue
        confidence = sum(s for s, _ in members) / len(members)
        accuracy = sum(r for _, r in members) / len(members)
        assert calibration.confidence[m] == pytest.approx(confidence)
        assert calibration.accuracy[m] == pytest.approx(accuracy)
        expected += len(members) / len(outcomes) * abs(accuracy - confidence)
    assert calibration.error == pytest.approx(expected)
    assert len(calibration.edges) == n_bins + 1


def test_the_bins_are_those_of_all_documents_together():
    """Averaged by document, the error of a corpus would depend on where it is cut."""
    outcomes = [(0.9, True), (0.9, False), (0.3, True), (0.3, False)]
    whole = measure_calibration([one_token_entities(outcomes)], "sure")
    parts = measure_calibration([one_token_entities([outcome]) for outcome in outcomes], "sure")
    assert parts.error == pytest.approx(whole.error)
    assert whole.error == pytest.approx((0.4 + 0.2) / 2)


def test_right_is_the_exact_span_with_its_label():
    """Else the scores would be held to something else than what they are the probability of."""
    words = list("北京大学的王芳")
    gold = gold_doc(words, ["B-org", "I-org", "I-org", "I-org", "O", "B-name", "I-name"])
    spans = [(0, 4, "org", 0.05), (0, 2, "org", 0.25), (0, 4, "place", 0.45), (5, 7, "name", 0.85)]
    calibration = measure_calibration([Example(scored_doc(words, spans), gold)], "sure", 10)
    assert np.nan_to_num(calibration.accuracy, nan=-1).tolist() == [
        1, -1, 0, -1, 0, -1, -1, -1, 1, -1,
    ]  # fmt: skip


def test_entities_without_gold_annotation_are_left_out_and_counted():
    """Counted as wrong, they would make every model look too sure on partly annotated text."""
    words = list("北京的王芳")
    gold = gold_doc(words, ["B-place", "I-place", "O", None, None])
    spans = [(0, 2, "place", 0.75), (2, 4, "name", 0.9), (3, 5, "name", 0.9)]
    calibration = measure_calibration([Example(scored_doc(words, spans), gold)], "sure")
    assert calibration.counts.sum() == 1
    assert calibration.n_unjudged == 2
    assert calibration.error == pytest.approx(0.25)
    bare = Example(scored_doc(words, spans), Doc(VOCAB, words=words, spaces=[False] * 5))
    with pytest.raises(ValueError, match="none but 3 on tokens without gold annotation"):
        measure_calibration([bare], "sure")


def test_other_tokens_than_those_of_the_gold_are_aligned():
    """Else a corpus with words of its own would show every entity as wrong."""
    predicted = scored_doc(list("北京大学的王芳"), [(0, 4, "org", 0.8), (5, 7, "name", 0.8)])
    gold = gold_doc(["北京大学", "的王", "芳"], ["B-org", "O", "B-name"])
    calibration = measure_calibration([Example(predicted, gold)], "sure")
    assert calibration.accuracy[~np.isnan(calibration.accuracy)].tolist() == [0.5]


def test_without_scores_the_user_is_told_of_spans_key():
    """Else a mistyped key would be a KeyError, and an unscored group would be measured as sure."""
    example = one_token_entities([(0.5, True)])
    with pytest.raises(ValueError, match=r"doc\.spans\['other'\] has no scores.*'字'.*spans_key"):
        measure_calibration([example], "other")
    del example.predicted.spans["sure"].attrs["scores"]
    with pytest.raises(ValueError, match="Set the component's spans_key to 'sure'"):
        measure_calibration([example], "sure")


@pytest.mark.parametrize(
    ("scores", "message"),
    [([0.5, 0.5], "1 spans and scores of the shape"), ([1.5], "no prob"), ([math.nan], "no prob")],
)
def test_scores_must_be_probabilities_one_a_span(scores, message):
    """Else they would be counted in the outermost bins, or against other entities."""
    example = one_token_entities([(0.5, True)])
    example.predicted.spans["sure"].attrs["scores"] = np.asarray(scores)
    with pytest.raises(ValueError, match=message):
        measure_calibration([example], "sure")


def test_there_must_be_something_to_measure():
    """Else the error of a model that predicts nothing would be 0, the best there is."""
    with pytest.raises(ValueError, match=r"there are none\."):
        measure_calibration([one_token_entities([])], "sure")
    with pytest.raises(ValueError, match="n_bins is 0"):
        measure_calibration([one_token_entities([(0.5, True)])], "sure", 0)
