"""Raw texts behind a training corpus: they are there, and claim nothing."""

import pytest
import spacy
from spacy.tokens import DocBin
from spacy.training import Corpus

from spacy_bertcrf.corpora.with_texts import with_texts


def test_raw_texts_come_last_and_say_nothing(train_corpus, tmp_path):
    """Else a text that nobody has read would be learned as one without entities."""
    nlp = spacy.blank("zh")
    docs = [nlp.make_doc("王芳在北京"), nlp.make_doc("李雷")]
    docs[0].ents = [docs[0].char_span(0, 2, label="name")]  # is not looked at
    DocBin(docs=docs).to_disk(tmp_path / "texts.spacy")
    annotated = list(Corpus(train_corpus)(nlp))
    examples = list(with_texts(Corpus(train_corpus), tmp_path / "texts.spacy")(nlp))
    assert [e.reference.text for e in examples[: len(annotated)]] == [
        e.reference.text for e in annotated
    ]
    raw = examples[len(annotated) :]
    assert [e.predicted.text for e in raw] == ["王芳在北京", "李雷"]
    assert not any(e.reference.has_annotation("ENT_IOB") for e in raw)


def test_a_missing_file_is_named(train_corpus, tmp_path):
    read = with_texts(Corpus(train_corpus), tmp_path / "none.spacy")
    with pytest.raises(ValueError, match=r"none\.spacy"):
        list(read(spacy.blank("zh")))
