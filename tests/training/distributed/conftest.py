"""A corpus that other components than bertcrf can learn from too."""

import pytest
import spacy
from spacy.tokens import DocBin


@pytest.fixture(scope="session")
def tagged_corpus(train_corpus, tmp_path_factory):
    """The small corpus with tags and categories."""
    nlp = spacy.blank("zh")
    docs = list(DocBin().from_disk(train_corpus).get_docs(nlp.vocab))
    for doc in docs:
        for token in doc:
            token.tag_ = "X" if token.i % 3 else "Y"
        doc.cats = {"a": float(len(doc) % 2), "b": float(bool(doc.ents))}
    path = tmp_path_factory.mktemp("corpus") / "tagged.spacy"
    DocBin(docs=docs).to_disk(path)
    return path
