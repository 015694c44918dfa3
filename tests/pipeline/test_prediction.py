"""What `nlp` and `nlp.pipe` give, whatever the texts and however they are batched."""

import pytest
from spacy.tokens import Doc, Span

from spacy_bertcrf.pipeline.length_batches import batches_by_length

TEXTS = [
    "王小明在北京大学工作。",
    "",
    "李雷和韩梅梅去了上海。",
    " \n\t ",
    "王",
    "今天天气很好,适合出门。" * 20,
    "\x00\x01",
    "张伟在广州大学读书," * 7,
    "\ufe0f",
    "上海大学的王芳\ufe0f来自\u200d广州。",
    "\u3000北京的张伟喜欢Windows10。\u3000",
    "\n",
]


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 2, 5, 1000])
def test_batches_change_nothing(trained_nlp, entities_of, batch_size):
    """Else the entities of a text would depend on what is processed along with it."""
    expected = entities_of(map(trained_nlp, TEXTS))
    docs = list(trained_nlp.pipe(TEXTS, batch_size=batch_size))
    assert [doc.text for doc in docs] == TEXTS
    assert entities_of(docs) == expected
    assert sum(map(len, expected)) > 10


def test_batches_within_the_component_change_nothing(trained, entities_of):
    """Else `max_batch_tokens`, a setting of speed and memory, would change the entities."""
    component = trained.get_pipe("bertcrf")
    docs = [trained.make_doc(text) for text in TEXTS]
    expected = [found.tag_ids.tolist() for found in component.predict(docs)]
    batches = list(batches_by_length(docs, component.max_batch_tokens))
    assert len(batches) == 1
    component.max_batch_tokens, before = 20, component.max_batch_tokens
    try:
        assert len(list(batches_by_length(docs, component.max_batch_tokens))) > 4
        assert [found.tag_ids.tolist() for found in component.predict(docs)] == expected
    finally:
        component.max_batch_tokens = before


def test_texts_without_tokens_pass(trained_nlp):
    """Else one empty line in a corpus would stop the pipeline."""
    for doc in [trained_nlp(""), *trained_nlp.pipe(["", ""]), *trained_nlp.pipe([])]:
        assert doc.ents == ()


@pytest.mark.parametrize("text", [" ", "\n\n", "\u3000", "\t \n", "\x00", "\ufe0f", "\u200b\u200d"])
def test_texts_without_wordpieces_pass(trained_nlp, text):
    """Else a stray control character would stop the pipeline."""
    doc = trained_nlp(text)
    assert doc.text == text
    assert doc.has_annotation("ENT_IOB")


@pytest.mark.slow
def test_tokens_without_wordpieces_hide_no_entity(trained_as):
    """Else the entities of a text with a stray control character would be lost, or moved."""
    doc = trained_as("bert_crf")("王小明在\x00北京大学工作。")
    assert [(ent.text, ent.label_) for ent in doc.ents] == [
        ("王小明", "name"),
        ("北京大学", "organization"),
    ]


def test_the_last_entity_of_a_long_text_is_found(trained_nlp):
    """Else what comes after BERT's 512th wordpiece would silently have no entities."""
    text = "今天天气很好,适合出门。李雷和韩梅梅去了上海。" * 50 + "王小明在北京大学工作。"
    assert len(trained_nlp.make_doc(text)) > 1000
    *others, name, organization = trained_nlp(text).ents
    assert len(others) > 80
    assert (name.text, name.label_) == ("王小明", "name")
    assert (organization.text, organization.label_) == ("北京大学", "organization")
    assert organization.end_char == len(text) - 3


def test_all_tokens_are_annotated(trained_nlp):
    """Else later components could not tell a token outside of entities from an unseen one."""
    for doc in trained_nlp.pipe(TEXTS):
        assert all(token.ent_iob for token in doc)


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_what_is_set_before_stays(scheme_nlp, scheme):
    """Else a user's rules, and their ids and links, would be overwritten by the model."""
    nlp = scheme_nlp(scheme)
    doc = nlp.make_doc("王小明在北京大学工作。李雷和韩梅梅去了上海。")
    ruled = Span(doc, 1, 3, label="name", kb_id="Q1", span_id="rule-1")
    unknown = Span(doc, 11, 13, label="PHONE")
    doc.set_ents([ruled, unknown], blocked=[doc[4:8]], outside=[doc[19:20]], default="missing")
    nlp.get_pipe("bertcrf")(doc)
    ents = {(ent.start, ent.end, ent.label_): ent for ent in doc.ents}
    assert ents[1, 3, "name"].kb_id_ == "Q1"
    assert ents[1, 3, "name"].id_ == "rule-1"
    assert (11, 13, "PHONE") in ents
    assert (14, 17, "name") in ents, "what is open is predicted"
    assert [token.ent_iob_ for token in doc[4:8]] == ["B"] * 4
    assert not any(token.ent_type for token in doc[4:8])
    assert doc[19].ent_iob_ == "O"
    assert all(token.ent_iob for token in doc)


def test_an_entity_ruler_before_the_component_is_respected(trained_copy):
    """Else rules and the model could not be combined as they can with spaCy's `ner`."""
    ruler = trained_copy.add_pipe("entity_ruler", before="bertcrf")
    ruler.add_patterns([{"label": "SCHOOL", "pattern": "北京大学", "id": "pku"}])
    doc = trained_copy("王小明在北京大学工作。")
    assert [(ent.text, ent.label_, ent.ent_id_) for ent in doc.ents] == [
        ("王小明", "name", ""),
        ("北京大学", "SCHOOL", "pku"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_no_entity_starts_or_ends_with_a_space(scheme_nlp, scheme):
    """Else the results could not be saved as training data: spaCy refuses such entities."""
    nlp = scheme_nlp(scheme)
    found = 0
    for gap in (" ", "\n", "\u3000", " \n "):
        spaced = [gap.join(text) for text in ("王小明在北京大学工作。", "李雷和韩梅梅去了上海。")]
        for doc in nlp.pipe([gap.join(TEXTS), *spaced, gap + TEXTS[0] + gap]):
            found += len(doc.ents)
            for ent in doc.ents:
                assert not ent[0].is_space
                assert not ent[-1].is_space
    assert found


def test_predicting_does_not_change_the_docs(trained):
    """Else asking a component for its prediction would annotate behind the user's back."""
    docs = [trained.make_doc(text) for text in TEXTS]
    trained.get_pipe("bertcrf").predict(docs)
    assert not any(doc.has_annotation("ENT_IOB") for doc in docs if len(doc))


def test_docs_with_other_annotation_keep_it(trained):
    """Else components would have to stand in a certain order."""
    doc = Doc(trained.vocab, words=list("王小明"), tags=["NR"] * 3, spaces=[False] * 3)
    doc.spans["sc"] = [doc[0:2]]
    trained.get_pipe("bertcrf")(doc)
    assert [token.tag_ for token in doc] == ["NR"] * 3
    assert len(doc.spans["sc"]) == 1
