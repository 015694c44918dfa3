import pytest
import spacy
from spacy.tokens import DocBin, Span

from spacy_bertcrf.corpora.docbin import write_docbins

NLP = spacy.blank("zh")


def make_doc(text, ents=()):
    doc = NLP.make_doc(text)
    doc.ents = [Span(doc, *ent) for ent in ents]
    return doc


def broken_docs():
    yield make_doc("一")
    raise KeyboardInterrupt


def test_entities_and_unknown_tokens_come_back(tmp_path):
    """Else training sees other annotation than the file has."""
    path = tmp_path / "new" / "corpus.spacy"
    unknown = NLP.make_doc("二三")
    write_docbins({path: [make_doc("一二", [(0, 1, "a.b"), (1, 2, "a.b")]), unknown]})
    docs = list(DocBin().from_disk(path).get_docs(NLP.vocab))
    assert [(ent.text, ent.label_) for ent in docs[0].ents] == [("一", "a.b"), ("二", "a.b")]
    assert not docs[1].has_annotation("ENT_IOB")


def test_a_run_that_stops_half_way_changes_nothing(tmp_path):
    """Else a stopped conversion leaves half a corpus, or one part of another split."""
    old = tmp_path / "train.spacy"
    old.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        write_docbins({old: [make_doc("一")], tmp_path / "dev.spacy": broken_docs()})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"train.spacy": b"old"}


def test_the_same_documents_give_the_same_bytes(tmp_path):
    """Else spaCy projects would see a changed file and train again."""
    paths = [tmp_path / "a.spacy", tmp_path / "b.spacy"]
    for path in paths:
        write_docbins({path: [make_doc("一二", [(0, 1, "B"), (1, 2, "A")])]})
    assert paths[0].read_bytes() == paths[1].read_bytes()
