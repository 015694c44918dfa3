import copy
import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.scheme import IOB2, IOBES, Entities

from spacy_bertcrf.tagging import SCHEMES, EntitySpan, TagSet

LABELS = ("PER", "ORG", "game.title-x")
SMALL_CASES = [
    pytest.param(scheme, labels, length, id=f"{scheme}-{len(labels)}labels-{length}tokens")
    for scheme in SCHEMES
    for labels, longest in (((), 4), (("A",), 5), (("A", "B"), 4))
    for length in range(longest + 1)
]


@st.composite
def documents(draw):
    """A length and a sorted set of non-overlapping spans; gaps of 0 make adjacent entities."""
    pieces = draw(
        st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5), st.sampled_from(LABELS)))
    )
    spans, position = [], 0
    for gap, width, label in pieces:
        spans.append(EntitySpan(position + gap, position + gap + width, label))
        position += gap + width
    return spans, position + draw(st.integers(0, 3))


def all_tag_sequences(tag_set, length):
    return itertools.product(range(len(tag_set)), repeat=length)


def masks_allow(tag_set, sequence):
    if not sequence:
        return True
    return bool(
        tag_set.legal_start[sequence[0]]
        and all(tag_set.legal_transitions[i, j] for i, j in itertools.pairwise(sequence))
        and tag_set.legal_end[sequence[-1]]
    )


def test_tag_ids_are_laid_out_by_label_then_prefix():
    """A trained model's tag ids would mean other tags after an upgrade."""
    assert TagSet(["A", "B"], "BIO").tags == ("O", "B-A", "I-A", "B-B", "I-B")
    assert TagSet(["A", "B"]).tags == (
        *("O", "B-A", "I-A", "E-A", "S-A"),
        *("B-B", "I-B", "E-B", "S-B"),
    )
    assert TagSet(["A", "B"]).scheme == "BIOES"
    assert TagSet(["B", "A"]).labels == ("B", "A")
    assert len(TagSet(["A", "B"])) == 9


@pytest.mark.parametrize(
    ("scheme", "tags"),
    [
        ("BIO", "B-PER I-PER I-PER B-PER O B-ORG I-ORG"),
        ("BIOES", "B-PER I-PER E-PER S-PER O B-ORG E-ORG"),
    ],
)
def test_encode_writes_the_tags_the_field_knows(scheme, tags):
    """Tags written to a column file would not be those that other tools read."""
    tag_set = TagSet(["ORG", "PER"], scheme)
    spans = [(5, 7, "ORG"), (0, 3, "PER"), (3, 4, "PER")]
    ids = tag_set.encode(iter(spans), 7)
    assert [tag_set.tags[i] for i in ids] == tags.split()
    assert ids.dtype == np.int64


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
@given(documents(), st.randoms(use_true_random=False))
def test_spans_survive_the_way_to_tags_and_back(scheme, document, random):
    """An entity would be lost, moved, split or joined to its neighbour in training data."""
    spans, length = document
    shuffled = random.sample(spans, len(spans))
    tag_set = TagSet(LABELS, scheme)
    ids = tag_set.encode(shuffled, length)
    assert ids.shape == (length,)
    assert tag_set.decode(ids) == spans
    assert tag_set.decode(ids.tolist()) == spans
    assert tag_set.decode(ids.astype(np.int32)) == spans


@pytest.mark.parametrize(("scheme", "labels", "length"), SMALL_CASES)
def test_legal_sequences_are_exactly_the_encodings_of_span_sets(
    scheme, labels, length, all_span_sets
):
    """A CRF under the masks would predict what has no meaning, or could not predict some entity."""
    tag_set = TagSet(labels, scheme)
    span_sets = all_span_sets(length, labels)
    legal = []
    for sequence in all_tag_sequences(tag_set, length):
        if masks_allow(tag_set, sequence):
            spans = tag_set.decode(sequence)
            assert tuple(tag_set.encode(spans, length)) == sequence
            legal.append(spans)
        else:
            with pytest.raises(ValueError, match="illegal"):
                tag_set.decode(sequence)
    assert len(legal) == len(span_sets)
    assert sorted(legal) == sorted(span_sets)


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "oracle"), [("BIO", IOB2), ("BIOES", IOBES)])
@given(documents())
def test_seqeval_reads_the_same_entities(scheme, oracle, document):
    """Our scores would not be comparable with published strict ones."""
    spans, length = document
    tag_set = TagSet(LABELS, scheme)
    tags = [tag_set.tags[i] for i in tag_set.encode(spans, length)]
    entities = Entities([tags], oracle).entities[0]
    assert [(e.start, e.end, e.tag) for e in entities] == spans


def test_decode_returns_plain_python_values():
    """doc[start:end] and json would refuse NumPy integers."""
    [span] = TagSet(["A"]).decode(np.array([0, 4]))
    assert isinstance(span, EntitySpan)
    assert [type(value) for value in span] == [int, int, str]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "remake", [lambda x: x, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_masks_are_read_only_also_in_copies(scheme, remake):
    """One component could change what is legal for all others that share the tag set."""
    original = TagSet(LABELS, scheme)
    tag_set = remake(original)
    assert (tag_set.tags, tag_set.scheme) == (original.tags, scheme)
    for name in ("legal_start", "legal_transitions", "legal_end"):
        mask = getattr(tag_set, name)
        assert mask.dtype == np.bool_
        np.testing.assert_array_equal(mask, getattr(original, name))
        with pytest.raises(ValueError, match="read-only"):
            mask[0] = False


@pytest.mark.parametrize(
    ("labels", "scheme", "message"),
    [
        (["A"], "bio", "no tag scheme 'bio'.*BIO, BIOES"),
        (["A", "B", "A"], "BIO", "Label 2, 'A', is there twice"),
        (["A", ""], "BIO", "Label 1 is ''"),
        (["A", None], "BIO", "Label 1 is None"),
        ("PER", "BIO", r"Write \['PER'\]"),
    ],
)
def test_bad_tag_sets_are_refused(labels, scheme, message):
    """A typing error in a config would show only as a model that learns nothing."""
    with pytest.raises(ValueError, match=message):
        TagSet(labels, scheme)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([(2, 4, "A"), (0, 3, "A")], r"\(2, 4, 'A'\) overlaps.*before token 3"),
        ([(1, 2, "A"), (1, 2, "A")], r"\(1, 2, 'A'\) overlaps"),
        ([(0, 5, "A"), (1, 2, "A")], r"\(1, 2, 'A'\) overlaps"),
        ([(4, 6, "A")], r"\(4, 6, 'A'\) runs outside the text, which has 5 tokens"),
        ([(-1, 1, "A")], r"\(-1, 1, 'A'\) runs outside"),
        ([(2, 2, "A")], r"\(2, 2, 'A'\) is empty"),
        ([(3, 2, "A")], r"\(3, 2, 'A'\) is empty"),
        ([(0, 1, "X")], r"\(0, 1, 'X'\) has a label that is not in the tag set.*A"),
    ],
)
def test_spans_that_have_no_tags_are_refused(scheme, spans, message):
    """A bad annotation would overwrite a good one, or vanish, without a word."""
    with pytest.raises(ValueError, match=message):
        TagSet(["A"], scheme).encode(spans, 5)


@pytest.mark.parametrize(
    ("scheme", "tags", "message"),
    [
        ("BIO", ["I-A", "O"], "token 0: 'I-A' cannot be the first"),
        ("BIO", ["O", "B-A", "I-B"], "token 2: 'I-B' cannot follow 'B-A'"),
        ("BIOES", ["S-A", "O", "E-A"], "token 2: 'E-A' cannot follow 'O'"),
        ("BIOES", ["O", "B-A"], "token 1: 'B-A' cannot be the last"),
    ],
)
def test_the_place_of_an_illegal_tag_is_named(scheme, tags, message):
    """In a document of thousands of tokens, nobody would find the wrong one."""
    tag_set = TagSet(["A", "B"], scheme)
    with pytest.raises(ValueError, match=message):
        tag_set.decode([tag_set.tags.index(tag) for tag in tags])


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([0, -1], "Token 1 has tag id -1"),
        ([0, 0, 5], "Token 2 has tag id 5.*0 to 4"),
        ([0.0], "sequence of integers.*float64"),
        ([[0]], r"shape \(1, 1\)"),
    ],
)
def test_ids_of_another_tag_set_are_refused(ids, message):
    """A model loaded with the wrong labels would give entities with the wrong ones."""
    with pytest.raises(ValueError, match=message):
        TagSet(["A"]).decode(ids)
