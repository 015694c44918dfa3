"""What an audit of a corpus finds."""

import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_bertcrf.corpora.audit import audit

NLP = spacy.blank("en")


def example(words, *ents, tokens=None, missing=False):
    """An annotated text; tokens: those of the pipeline's tokenizer, if they are others."""
    doc = Doc(NLP.vocab, words=words)
    if not missing:
        doc.set_ents([Span(doc, *ent) for ent in ents], default="outside")
    predicted = Doc(NLP.vocab, words=tokens or words)
    return Example(predicted, doc)


ANNA = example(["Anna", "left"], (0, 1, "PER"))


def test_what_dev_cannot_know_from_train_is_counted():
    dev = [example(["Anna", "Köln"], (0, 1, "PER"), (1, 2, "LOC")), example(["Bob"], (0, 1, "PER"))]
    found = audit([ANNA], dev)
    assert found.unseen == {"LOC": 1, "PER": 1}


def test_the_same_label_is_asked_for():
    assert audit([ANNA], [example(["Anna"], (0, 1, "ORG"))]).unseen == {"ORG": 1}


def test_texts_that_are_there_twice_are_found():
    other = example(["Anna", "left"])
    found = audit([ANNA, ANNA], [other])
    assert found.shared_texts == ["Anna left "]
    assert found.repeated == {"Anna left ": 2}
    assert found.contradicting == ["Anna left "]


def test_alike_annotation_is_no_contradiction():
    assert audit([ANNA, ANNA], [ANNA]).contradicting == []


def test_a_mention_with_two_labels_or_none_is_uneven():
    train = [
        example(["New", "York", "won"], (0, 2, "ORG")),
        example(["in", "New", "York"], (1, 3, "LOC")),
        example(["in", "New", "York"], (1, 3, "LOC")),
        example(["New", "York", "again"]),
    ]
    (mention,) = audit(train, []).uneven
    assert (mention.text, mention.labels, mention.n_plain) == ("New York", {"LOC": 2, "ORG": 1}, 1)
    assert mention.n_minority == 2


def test_what_is_not_annotated_is_not_called_uneven():
    """Tokens without annotation do not say that there is no entity."""
    train = [
        example(["New", "York", "won"], (0, 2, "LOC")),
        example(["New", "York", "again"], missing=True),
    ]
    assert audit(train, []).uneven == []


def test_entities_that_do_not_fit_the_tokens_are_found():
    cut = example(["New York"], (0, 1, "LOC"), tokens=["New", "York"])
    inside = example(["Köln", "er"], (0, 1, "LOC"), tokens=["Kölner"])
    assert audit([cut, inside], []).misaligned == ["Köln"]


@pytest.mark.parametrize(
    ("words", "spaces", "marks"),
    [
        (["\n", "Anna"], 1, 0),
        (["Anna", "."], 0, 1),
        (["(", "x", ")"], 0, 1),
        (["a", "-", "b"], 0, 0),
    ],
)
def test_borders_that_look_wrong_are_found(words, spaces, marks):
    found = audit([example(words, (0, len(words), "X"))], [])
    assert (len(found.with_space), len(found.with_punctuation)) == (spaces, marks)


def test_missing_annotation_is_counted():
    found = audit([ANNA, example(["Anna"], missing=True)], [])
    assert (found.train.documents, found.train.unannotated) == (2, 1)
    assert found.dev.documents == 0
