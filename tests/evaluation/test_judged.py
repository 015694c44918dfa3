"""The table of judged entities, beside nervaluate."""

import itertools

import pytest
import spacy
from hypothesis import assume, given
from hypothesis import strategies as st
from spacy.tokens import Doc, Span

from spacy_bertcrf.corpora.annotated_labels import mark_annotated
from spacy_bertcrf.evaluation.judged import CharSpan, Kind, entities, judgeable, pair_entities

LABELS = ("PER", "LOC")


@st.composite
def flat_spans(draw, length=14):
    """Entities that do not overlap, in any order."""
    borders = sorted(draw(st.sets(st.integers(0, length), max_size=8)))
    pairs = [pair for pair in itertools.pairwise(borders) if draw(st.booleans())]
    return [CharSpan(start, end, draw(st.sampled_from(LABELS))) for start, end in pairs]


@pytest.mark.slow
@given(flat_spans(), flat_spans())
def test_no_entity_is_dropped_or_counted_twice(gold, predicted):
    pairs = pair_entities(gold, predicted)
    assert sorted(pair.gold for pair in pairs if pair.gold) == sorted(gold)
    assert sorted(pair.predicted for pair in pairs if pair.predicted) == sorted(predicted)
    right = [pair for pair in pairs if pair.kind is Kind.RIGHT]
    assert len(right) == len(set(gold) & set(predicted))
    for kind, both in ((Kind.MISSED, False), (Kind.INVENTED, False), (Kind.LABEL, True)):
        assert all((pair.gold is None or pair.predicted is None) is not both
                   for pair in pairs if pair.kind is kind)  # fmt: skip


@pytest.mark.slow
@given(flat_spans(), flat_spans())
def test_the_classes_are_those_of_nervaluate(gold, predicted):
    """Where no entity overlaps with two: there nervaluate's pairs depend on the order."""
    from nervaluate.entities import Entity
    from nervaluate.strategies import EntityTypeEvaluation, ExactEvaluation, StrictEvaluation

    for spans, others in ((gold, predicted), (predicted, gold)):
        assume(all(sum(s.start < o.end and o.start < s.end for o in others) < 2 for s in spans))
    counts = dict.fromkeys(Kind, 0)
    for pair in pair_entities(gold, predicted):
        counts[pair.kind] += 1
    true, pred = (
        [Entity(label=s.label, start=s.start, end=s.end - 1) for s in spans]
        for spans in (gold, predicted)
    )
    strict, by_type, exact = (
        strategy().evaluate(true, pred, list(LABELS))[0]
        for strategy in (StrictEvaluation, EntityTypeEvaluation, ExactEvaluation)
    )
    wrong = counts[Kind.BORDER] + counts[Kind.LABEL] + counts[Kind.BORDER_AND_LABEL]
    assert (strict.correct, strict.incorrect) == (counts[Kind.RIGHT], wrong)
    assert (strict.missed, strict.spurious) == (counts[Kind.MISSED], counts[Kind.INVENTED])
    assert by_type.correct == counts[Kind.RIGHT] + counts[Kind.BORDER]
    assert exact.correct == counts[Kind.RIGHT] + counts[Kind.LABEL]


@pytest.mark.parametrize(
    ("gold", "predicted", "kind"),
    [
        ((0, 2, "PER"), (0, 2, "PER"), Kind.RIGHT),
        ((0, 2, "PER"), (0, 2, "LOC"), Kind.LABEL),
        ((0, 2, "PER"), (1, 2, "PER"), Kind.BORDER),
        ((0, 2, "PER"), (1, 3, "LOC"), Kind.BORDER_AND_LABEL),
    ],
)
def test_each_kind(gold, predicted, kind):
    (pair,) = pair_entities([CharSpan(*gold)], [CharSpan(*predicted)])
    assert pair.kind is kind


def test_the_right_one_of_two_that_overlap_is_taken():
    gold = [CharSpan(2, 4, "PER")]
    pairs = pair_entities(gold, [CharSpan(0, 3, "PER"), CharSpan(2, 4, "PER")])
    assert [pair.kind for pair in pairs] == [Kind.INVENTED, Kind.RIGHT]


def test_what_is_not_annotated_is_not_judged():
    """A prediction on tokens of which nothing is known is neither right nor wrong."""
    nlp = spacy.blank("en")
    reference = Doc(nlp.vocab, words=["Anna", "met", "Bob", "here"])
    reference.set_ents([Span(reference, 0, 1, "PER")], missing=[reference[2:3]])
    found = [CharSpan(0, 4, "PER"), CharSpan(9, 12, "PER"), CharSpan(13, 17, "LOC")]
    assert judgeable(found, reference) == (found[0], found[2])


def test_what_was_annotated_for_one_label_is_judged_for_that():
    nlp = spacy.blank("en")
    reference = Doc(nlp.vocab, words=["Anna", "met", "Bob"])
    reference.set_ents([Span(reference, 0, 1, "PER")], default="outside")
    mark_annotated(reference, ["PER"])
    found = [CharSpan(0, 4, "PER"), CharSpan(9, 12, "PER"), CharSpan(9, 12, "LOC")]
    assert judgeable(found, reference) == (found[0], found[1])
    assert entities(reference) == (found[0],)
