import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from spacy_bertcrf.tagging import EntitySpan
from spacy_bertcrf.tagging.repair import (
    ANOTHER_LABEL,
    FILE_SCHEMES,
    FOREIGN_PREFIX,
    NO_BEGINNING,
    NO_END,
    OVER_BREAK,
    UNKNOWN_TAG,
    check_scheme,
    detect_scheme,
    read_tags,
)

LABELS = ["PER", "org.com", "a-b_c"]
LETTERS = {"BIO": "BIIB", "BIOES": "BIES", "BMES": "BMES", "BIOS": "BIIS", "BILOU": "BILU"}


@st.composite
def spans_and_length(draw):
    spans, position = [], 0
    for gap, width, label in draw(
        st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), st.sampled_from(LABELS)))
    ):
        start = position + gap
        position = start + width
        spans.append(EntitySpan(start, position, label))
    return spans, position + draw(st.integers(0, 2))


def write_tags(spans, length, scheme):
    tags = ["O"] * length
    for start, end, label in spans:
        if scheme in ("IO", "IOB1"):
            tags[start:end] = [f"I-{label}"] * (end - start)
            if scheme == "IOB1" and start and tags[start - 1][2:] == label:
                tags[start] = f"B-{label}"
            continue
        first, inner, last, only = LETTERS[scheme]
        letters = [first, *[inner] * (end - start - 2), last] if end - start > 1 else [only]
        tags[start:end] = [f"{letter}-{label}" for letter in letters]
    return tags


def joined(spans):
    """The spans as IO can write them: neighbours of one label run together."""
    result = []
    for span in spans:
        if result and result[-1].end == span.start and result[-1].label == span.label:
            span = EntitySpan(result.pop().start, span.end, span.label)
        result.append(span)
    return result


@settings(deadline=None)
@given(spans_and_length(), st.sampled_from(list(FILE_SCHEMES)))
def test_well_formed_tags_give_their_spans_and_no_repair(corpus, scheme):
    """Else a sound file would lose entities or be reported as broken."""
    spans, length = corpus
    reading = read_tags(write_tags(spans, length, scheme), scheme)
    assert reading.spans == (joined(spans) if scheme == "IO" else spans)
    assert not reading.repairs
    assert not reading.missing


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(spans_and_length(), min_size=1), st.sampled_from(list(FILE_SCHEMES)))
def test_detected_scheme_reads_what_was_written(corpus, scheme):
    """Else a user who does not name the scheme gets other entities than the file has."""
    sentences = [write_tags(spans, length, scheme) for spans, length in corpus]
    detected = detect_scheme(sentences)
    for (spans, _), tags in zip(corpus, sentences, strict=True):
        reading = read_tags(tags, detected)
        assert reading.spans == (joined(spans) if scheme == "IO" else spans)
        assert not reading.repairs


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(
            st.just("O"),
            st.builds("{}-{}".format, st.sampled_from("BIES"), st.sampled_from(["A", "B.c"])),
        )
    ),
    st.sampled_from(["BIO", "BIOES"]),
)
def test_broken_tags_are_read_as_conlleval_reads_them(tags, scheme):
    """Else entities of a corpus with stray tags differ from those that others score against."""
    oracle = [EntitySpan(start, end + 1, label) for label, start, end in get_entities(tags)]
    assert read_tags(tags, scheme).spans == oracle


@pytest.mark.parametrize("tag", ["\u041e", "\uff2f", "B\u2013A", "\u0412-A"])
def test_letters_that_look_like_others_are_named(tag):
    """Else a message says that O is not a tag."""
    reading = read_tags(["B-A", tag], "BIO")
    assert reading.missing == [1]
    assert re.search(r"\(with [A-Z -]+\) is not a tag", reading.repairs[0].what)


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from([None, "O", "?", "B-A", "I-A", "I-B", "E-A", "S-B", "M-A", "U-B", "A"])
    ),
    st.sampled_from(list(FILE_SCHEMES)),
)
def test_any_strings_give_spans_without_overlap_and_apart_from_missing_tokens(tags, scheme):
    """Else the converter would crash on a bad file, or claim to know what it cannot read."""
    reading = read_tags(tags, scheme)
    covered = [i for span in reading.spans for i in range(span.start, span.end)]
    assert reading.spans == sorted(reading.spans)
    assert len(set(covered)) == len(covered)
    assert not set(covered) & set(reading.missing)
    assert len(set(reading.missing)) == len(reading.missing)
    assert {i for i, tag in enumerate(tags) if tag is None} <= set(reading.missing)
    assert all(i in reading.missing or i in covered for i, tag in enumerate(tags) if tag != "O")
    assert all(0 <= repair.token < len(tags) for repair in reading.repairs)


@pytest.mark.parametrize(
    ("tags", "scheme", "spans", "repairs"),
    [
        ("O I-A I-A", "BIO", [(1, 3, "A")], [(1, NO_BEGINNING)]),
        ("I-A O", "BIO", [(0, 1, "A")], [(0, NO_BEGINNING)]),
        ("B-A I-B", "BIO", [(0, 1, "A"), (1, 2, "B")], [(1, ANOTHER_LABEL)]),
        ("B-A E-B", "BIOES", [(0, 1, "A"), (1, 2, "B")], [(1, ANOTHER_LABEL)]),
        ("B-A O", "BIOES", [(0, 1, "A")], [(0, NO_END)]),
        ("B-A M-A", "BMES", [(0, 2, "A")], [(1, NO_END)]),
        ("B-A B-A E-A", "BMES", [(0, 1, "A"), (1, 3, "A")], [(0, NO_END)]),
        ("B-A E-A E-A", "BIOES", [(0, 2, "A"), (2, 3, "A")], [(2, NO_BEGINNING)]),
        ("S-A O", "BIO", [(0, 1, "A")], [(0, FOREIGN_PREFIX)]),
        ("B_a.b I_a.b", "BIO", [(0, 2, "a.b")], []),
        ("A A O B", "IO", [(0, 2, "A"), (3, 4, "B")], []),
    ],
)
def test_each_repair_is_reported_at_its_token(tags, scheme, spans, repairs):
    """Else a user could not find the place in the file."""
    reading = read_tags(tags.split(), scheme)
    assert reading.spans == spans
    assert [(repair.token, repair.kind) for repair in reading.repairs] == repairs
    assert not reading.missing


@pytest.mark.parametrize(
    ("tags", "spans", "missing"),
    [
        (["B-A", "X", "O"], [(0, 1, "A")], [1]),
        (["B-A", "X", "B-A"], [(0, 1, "A"), (2, 3, "A")], [1]),
        (["B-A", "X", "I-A", "I-A", "O"], [], [0, 1, 2, 3]),
        (["B-A", "X", "I-B", "O"], [(0, 1, "A")], [1, 2]),
        (["X", "I-A", "B-A"], [(2, 3, "A")], [0, 1]),
        (["0", "B-", "-"], [], [0, 1, 2]),
    ],
)
def test_unreadable_tags_leave_annotation_missing(tags, spans, missing):
    """Else an unreadable tag would be trained on as "no entity", or its entity cut in two."""
    reading = read_tags(tags, "BIO")
    assert reading.spans == spans
    assert reading.missing == missing
    assert UNKNOWN_TAG in [repair.kind for repair in reading.repairs]
    unreported = read_tags([None if tag == "X" else tag for tag in tags], "BIO")
    assert unreported[:2] == reading[:2]


def test_an_entity_cut_by_a_sentence_break_is_told_from_a_stray_tag():
    """Else a user cannot tell wrong sentence breaks from wrong tags."""
    first = read_tags(["O", "B-A"], "BIO")
    assert first.running == "A"
    second = read_tags(["I-A", "O"], "BIO", continued=first.running)
    assert [repair.kind for repair in second.repairs] == [OVER_BREAK]
    assert second.spans == [(0, 1, "A")]
    assert second.running is None
    other = read_tags(["I-B"], "BIO", continued="A")
    assert [repair.kind for repair in other.repairs] == [NO_BEGINNING]


@pytest.mark.parametrize(
    ("scheme", "tags", "stray"),
    [
        ("BIO", ["B-A", "I-A", "O", "B-B"], ["O", "I-A", "E-A"]),
        ("BIOES", ["B-A", "E-A", "O", "S-B"], ["B-A", "O", "I-B"]),
        ("BMES", ["B-A", "M-A", "E-A", "S-B"], ["I-A"]),
        ("BIO", ["B-A"], ["I-B"] * 9 + ["O", "I-A"] * 30),
        ("IOB1", ["I-A", "B-A", "O", "I-B"], ["O", "B-A"]),
    ],
)
def test_a_few_stray_tags_do_not_change_the_detected_scheme(scheme, tags, stray):
    """Else one typo would hide itself, or fill the report with thousands of sound tags."""
    assert detect_scheme([tags] * 20 + [stray]) == scheme


def test_a_column_that_holds_no_tags_is_refused():
    """Else part-of-speech tags would become entity labels."""
    with pytest.raises(ValueError, match="Name the column"):
        detect_scheme([["NNP", "VBZ", "."]])
    assert detect_scheme([["PER", "PER", "O"]]) == "IO"


def test_scheme_names():
    """Users know the schemes by several names."""
    assert check_scheme("iob2") == "BIO"
    assert check_scheme("BILUO") == "BILOU"
    with pytest.raises(ValueError, match="BIOES, BMES"):
        check_scheme("BIOX")
