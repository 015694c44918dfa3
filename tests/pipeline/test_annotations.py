"""From Docs to tag sets: what is known of the gold tags, and what only seems to be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_bertcrf.pipeline.annotations import (
    allowed_tags,
    gold_annotation,
    set_entities,
    tag_targets,
)
from spacy_bertcrf.tagging import EntitySpan, TagSet

VOCAB = Vocab()
LABELS = TagSet(["LOC", "PER"])


def make_example(predicted_words, words, tags):
    """Words that end in a blank have one after them."""
    predicted, reference = (
        Doc(
            VOCAB,
            words=[word.removesuffix(" ") or " " for word in some],
            spaces=[word.endswith(" ") and word != " " for word in some],
        )
        for some in (predicted_words, words)
    )
    if tags:
        set_tags(reference, tags)
    return Example(predicted, reference)


def set_tags(doc, tags):
    """Tags as in Doc's `ents`; "-" for a missing one."""
    doc.set_ents(
        [
            Span(doc, start, end, label)
            for start, end, label in TagSet(["LOC", "PER"], "BIO").decode(
                [TagSet(["LOC", "PER"], "BIO").tags.index(tag) if tag != "-" else 0 for tag in tags]
            )
        ],
        missing=[doc[i : i + 1] for i, tag in enumerate(tags) if tag == "-"],
    )


def test_same_tokens_are_read_as_they_are():
    """Else the plain case, all of most corpora, would be wrong."""
    words = ["Ann ", "in ", "New ", "York", "."]
    gold = gold_annotation(make_example(words, words, ["B-PER", "O", "B-LOC", "I-LOC", "O"]))
    assert gold.spans == [(0, 1, "PER"), (2, 4, "LOC")]
    assert not gold.missing.any()
    assert gold.n_misaligned == 0


def test_other_tokens_keep_what_aligns():
    """Else a tokenizer that splits a little differently would cost all of a text's entities."""
    example = make_example(
        ["Ann ", "in ", "New ", "York", "-", "City", "."],
        ["Ann ", "in ", "New ", "York-City", "."],
        ["B-PER", "O", "B-LOC", "I-LOC", "O"],
    )
    gold = gold_annotation(example)
    assert gold.spans == [(0, 1, "PER"), (2, 6, "LOC")]
    assert not gold.missing.any()
    assert gold.n_misaligned == 0


@pytest.mark.parametrize(
    ("predicted_words", "words", "tags", "missing"),
    [
        (
            ["to ", "New ", "York-based", "."],
            ["to ", "New ", "York", "-", "based", "."],
            ["O", "B-LOC", "I-LOC", "O", "O", "O"],
            [False, True, True, False],
        ),
        (
            ["AnnLee ", "came"],
            ["Ann", "Lee ", "came"],
            ["B-PER", "B-PER", "O"],
            [True, False],
        ),
        (
            ["New", "\n", "York-", "based ", "in"],
            ["New ", "York", "-", "based ", "in"],
            ["B-LOC", "I-LOC", "O", "O", "O"],
            [True, True, True, False, False],
        ),
    ],
)
def test_misaligned_entities_are_missing(predicted_words, words, tags, missing):
    """Else the model would be taught that the tokens of a real entity are in none."""
    gold = gold_annotation(make_example(predicted_words, words, tags))
    assert gold.spans == []
    assert gold.missing.tolist() == missing
    assert gold.n_misaligned == sum(tag.startswith("B-") for tag in tags)
    allowed = tag_targets([make_example(predicted_words, words, tags)], LABELS).allowed
    assert allowed[missing].all(), "every tag is allowed where nothing is known"
    assert allowed[~np.array(missing)].sum() == missing.count(False)


def test_spaces_that_the_reference_lacks_are_outside():
    """Else a line break would be a place where the model may learn anything."""
    example = make_example(
        ["Ann", "\n", "in ", "York", "\n", "\n", "."],
        ["Ann ", "in ", "York ", "."],
        ["B-PER", "O", "B-LOC", "O"],
    )
    gold = gold_annotation(example)
    assert gold.spans == [(0, 1, "PER"), (3, 4, "LOC")]
    assert not gold.missing.any()


@pytest.mark.parametrize("predicted_words", [["a ", "b ", "c"], ["a ", "b", " ", "c"]])
def test_missing_annotation_stays_missing(predicted_words):
    """Else unannotated text would be learned as text without entities."""
    gold = gold_annotation(make_example(predicted_words, ["a ", "b ", "c"], None))
    assert gold.missing.all()
    gold = gold_annotation(make_example(predicted_words, ["a ", "b ", "c"], ["O", "-", "B-PER"]))
    assert gold.missing.tolist() == [False, *[True] * (len(predicted_words) - 2), False]
    assert gold.n_misaligned == 0


def test_full_annotation_needs_no_sets():
    """Else every training step would pay for partial annotation that is not there."""
    full = make_example(["a ", "b"], ["a ", "b"], ["B-PER", "O"])
    targets = tag_targets([full, full], LABELS)
    assert targets.allowed is None
    assert [LABELS.tags[tag] for tag in targets.tags] == ["S-PER", "O"] * 2
    partial = make_example(["a ", "b"], ["a ", "b"], ["B-PER", "-"])
    targets = tag_targets([full, partial], LABELS)
    assert targets.allowed.sum(axis=1).tolist() == [1, 1, 1, len(LABELS)]


def test_an_unknown_label_is_named_with_its_text():
    """Else the user could not find the one wrong label in a corpus."""
    example = make_example(["Ann ", "sat"], ["Ann ", "sat"], ["B-PER", "O"])
    with pytest.raises(ValueError, match=r"'Ann' has the label 'PER'.*'Ann sat'.*LOC"):
        tag_targets([example], TagSet(["LOC"]))


span_lists = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 2), st.sampled_from(["LOC", "PER"])), max_size=5
)


def lay_out(pieces):
    """Spans of these (width, gap before, label), and the length of a text that holds them."""
    spans, end = [], 0
    for width, gap, label in pieces:
        spans.append(EntitySpan(end + gap, end + gap + width, label))
        end += gap + width
    return spans, end + 1


@settings(max_examples=60, deadline=None)
@given(span_lists, st.data(), st.sampled_from(["BIO", "BIOES"]))
def test_what_is_set_and_what_is_predicted_add_up(pieces, data, scheme):
    """Else entities would be lost or moved where rules and model meet."""
    spans, length = lay_out(pieces)
    preset = [span for span in spans if data.draw(st.booleans())]
    doc = Doc(VOCAB, words=["w"] * length)
    doc.set_ents([Span(doc, *span, kb_id="Q7") for span in preset], default="missing")
    tag_set = TagSet(["LOC", "PER"], scheme)
    allowed = allowed_tags([doc], tag_set)
    predicted = tag_set.encode(spans, length)
    if allowed is not None:
        assert allowed[np.arange(length), predicted].all()
    set_entities(doc, tag_set.decode(predicted))
    assert [(ent.start, ent.end, ent.label_) for ent in doc.ents] == spans
    assert {(ent.start, ent.end, ent.label_) for ent in doc.ents if ent.kb_id_} == set(preset)
    assert all(token.ent_iob for token in doc)


@settings(max_examples=60, deadline=None)
@given(span_lists, st.sampled_from(["BIO", "BIOES"]))
def test_gold_entities_come_through(pieces, scheme):
    """Else training would not learn the entities of the corpus."""
    spans, length = lay_out(pieces)
    reference = Doc(VOCAB, words=["w"] * length)
    reference.ents = [Span(reference, *span) for span in spans]
    tag_set = TagSet(["LOC", "PER"], scheme)
    targets = tag_targets([Example(Doc(VOCAB, words=["w"] * length), reference)], tag_set)
    assert tag_set.decode(targets.tags) == spans


def test_unset_docs_are_free():
    """Else prediction would pay for presets that are not there."""
    assert allowed_tags([Doc(VOCAB, words=["a", "b"])], LABELS) is None


def test_outside_everywhere_is_free():
    """Else an entity_ruler before the component, which calls all outside that its rules miss,
    would leave nothing to predict."""
    doc = Doc(VOCAB, words=["a", "b"], ents=["O", "O"])
    assert allowed_tags([doc], LABELS) is None
    set_entities(doc, [EntitySpan(1, 2, "PER")])
    assert [token.ent_iob_ for token in doc] == ["O", "B"]


def test_outside_among_missing_is_kept():
    """Else a user could not say of some tokens that they are in no entity."""
    doc = Doc(VOCAB, words=["a", "b", "c"])
    doc.set_ents([], outside=[doc[1:2]], default="missing")
    allowed = allowed_tags([doc], LABELS)
    assert allowed.sum(axis=1).tolist() == [len(LABELS), 1, len(LABELS)]
    assert allowed[1, 0]


def test_blocked_tokens_are_outside():
    """Else `doc.set_ents(blocked=…)` would not keep the model off."""
    doc = Doc(VOCAB, words=["a", "b", "c"])
    doc.set_ents([], blocked=[doc[0:1]], default="missing")
    allowed = allowed_tags([doc], LABELS)
    assert allowed[0].tolist() == [True] + [False] * (len(LABELS) - 1)
    set_entities(doc, [EntitySpan(1, 3, "PER")])
    assert [token.ent_iob_ for token in doc] == ["B", "B", "I"]
    assert doc[0].ent_type_ == ""
