import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_bertcrf.tagging import SCHEMES, TagSet


def all_partial_annotations(span_sets, length):
    for known in span_sets:
        covered = {i for span in known for i in range(span.start, span.end)}
        free = [i for i in range(length) if i not in covered]
        for chosen in itertools.product([False, True], repeat=len(free)):
            missing = np.zeros(length, dtype=bool)
            missing[free] = chosen
            yield known, missing


def agrees(full, known, missing):
    others = [span for span in full if span not in known]
    return len(others) == len(full) - len(known) and all(
        missing[start:end].all() for start, end, _ in others
    )


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("labels", "longest"), [(("A",), 5), (("A", "B"), 4)])
def test_allowed_sequences_are_exactly_the_readings_of_a_partial_annotation(
    scheme, labels, longest, all_span_sets
):
    """Training on partly annotated text would count a possible reading as wrong, or a wrong one
    (a known entity made longer by the missing tokens after it) as right."""
    tag_set = TagSet(labels, scheme)
    for length in range(longest + 1):
        span_sets = all_span_sets(length, labels)
        # Elsewhere shown to be all the legal sequences.
        legal = np.array([tag_set.encode(spans, length) for spans in span_sets])
        for known, missing in all_partial_annotations(span_sets, length):
            allowed = tag_set.allowed(known, missing)
            inside = allowed[np.arange(length), legal].all(axis=1)
            expected = [agrees(full, known, missing) for full in span_sets]
            assert inside.tolist() == expected, (known, missing)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_known_tokens_have_one_tag_and_missing_ones_never_only_outside(scheme, all_span_sets):
    """A token nobody annotated would be taught as being in no entity."""
    tag_set = TagSet(["A", "B"], scheme)
    for known, missing in all_partial_annotations(all_span_sets(4, ["A", "B"]), 4):
        allowed = tag_set.allowed(known, missing)
        assert allowed.shape == (4, len(tag_set))
        assert allowed.dtype == np.bool_
        ids = tag_set.encode(known, 4)
        np.testing.assert_array_equal(allowed[~missing], np.eye(len(tag_set))[ids[~missing]])
        entity_begins = tag_set.legal_start & (np.arange(len(tag_set)) > 0)
        assert allowed[missing][:, entity_begins].all()
        assert allowed[missing, 0].all()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_without_any_annotation_every_tag_is_allowed(scheme):
    """A document without annotation would teach something."""
    assert TagSet(["A", "B"], scheme).allowed([], np.ones(3, dtype=bool)).all()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), st.sampled_from("AB"), st.booleans())),
    st.data(),
)
def test_the_full_annotation_stays_allowed_when_parts_of_it_are_forgotten(scheme, pieces, data):
    """The likelihood of a partial annotation would leave out the truth."""
    spans, known, missing = [], [], []
    for gap, width, label, forget in pieces:
        missing += data.draw(st.lists(st.booleans(), min_size=gap, max_size=gap))
        span = (len(missing), len(missing) + width, label)
        spans.append(span)
        if not forget:
            known.append(span)
        missing += [forget] * width
    tag_set = TagSet(["A", "B"], scheme)
    allowed = tag_set.allowed(iter(known), missing)
    gold = tag_set.encode(spans, len(missing))
    assert allowed[np.arange(len(missing)), gold].all()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_span_over_a_missing_token_is_refused(scheme):
    """Two annotations that contradict each other would be merged by chance."""
    with pytest.raises(ValueError, match=r"Token 2 is in an entity span.*missing"):
        TagSet(["A"], scheme).allowed([(1, 3, "A")], [False, False, True, False])
