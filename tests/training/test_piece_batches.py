"""Batches measured in wordpieces."""

from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc
from spacy.training import Example
from transformers import AutoTokenizer

from spacy_bertcrf.training.piece_batches import batch_by_pieces


@pytest.fixture(scope="module")
def docs() -> list[Doc]:
    nlp = spacy.blank("zh")
    texts = ["", "北", "上海" * 40, "Windows10", "张伟喜欢北京。", "今天", "天气" * 7, "2008年"]
    return [nlp.make_doc(text * times) for times in (1, 2, 3) for text in texts]


def test_no_document_is_lost_and_batches_keep_to_the_size(docs: list[Doc], tiny_bert: Path):
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    batches = list(batch_by_pieces(64, str(tiny_bert), buffer=10)(docs))
    assert sorted(id(doc) for batch in batches for doc in batch) == sorted(map(id, docs))
    for batch in batches:
        widths = [
            len(tokenizer([token.text for token in doc], is_split_into_words=True)["input_ids"])
            for doc in batch
        ]
        assert len(batch) == 1 or max(widths) * len(batch) <= 64
    assert max(map(len, batches)) > 1


def test_examples_are_batched_as_their_docs(docs: list[Doc], tiny_bert: Path):
    examples = [Example(doc, doc) for doc in docs]
    batches = list(batch_by_pieces(64, str(tiny_bert))(examples))
    assert sorted(id(eg) for batch in batches for eg in batch) == sorted(map(id, examples))


def test_sizes_of_nothing_are_refused(tiny_bert: Path):
    with pytest.raises(ValueError, match="size is 0"):
        batch_by_pieces(0, str(tiny_bert))
    with pytest.raises(ValueError, match="buffer 0"):
        batch_by_pieces(8, str(tiny_bert), buffer=0)
