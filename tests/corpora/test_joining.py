import json

import pytest

from spacy_bertcrf.corpora.joining import Joining
from spacy_bertcrf.corpora.reading import CorpusReader
from spacy_bertcrf.corpora.split import deal_folds

CONLL = (
    "-DOCSTART- O\n\nEU B-ORG\nsays O\n\nno O\nAnna B-PER\nLi I-PER\n\n"
    "-DOCSTART- O\n\nBonn B-LOC\n\nyes O\n"
)


def joined(path, **how):
    return [doc for doc, _ in CorpusReader([path], joining=Joining(**how)).documents()]


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "c.txt"
    path.write_text(CONLL)
    return path


@pytest.mark.parametrize(
    ("how", "texts"),
    [
        ({"documents": True}, ["EU says no Anna Li ", "Bonn yes "]),
        ({"documents": True, "max_tokens": 4}, ["EU says", "no Anna Li", "Bonn yes"]),
        ({"sentences": 1}, ["EU says", "no Anna Li", "Bonn", "yes"]),
        ({"sentences": 5}, ["EU says no Anna Li", "Bonn yes"]),
    ],
)
def test_sentences_are_joined_within_their_document(corpus, how, texts):
    """Else BERT reads the end of one document as the beginning of another."""
    docs = joined(corpus, **how)
    assert [doc.text.strip() for doc in docs] == [text.strip() for text in texts]
    ents = [(ent.text, ent.label_) for doc in docs for ent in doc.ents]
    assert ents == [("EU", "ORG"), ("Anna Li", "PER"), ("Bonn", "LOC")]
    assert sum(len(list(doc.sents)) for doc in docs) == 4


CONLLU = """# newdoc id = a
1	Anna	_	_	_	_	_	_	_	NE=B-PER
2	met	_	_	_	_	_	_	_	_

1	Bonn	_	_	_	_	_	_	_	NE=B-LOC

# newdoc id = b
1	Bob	_	_	_	_	_	_	_	NE=B-PER

"""
ANNA = {"tokens": ["Anna", "met"], "ner_tags": ["B-PER", "O"]}
BONN = {"tokens": ["Bonn"], "ner_tags": ["B-LOC"]}
BOB = {"tokens": ["Bob"], "ner_tags": ["B-PER"]}
BOTH = {key: [ANNA[key], BONN[key]] for key in ANNA}
ALONE = {key: [BOB[key]] for key in BOB}


@pytest.mark.parametrize(
    "content",
    [
        CONLLU,
        [{**ANNA, "doc_id": 1}, {**BONN, "doc_id": 1}, {**BOB, "doc_id": 2}],
        [BOTH, ALONE],
    ],
)
def test_other_files_that_know_their_documents(tmp_path, content):
    """Else the sentences of CoNLL-U or of a JSON document stay apart, or all become one."""
    path = tmp_path / "corpus"
    lines = [json.dumps(row) for row in content] if isinstance(content, list) else [content]
    path.write_text("\n".join(lines))
    docs = joined(path, documents=True)
    assert [doc.text.split() for doc in docs] == [["Anna", "met", "Bonn"], ["Bob"]]
    assert [[sent.text for sent in doc.sents] for doc in docs] == [["Anna met", "Bonn"], ["Bob"]]
    ents = [(ent.text, ent.label_) for doc in docs for ent in doc.ents]
    assert ents == [("Anna", "PER"), ("Bonn", "LOC"), ("Bob", "PER")]


@pytest.mark.parametrize(
    "content",
    [CONLLU.replace("# newdoc", "# sent"), "\n".join(map(json.dumps, [ANNA, BONN, BOB]))],
)
def test_sentences_of_a_file_that_knows_no_documents(tmp_path, content):
    """Else --sentences joins none of them, without a word; or those of two files."""
    for name in ("a", "b"):
        (tmp_path / name).write_text(content)
    assert [len(list(doc.sents)) for doc in joined(tmp_path, sentences=2)] == [2, 1, 2, 1]
    with pytest.raises(ValueError, match="--sentences"):
        joined(tmp_path, documents=True)


def test_texts_are_documents(tmp_path):
    """Else texts that have nothing to do with each other become one."""
    (tmp_path / "a").write_text('{"text": "Anna", "entities": [[0, 4, "PER"]]}\n' * 3)
    for how in ({"sentences": 2}, {"documents": True}):
        assert [doc.text for doc in joined(tmp_path / "a", **how)] == ["Anna"] * 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "count"),
    [({"documents": True}, 216), ({"documents": True, "max_tokens": 128}, 535), ({}, 3250)],
)
def test_conll_2003_has_the_same_entities_by_document(real_data, how, count):
    """Else figures by document cannot be compared with those by sentence."""
    docs = joined(real_data / "data" / "conll2003" / "dev.txt", **how)
    assert len(docs) == count
    assert sum(len(doc.ents) for doc in docs) == 5942
    sentences = sum(token.is_sent_start is True for doc in docs for token in doc)
    assert sentences == 3250
    assert all(len(doc) <= how.get("max_tokens", len(doc)) for doc in docs)


def test_a_file_without_documents_is_not_joined_to_one(tmp_path):
    """Else a corpus of 45,000 sentences becomes one Doc."""
    path = tmp_path / "c.txt"
    path.write_text("a O\n\nb B-X\n\nc O\n")
    with pytest.raises(ValueError, match="--sentences"):
        joined(path, documents=True)


def test_folds_hold_each_document_once_and_each_labels_share():
    """Else a fold has no entity of a rare label, and its score says nothing."""
    documents = [["common"] * 3 + (["rare"] if i % 10 == 0 else []) for i in range(50)]
    folds = deal_folds(documents, 5, seed=1)
    assert sorted(i for fold in folds for i in fold) == list(range(50))
    assert [sum("rare" in documents[i] for i in fold) for fold in folds] == [1] * 5
    assert {len(fold) for fold in folds} == {10}
    assert folds == deal_folds(documents, 5, seed=1) != deal_folds(documents, 5, seed=2)
    with pytest.raises(ValueError, match="cannot be dealt"):
        deal_folds(documents[:2], 5, seed=1)
