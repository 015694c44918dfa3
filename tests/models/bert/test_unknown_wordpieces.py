"""What a BERT's vocabulary does not know of some texts."""

import pytest
from spacy.tokens import Doc
from spacy.vocab import Vocab
from transformers import AutoTokenizer

from spacy_bertcrf.models.bert.unknown_wordpieces import count_unknown
from spacy_bertcrf.models.bert.wordpieces import WordpieceTokenizer

VOCAB = Vocab()


@pytest.fixture(params=["token", "text"])
def tokenizer(request, tiny_bert):
    return WordpieceTokenizer(AutoTokenizer.from_pretrained(tiny_bert), request.param)


def docs_of(*texts: list[str]) -> list[Doc]:
    return [Doc(VOCAB, words=words) for words in texts]


def test_unknown_wordpieces_are_counted_with_their_characters(tokenizer):
    """Else a user would not know what the vocabulary lacks."""
    found = count_unknown(tokenizer, docs_of(["北", "한", "국", "한"], [], ["京", "\n", "在"]))
    assert found.n_texts == 3
    assert (found.n_pieces, found.n_unknown) == (6, 3)
    assert found.share == 0.5
    assert found.characters == [("한", 2), ("국", 1)]


def test_of_a_word_only_what_is_unknown_by_itself_is_named(tokenizer):
    """A word is unknown as a whole where one letter is, and the letter is what is lacking."""
    found = count_unknown(tokenizer, docs_of(["windowsø", "windows"]))
    assert found.characters == [("ø", 1)]
    too_long = count_unknown(tokenizer, docs_of(["ab" * 60]))
    assert too_long.n_unknown == 1
    assert too_long.characters == [("a", 60), ("b", 60)]


@pytest.mark.parametrize("texts", [[], [[]], [["\n"]], [["北", "京"]]])
def test_nothing_is_unknown_where_all_is_known(tokenizer, texts):
    found = count_unknown(tokenizer, docs_of(*texts))
    assert (found.n_unknown, found.share, found.characters) == (0, 0.0, [])


def test_a_vocabulary_of_bytes_knows_everything(byte_level_tokenizer):
    tokenizer = WordpieceTokenizer(byte_level_tokenizer, "token")
    assert count_unknown(tokenizer, docs_of(["한국", "ø", "cat"])).n_unknown == 0
