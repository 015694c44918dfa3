"""Entities that are there before, with overwrite_ents."""

import pytest
from spacy.tokens import Span

TEXT = "王小明在北京大学工作。"


def with_entity(doc):
    doc.set_ents([Span(doc, 2, 6, "name")], default="missing")


def with_unknown_label(doc):
    doc.set_ents([Span(doc, 0, 5, "other")])


def with_blocked(doc):
    doc.set_ents([], blocked=[doc[:]])


def with_outside(doc):
    doc.set_ents([], outside=[doc[:9]], default="missing")


@pytest.mark.parametrize("preset", [with_entity, with_unknown_label, with_blocked, with_outside])
def test_what_was_there_is_replaced(trained_copy, entities_of, preset):
    """Else a better recogniser could not correct a worse one before it."""
    component = trained_copy.get_pipe("bertcrf")
    component.spans_key = "sure"
    plain = trained_copy(TEXT)
    doc = trained_copy.make_doc(TEXT)
    preset(doc)
    kept = trained_copy(doc.copy())
    assert entities_of([kept]) != entities_of([plain])
    component.overwrite_ents = True
    assert component.k_best([doc], k=2) == component.k_best([trained_copy.make_doc(TEXT)], k=2)
    replaced = trained_copy(doc)
    assert entities_of([replaced]) == entities_of([plain])
    assert replaced.to_array("ENT_IOB").tolist() == plain.to_array("ENT_IOB").tolist()
    expected = plain.spans["sure"].attrs["scores"].tolist()
    assert replaced.spans["sure"].attrs["scores"].tolist() == expected


def test_the_setting_is_that_of_the_config(make_nlp):
    """Else the setting would be without effect."""
    assert not make_nlp().get_pipe("bertcrf").overwrite_ents
    nlp = make_nlp(**{"components.bertcrf.overwrite_ents": True})
    assert nlp.get_pipe("bertcrf").overwrite_ents
