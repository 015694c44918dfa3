"""Documents with replaced tokens: every layer of annotation is right, missing or left out."""

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, SpanGroup
from spacy.training import Example

from spacy_bertcrf.training.augmenters.changed_example import (
    Replacement,
    Surface,
    replace_tokens,
    retokenized,
    surface_of,
)

NEW_YORK = Surface(("New", "York", "City"), (True, True))


@pytest.fixture(scope="module")
def nlp() -> Language:
    return spacy.blank("en")


@pytest.fixture
def doc(nlp: Language) -> Doc:
    """Two sentences; "Rome" is an entity, and of "so" nothing is known."""
    words = ["Ann", "saw", "Rome", ".", "Bob", "said", "so", "."]
    doc = Doc(
        nlp.vocab,
        words=words,
        spaces=[True, True, False, True, True, True, False, False],
        tags=["NNP", "VBD", "NNP", ".", "NNP", "VBD", "RB", "."],
        pos=["PROPN", "VERB", "PROPN", "PUNCT", "PROPN", "VERB", "ADV", "PUNCT"],
        lemmas=["Ann", "see", "Rome", ".", "Bob", "say", "so", "."],
        heads=[1, 1, 1, 1, 5, 5, 5, 5],
        deps=["nsubj", "ROOT", "dobj", "punct", "nsubj", "ROOT", "advmod", "punct"],
        ents=["B-PER", "O", "B-LOC", "O", "B-PER", "O", "", "O"],
    )
    doc.cats = {"travel": 1.0}
    doc[2].ent_kb_id_ = "Q220"
    doc.spans["incorrect"] = SpanGroup(
        doc,
        spans=[doc[1:3].char_span(0, 8, label="PER"), doc[2:3], doc[4:7]],
        attrs={"scores": [0.5, 0.25, 0.125]},
    )
    return doc


@pytest.fixture
def changed(doc: Doc) -> Doc:
    return replace_tokens(
        doc, [Replacement(2, 3, NEW_YORK), Replacement(5, 6, Surface(("did",), ()))]
    )


def test_the_text_around_replaced_tokens_stays_with_its_spaces(changed: Doc):
    assert changed.text == "Ann saw New York City. Bob did so."


def test_entities_keep_label_and_place_and_missing_stays_missing(changed: Doc):
    assert [(ent.text, ent.label_) for ent in changed.ents] == [
        ("Ann", "PER"),
        ("New York City", "LOC"),
        ("Bob", "PER"),
    ]
    iob = [token.ent_iob_ for token in changed]
    assert iob == ["B", "O", "B", "I", "I", "O", "B", "O", "", "O"]


def test_sentences_start_where_they_did(changed: Doc):
    assert [sent.text for sent in changed.sents] == ["Ann saw New York City.", "Bob did so."]


def test_spans_of_groups_move_with_their_tokens(changed: Doc):
    group = changed.spans["incorrect"]
    assert [span.text for span in group] == ["saw New York City", "New York City", "Bob did so"]
    assert [span.label_ for span in group] == ["PER", "", ""]
    assert group.attrs["scores"] == [0.5, 0.25, 0.125]


def test_what_was_said_of_the_old_words_is_not_said_of_the_new(changed: Doc):
    assert [token.tag_ for token in changed] == [
        *("NNP", "VBD", "", "", "", ".", "NNP", "", "RB", "."),
    ]
    assert [token.lemma_ for token in changed][:4] == ["Ann", "see", "", ""]
    assert [token.pos_ for token in changed][:4] == ["PROPN", "VERB", "", ""]
    assert not changed.has_annotation("DEP")
    assert not any(token.ent_kb_id for token in changed)
    assert changed.cats == {"travel": 1.0}


def test_the_original_stays_as_it_was(doc: Doc, changed: Doc):
    before = doc.to_bytes()
    replace_tokens(doc, [Replacement(2, 3, NEW_YORK)]).cats["travel"] = 0.0
    assert doc.to_bytes() == before


def test_without_replacements_all_layers_but_the_left_out_are_the_same(doc: Doc):
    same = replace_tokens(doc, [])
    kept = ["ORTH", "SPACY", "TAG", "POS", "MORPH", "LEMMA", "NORM", "ENT_IOB", "ENT_TYPE"]
    assert (same.to_array([*kept, "SENT_START"]) == doc.to_array([*kept, "SENT_START"])).all()
    for key, group in doc.spans.items():
        assert [(s.start, s.end) for s in same.spans[key]] == [(s.start, s.end) for s in group]


def test_a_blocked_token_stays_blocked_and_neighbours_stay_apart(nlp: Language):
    doc = Doc(nlp.vocab, words=["a", "b", "c", "d"], ents=["B-X", "B-X", "I-X", "O"])
    doc.set_ents(list(doc.ents), blocked=[doc[3:4]])
    changed = replace_tokens(doc, [Replacement(0, 1, NEW_YORK)])
    assert [ent.text for ent in changed.ents] == ["New York City", "b c"]
    assert [token.ent_iob for token in changed] == [3, 1, 1, 3, 1, 3]


def test_extension_attributes_of_the_document_are_kept_and_those_of_places_are_not(doc: Doc):
    Doc.set_extension("of_doc", default=None, force=True)
    type(doc[0]).set_extension("of_token", default=None, force=True)
    doc._.of_doc, doc[4]._.of_token = "source 1", True
    changed = replace_tokens(doc, [Replacement(2, 3, NEW_YORK)])
    assert changed._.of_doc == "source 1"
    assert not any(token._.of_token for token in changed)


def test_predicted_tokens_are_those_of_the_pipeline(nlp: Language):
    reference = Doc(nlp.vocab, words=["in", "Rome,", "ok"], spaces=[True, True, False])
    example = Example(nlp.make_doc(reference.text), reference)
    changed = retokenized(nlp, example, [Replacement(0, 1, Surface(("don't",), ()))])
    assert [token.text for token in changed.predicted] == ["do", "n't", "Rome", ",", "ok"]
    assert [token.text for token in changed.reference] == ["don't", "Rome,", "ok"]
    assert changed.predicted.text == changed.reference.text


@pytest.mark.parametrize("knows_spaces", [True, False])
def test_predicted_tokens_that_were_gold_stay_gold(nlp: Language, knows_spaces: bool):
    spaces = [True, True, False] if knows_spaces else None
    reference = Doc(nlp.vocab, words=["in", "Rome", "ok"], spaces=spaces)
    example = Example(Doc(nlp.vocab, words=["in", "Rome", "ok"], spaces=spaces), reference)
    changed = retokenized(nlp, example, [Replacement(1, 2, Surface(("don't", "U.K.-"), (True,)))])
    assert [token.text for token in changed.predicted] == ["in", "don't", "U.K.-", "ok"]
    assert changed.reference.has_unknown_spaces is not knows_spaces
    assert changed.predicted.text == changed.reference.text


def test_a_surface_has_the_spaces_between_its_words_alone(nlp: Language):
    doc = Doc(nlp.vocab, words=["New", "York", "-", "er"], spaces=[True, False, False, True])
    assert surface_of(doc[0:3]) == Surface(("New", "York", "-"), (True, False))
