"""spaCy's own files."""

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span, SpanGroup

from spacy_bertcrf.corpora.annotated_labels import mark_annotated
from spacy_bertcrf.corpora.formats.spacy_docs import OTHER_LAYERS

NLP = spacy.blank("en")


@pytest.fixture
def corpus(tmp_path):
    """A Doc with everything that a corpus of entities can have."""
    doc = Doc(NLP.vocab, words=["Anna", "met", "Bob", "."], spaces=[True, True, False, False])
    doc.set_ents([Span(doc, 0, 1, "PER")], missing=[doc[2:3]], default="outside")
    mark_annotated(doc, ["PER", "ORG"])
    doc.spans["sc"] = [Span(doc, 0, 1, "PER"), Span(doc, 0, 3, "EVENT")]
    scores = {"scores": np.asarray([0.25], dtype=np.float32)}
    doc.spans["bertcrf"] = SpanGroup(doc, attrs=scores, spans=[Span(doc, 0, 1, "PER")])
    doc.spans["incorrect_spans"] = [Span(doc, 1, 2, "PER")]
    doc.cats = {"news": 1.0}
    path = tmp_path / "corpus.spacy"
    DocBin(attrs=["ENT_IOB", "ENT_TYPE"], store_user_data=False, docs=[doc]).to_disk(path)
    return doc, path


def test_groups_of_spans_stay(corpus, read_path):
    """Else a corpus loses, converted again, what its labels were annotated for, and its scores."""
    doc, path = corpus
    export = read_path(path)
    (back,) = export.docs
    assert back.text == doc.text
    assert [token.ent_iob_ for token in back] == [token.ent_iob_ for token in doc]
    assert set(back.spans) == {*doc.spans}
    for name, group in doc.spans.items():
        spans = [(span.start, span.end, span.label_) for span in group]
        assert [(span.start, span.end, span.label_) for span in back.spans[name]] == spans
    assert back.spans["bertcrf"].attrs["scores"].tolist() == [0.25]
    assert not export.problems


def test_spans_alone_are_marked(tmp_path, read_path):
    """Else a corpus of spans says that all labels were looked for."""
    doc = Doc(NLP.vocab, words=["Anna", "left"])
    doc.spans["sc"] = [Span(doc, 0, 1, "PER")]
    path = tmp_path / "corpus.spacy"
    DocBin(docs=[doc, Doc(NLP.vocab, words=["Rain"])]).to_disk(path)
    with pytest.raises(ValueError, match=r"corpus\.spacy, line 1: .* spans under sc"):
        read_path(path, annotated_labels=["PER"])
    marked, bare = read_path(path, annotated_labels=["PER"], spans_key="sc").docs
    assert [(s.start, s.end, s.label_) for s in marked.spans["annotated_labels"]] == [(0, 2, "PER")]
    assert not bare.spans.get("annotated_labels")


def test_layers_that_are_lost_are_said(tmp_path, read_path):
    """Else a corpus of several layers loses some in silence."""
    doc = Doc(NLP.vocab, words=["Anna"], tags=["NNP"], ents=["B-PER"])
    doc.ents = [Span(doc, 0, 1, "PER", kb_id="Q1")]
    attrs = ["ENT_IOB", "ENT_TYPE", "ENT_KB_ID", "TAG"]
    DocBin(attrs=attrs, docs=[doc]).to_disk(tmp_path / "corpus.spacy")
    export = read_path(tmp_path / "corpus.spacy")
    assert export.problems == [(OTHER_LAYERS, 1)]
    assert "ids of entities" in next(iter(export.corpus.problems)).what
