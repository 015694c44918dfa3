"""What a pipeline that has not seen an annotation holds against it, ranked."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_bertcrf.evaluation.judged import CharSpan, JudgedText
from spacy_bertcrf.evaluation.suspects import suspects

PER, ORG, LONGER = CharSpan(0, 4, "PER"), CharSpan(0, 4, "ORG"), CharSpan(0, 10, "PER")
OTHER = CharSpan(11, 15, "LOC")
TEXT = "Anna Black Köln"


def of(gold, predicted, **probabilities):
    known = {"per": PER, "org": ORG, "longer": LONGER, "other": OTHER}
    named = {known[name]: value for name, value in probabilities.items()}
    return JudgedText(TEXT, tuple(gold), tuple(predicted), named)


@pytest.mark.parametrize(
    ("text", "doubt", "gold", "suggested", "odds"),
    [
        (of([ORG], [PER], org=0.01, per=0.9), "wrong label", [ORG], [PER], 90),
        (of([LONGER], [PER], longer=0.1, per=0.8), "wrong border", [LONGER], [PER], 8),
        (of([LONGER], [ORG], longer=0.1, org=0.8), "wrong border and label", [LONGER], [ORG], 8),
        (of([], [PER], per=0.8, org=0.1), "missing", [], [PER], 8),
        (of([PER], [], per=0.1, org=0.1), "should not be there", [PER], [], 8),
    ],
)
def test_each_kind_has_its_suggestion_and_its_odds(text, doubt, gold, suggested, odds):
    """And the probability of what is suggested, and of the annotation."""
    (found,) = suspects([text]).suggestions
    assert (found.doubt, list(found.gold), list(found.suggested)) == (doubt, gold, suggested)
    assert found.probability / found.gold_probability == pytest.approx(odds)


def test_entities_side_by_side_are_not_counted_as_excluding_each_other():
    """Else a place where two of them are likely would be held to be an entity for certain."""
    first, second, both = CharSpan(0, 4, "PER"), CharSpan(5, 10, "PER"), LONGER
    text = JudgedText(TEXT, (), (both,), {first: 0.4, second: 0.4, both: 0.5})
    (found,) = suspects([text]).suggestions
    assert found.gold_probability == pytest.approx(0.1)


def test_the_kinds_have_one_rank():
    texts = [
        of([PER, OTHER], [PER, OTHER], per=0.6, other=0.9),
        of([], [PER], per=0.8),
        of([ORG], [PER], org=0.001, per=0.99),
    ]
    assert [item.document for item in suspects(texts).suggestions] == [2, 1]


def test_what_a_pipeline_often_does_is_less_suspicious():
    """It passes over many entities that are there, and is sure of it."""
    passes_over = [of([PER], [], per=1e-5)] * 99
    confuses = [of([ORG], [PER], org=0.3, per=0.6)] * 60
    rare = of([ORG], [PER], org=1e-4, per=0.9)
    found = suspects([*passes_over, *confuses, rare]).suggestions
    assert found[0].document == 159


def test_long_entities_are_held_to_what_is_usual_for_long_ones():
    """Else all long titles come before a short entity that is as improbable for its length."""
    usual = [of([PER], [PER], per=0.5), of([LONGER], [LONGER], longer=0.01)]
    texts = [*(usual * 20), of([LONGER], [], longer=1e-4), of([PER], [], per=2e-4)]
    assert [item.document for item in suspects(texts).suggestions] == [41, 40]


def test_entities_that_overlap_are_one_place():
    """Else accepting one suggestion would leave two entities on the same tokens."""
    inner = CharSpan(5, 10, "PER")
    known = {PER: 0.01, inner: 0.02, LONGER: 0.9, OTHER: 0.9}
    text = JudgedText(TEXT, (PER, inner, OTHER), (LONGER, OTHER), known)
    (found,) = suspects([text]).suggestions
    assert (found.gold, found.suggested) == ((PER, inner), (LONGER,))


def test_an_entity_of_which_the_pipeline_knows_nothing_is_counted_and_left_alone():
    """Its label is not the pipeline's: that it says another one means nothing."""
    found = suspects([of([ORG], [PER], per=0.99)])
    assert (found.suggestions, found.n_unjudged) == ([], 1)


spans = st.lists(
    st.builds(
        lambda start, length, label: CharSpan(start, min(start + length, 15), label),
        st.integers(0, 14),
        st.integers(1, 6),
        st.sampled_from(["PER", "LOC"]),
    ),
    max_size=5,
).map(lambda found: [s for i, s in enumerate(found) if not any(overlap(s, t) for t in found[:i])])


def overlap(one, other):
    return one.start < other.end and other.start < one.end


@pytest.mark.slow
@given(spans, spans, st.floats(0, 1))
def test_accepting_all_suggestions_gives_the_pipelines_reading(gold, predicted, probability):
    """No entity is lost or left twice: what is suggested in place of what is all that differs."""
    known = dict.fromkeys([*gold, *predicted], probability)
    text = JudgedText(TEXT, tuple(sorted(gold)), tuple(sorted(predicted)), known)
    left = set(gold)
    found = suspects([text]).suggestions
    for item in found:
        assert set(item.gold) <= left
        left = left - set(item.gold) | set(item.suggested)
        assert math.isfinite(item.score)
    assert left == set(predicted)
    assert [item.score for item in found] == sorted((i.score for i in found), reverse=True)
