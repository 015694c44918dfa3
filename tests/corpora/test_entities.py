import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_bertcrf.corpora.entities import (
    DUPLICATE,
    NESTED,
    OVERLAP,
    TWO_LABELS,
    annotate,
    without_overlaps,
)
from spacy_bertcrf.tagging import EntitySpan


@st.composite
def entity_span(draw):
    start = draw(st.integers(0, 12))
    return EntitySpan(start, start + draw(st.integers(1, 6)), draw(st.sampled_from("AB")))


def overlap(one, other):
    return one.start < other.end and other.start < one.end


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(entity_span()))
def test_every_span_is_kept_or_gives_way_to_one_at_least_as_long(spans):
    """Else an entity is lost without a trace, or spaCy refuses the rest for an overlap."""
    kept, dropped = without_overlaps(spans)
    assert sorted([*kept, *(drop.span for drop in dropped)]) == sorted(spans)
    assert not any(overlap(one, other) for i, one in enumerate(kept) for other in kept[:i])
    for span, _, rival in dropped:
        assert rival in kept
        assert overlap(span, rival)
        assert rival.end - rival.start >= span.end - span.start


@pytest.mark.parametrize(
    ("spans", "kept", "kind"),
    [
        ([(2, 3, "A"), (0, 4, "B")], (0, 4, "B"), NESTED),
        ([(0, 2, "A"), (1, 4, "B")], (1, 4, "B"), OVERLAP),
        ([(1, 3, "A"), (0, 2, "B")], (0, 2, "B"), OVERLAP),
        ([(0, 2, "B"), (0, 2, "A")], (0, 2, "B"), TWO_LABELS),
        ([(0, 2, "B"), (0, 2, "B")], (0, 2, "B"), DUPLICATE),
    ],
)
def test_which_span_is_kept_and_what_is_said_of_the_other(spans, kept, kind):
    """Else the choice between two annotations would be anyone's guess."""
    chosen, dropped = without_overlaps([EntitySpan(*span) for span in spans])
    assert chosen == [kept]
    assert [drop.kind for drop in dropped] == [kind]


def test_tokens_are_entity_outside_or_missing():
    """Else a gap in the annotation would be trained on as "no entity"."""
    doc = spacy.blank("zh").make_doc("一二三四")
    annotate(doc, [EntitySpan(0, 1, "A"), EntitySpan(1, 2, "A")], missing=[1, 2])
    assert [token.ent_iob_ for token in doc] == ["B", "B", "", "O"]
