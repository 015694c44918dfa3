"""Wordpieces and tokens: what the tokenizer says of them, for any text and any tokenizer."""

from typing import Any

import numpy as np
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.vocab import Vocab
from tokenizers import pre_tokenizers
from transformers import AutoTokenizer, BertTokenizerFast, PreTrainedTokenizerFast

from spacy_bertcrf.models.bert import wordpieces as wordpieces_module
from spacy_bertcrf.models.bert.wordpieces import WordpieceTokenizer

VOCAB = Vocab()
TEXTS = [
    *["王小明2008年在广州玩CSOL。", "张伟喜欢Windows10和x1y2z3!", "the cat sat on the mat"],
    *[
        "",
        " ",
        "\n\n",
        "a  b\t\tc \n d",
        "王\x00小\x07明\u200b在\ufeff北京",
        "\x07",
        "\u3000全角\u3000",
    ],
    *["🎉王👨‍👩‍👧小🇨🇳", "é e\u0301 \ufb01n ﷺ", "ᚠᚢ ไทย ꙮ", "Windows10 Windows10", "2008年 2008 年"],
    *["x" * 150, "[SEP] [UNK] 王", "½ ① Ⅷ カメラ ｶﾒﾗ"],
]
characters = st.one_of(
    st.sampled_from("王小明北京年aWxz019 \n\t\x07\u3000🎉é\u0301.,。-"),
    st.characters(codec="utf-8"),
)
word_lists = st.lists(
    st.tuples(st.text(characters, min_size=1, max_size=6), st.booleans()), max_size=12
)


@pytest.fixture(scope="module")
def bert_tokenizer(tiny_bert) -> Any:
    return AutoTokenizer.from_pretrained(tiny_bert)


@pytest.fixture(scope="module")
def by_token(bert_tokenizer) -> WordpieceTokenizer:
    return WordpieceTokenizer(bert_tokenizer, "token")


@pytest.fixture(scope="module")
def by_text(bert_tokenizer) -> WordpieceTokenizer:
    return WordpieceTokenizer(bert_tokenizer, "text")


def tokenized(texts: list[str]) -> list[Doc]:
    """As spaCy cuts them: characters of a Chinese pipeline, and words of one without a language."""
    return [spacy.blank(lang).make_doc(text) for text in texts for lang in ("zh", "xx")]


def doc_of(words: list[tuple[str, bool]]) -> Doc:
    return Doc(VOCAB, words=[word for word, _ in words], spaces=[space for _, space in words])


def ids_by_token(tokenizer: WordpieceTokenizer, docs: list[Doc]) -> list[list[list[int]]]:
    """The wordpieces of each token of each Doc; checks that they lie in their Doc."""
    found = tokenizer(docs)
    assert found.ids.dtype == found.doc_lengths.dtype == found.starts.dtype == np.int64
    assert found.doc_lengths.sum() == len(found.ids)
    assert len(found.starts) == len(found.ends) == sum(map(len, docs))
    assert (np.diff(found.starts) >= 0).all()
    assert (np.diff(found.ends) >= 0).all()
    bounds = np.cumsum([0, *found.doc_lengths])
    result, token = [], 0
    for doc, begin, end in zip(docs, bounds[:-1], bounds[1:], strict=True):
        ranges = [(found.starts[i], found.ends[i]) for i in range(token, token + len(doc))]
        assert all(begin <= start <= stop <= end for start, stop in ranges)
        result.append([found.ids[start:stop].tolist() for start, stop in ranges])
        token += len(doc)
    return result


def assert_as_words(tokenizer: WordpieceTokenizer, docs: list[Doc]) -> None:
    """Hugging Face's own way from words to wordpieces is the oracle."""
    for doc, found in zip(docs, ids_by_token(tokenizer, docs), strict=True):
        words = [token.text for token in doc]
        encoding = tokenizer.tokenizer(words, is_split_into_words=True, add_special_tokens=False)
        expected: list[list[int]] = [[] for _ in words]
        for piece, word in zip(encoding["input_ids"], encoding.word_ids(), strict=True):
            expected[word].append(piece)
        assert found == expected


def assert_as_offsets(tokenizer: WordpieceTokenizer, docs: list[Doc]) -> None:
    """A token has the wordpieces from the first to the last that has a character of it."""
    for doc, found in zip(docs, ids_by_token(tokenizer, docs), strict=True):
        encoding = tokenizer.tokenizer(
            doc.text, return_offsets_mapping=True, add_special_tokens=False
        )
        ids, offsets = encoding["input_ids"], encoding["offset_mapping"]
        for token, pieces in zip(doc, found, strict=True):
            begin, end = token.idx, token.idx + len(token)
            own = [
                i
                for i, (piece_begin, piece_end) in enumerate(offsets)
                if max(begin, piece_begin) < min(end, piece_end)
            ]
            assert pieces == (ids[own[0] : own[-1] + 1] if own else []), (doc.text, token.text)


# BERT's tokenizer


@pytest.mark.slow
def test_tokens_have_the_wordpieces_of_their_own_text(by_token):
    """Else vectors would be those of other words."""
    assert_as_words(by_token, tokenized(TEXTS))


@pytest.mark.slow
@given(st.lists(word_lists, max_size=3))
def test_any_words_have_the_wordpieces_of_their_own_text(by_token, docs):
    """Corpora hold every character there is."""
    assert_as_words(by_token, [doc_of(words) for words in docs])


@pytest.mark.slow
def test_tokens_have_the_wordpieces_with_their_characters(by_text):
    """Else vectors would be those of other words."""
    assert_as_offsets(by_text, tokenized(TEXTS))


@pytest.mark.slow
@given(st.lists(word_lists, min_size=1, max_size=3))
def test_any_text_is_aligned_by_its_characters(by_text, docs):
    """Corpora hold every character there is."""
    assert_as_offsets(by_text, [doc_of(words) for words in docs])


@pytest.mark.slow
def test_the_whole_text_is_read_where_it_is_tokenised_whole(by_text, bert_tokenizer):
    """Else BERT would read another text than it would by itself."""
    docs = tokenized(TEXTS)
    found = by_text(docs)
    encoded = bert_tokenizer([doc.text for doc in docs], add_special_tokens=False)["input_ids"]
    assert found.doc_lengths.tolist() == [len(ids) for ids in encoded]
    assert found.ids.tolist() == [piece for ids in encoded for piece in ids]


@pytest.fixture
def whole_words(tmp_path) -> BertTokenizerFast:
    """A tokenizer that knows a Latin word and a number whole."""
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"年2081", "2008", "Windows", "##10"]
    (tmp_path / "vocab.txt").write_text("\n".join(vocab), encoding="utf-8")
    return BertTokenizerFast(str(tmp_path / "vocab.txt"), do_lower_case=False)


@pytest.mark.parametrize(
    ("alignment", "expected"),
    [
        ("token", [["2"], ["0"], ["0"], ["8"], ["年"]]),
        ("text", [["2008"], ["2008"], ["2008"], ["2008"], ["年"]]),
    ],
)
def test_numbers_in_chinese_characters(whole_words, alignment, expected):
    """The two alignments differ here: that is what the config chooses. A wordpiece of several
    tokens belongs to each."""
    doc = spacy.blank("zh").make_doc("2008年")
    (found,) = ids_by_token(WordpieceTokenizer(whole_words, alignment), [doc])
    assert [whole_words.convert_ids_to_tokens(pieces) for pieces in found] == expected


@pytest.mark.parametrize("alignment", ["token", "text"])
def test_a_word_of_several_wordpieces_has_them_all(whole_words, alignment):
    """Else the end of a name would not be read."""
    doc = doc_of([("年", False), ("Windows10", False), ("年", False)])
    (found,) = ids_by_token(WordpieceTokenizer(whole_words, alignment), [doc])
    assert whole_words.convert_ids_to_tokens(found[1]) == ["Windows", "##10"]
    assert len(found[0]) == len(found[2]) == 1


def test_what_bert_does_not_read_has_no_wordpieces(by_token, by_text):
    """Such tokens get the learned vector; a neighbour's would be a lie."""
    doc = doc_of([("王", True), (" ", False), ("\n", False), ("\x07", False), ("小", False)])
    for tokenizer in (by_token, by_text):
        (found,) = ids_by_token(tokenizer, [doc])
        assert [len(pieces) for pieces in found] == [1, 0, 0, 0, 1]


@pytest.mark.parametrize("alignment", ["token", "text"])
@pytest.mark.parametrize("words", [[], [[]], [[], [("王", False)], []]])
def test_empty_docs(bert_tokenizer, alignment, words):
    """Corpora have empty lines."""
    docs = [doc_of(of_doc) for of_doc in words]
    found = ids_by_token(WordpieceTokenizer(bert_tokenizer, alignment), docs)
    assert [len(of_doc) for of_doc in found] == [len(of_doc) for of_doc in words]


def test_long_texts_are_not_cut_off(by_token, by_text):
    """The windows come later; a tokenizer that truncates would end every long text early."""
    doc = doc_of([("王", False)] * 2000)
    for tokenizer in (by_token, by_text):
        assert tokenizer([doc]).doc_lengths.tolist() == [2000]


def test_special_tokens_are_those_of_the_tokenizer(by_token, bert_tokenizer, byte_level_tokenizer):
    """Else BERT would be asked in another form than it was trained in."""
    assert by_token.prefix == [bert_tokenizer.cls_token_id]
    assert by_token.suffix == [bert_tokenizer.sep_token_id]
    assert by_token.pad_id == bert_tokenizer.pad_token_id
    roberta = WordpieceTokenizer(byte_level_tokenizer, "token")
    assert (roberta.prefix, roberta.suffix, roberta.pad_id) == ([0], [2], 1)


@pytest.mark.slow
def test_a_forgotten_cache_changes_nothing(by_token, bert_tokenizer, monkeypatch):
    """It is emptied when a corpus has more words than memory should hold."""
    expected = ids_by_token(by_token, tokenized(TEXTS))
    monkeypatch.setattr(wordpieces_module, "MAX_CACHED_BYTES", 5000)
    small = WordpieceTokenizer(bert_tokenizer, "token")
    for _ in range(2):
        found = [ids_by_token(small, [doc])[0] for doc in tokenized(TEXTS)]
        assert found == expected


# Slow tokenizers


@pytest.mark.slow
def test_a_slow_tokenizer_gives_the_same_wordpieces(slow_tokenizer, by_token):
    """Some models have no other."""
    slow = WordpieceTokenizer(slow_tokenizer, "token")
    assert not slow.tokenizer.is_fast
    docs = [spacy.blank("zh").make_doc(text) for text in TEXTS if "[" not in text]
    assert ids_by_token(slow, docs) == ids_by_token(by_token, docs)


def test_a_slow_tokenizer_cannot_align_by_text(slow_tokenizer):
    """It does not say where its wordpieces are."""
    with pytest.raises(ValueError, match=r'BertJapaneseTokenizer is a slow.*alignment = "token"'):
        WordpieceTokenizer(slow_tokenizer, "text")


def test_unknown_alignments_are_refused(bert_tokenizer):
    """Else a typing error would choose one in silence."""
    with pytest.raises(ValueError, match="alignment is 'words'; it can be token or text"):
        WordpieceTokenizer(bert_tokenizer, "words")


# Tokenizers to which spaces matter


def test_byte_level_tokens_have_the_space_before_them(byte_level_tokenizer):
    """' cat' and 'cat' are two wordpieces to RoBERTa, the one usual, the other rare."""
    doc = Doc(VOCAB, words=["the", "cat", "the", "cat"], spaces=[True, False, True, False])
    (found,) = ids_by_token(WordpieceTokenizer(byte_level_tokenizer, "token"), [doc])
    convert = byte_level_tokenizer.convert_ids_to_tokens
    assert [convert(pieces) for pieces in found] == [["the"], ["Ġcat"], ["the"], ["Ġcat"]]


@pytest.mark.parametrize(
    "text", ["the cat sat", "the  cat\n the", "王小明 the dog", "the cat , 2008年"]
)
def test_byte_level_tokens_together_are_the_text(byte_level_tokenizer, text):
    """Whichever the alignment, RoBERTa reads what is written."""
    (doc,) = [spacy.blank("xx").make_doc(text)]
    for alignment in ("token", "text"):
        found = WordpieceTokenizer(byte_level_tokenizer, alignment)([doc])
        assert byte_level_tokenizer.decode(found.ids) == text


@pytest.mark.slow
def test_byte_level_text_is_aligned_by_its_characters(byte_level_tokenizer):
    """One character can be several wordpieces there."""
    tokenizer = WordpieceTokenizer(byte_level_tokenizer, "text")
    assert_as_offsets(tokenizer, tokenized(TEXTS))
    (found,) = ids_by_token(tokenizer, [doc_of([("🎉", False), ("ไ", False), ("a", False)])])
    assert [len(pieces) for pieces in found] == [4, 3, 1]


@pytest.mark.slow
def test_unigram_text_is_aligned_by_its_characters(unigram_tokenizer):
    """Else XLM-RoBERTa's vectors would be those of other words."""
    assert_as_offsets(WordpieceTokenizer(unigram_tokenizer, "text"), tokenized(TEXTS))


def test_unigram_tokens_have_no_mark_of_a_space_that_is_not_there(unigram_tokenizer):
    """Every second wordpiece of a Chinese text would be that mark, and a half of the first's
    vector."""
    tokenizer = WordpieceTokenizer(unigram_tokenizer, "token")
    convert = unigram_tokenizer.convert_ids_to_tokens
    assert convert(unigram_tokenizer("年", add_special_tokens=False)["input_ids"]) == ["▁", "年"]
    doc = doc_of([("在", False), ("年", False), ("cat", False)])
    (found,) = ids_by_token(tokenizer, [doc])
    assert [convert(pieces) for pieces in found[:2]] == [["在"], ["年"]]
    assert found[2]


@pytest.mark.parametrize("splits_spaces", [False, True])
def test_unigram_tokens_keep_the_mark_of_a_space_that_is_there(unigram_tokenizer, splits_spaces):
    """Else the model would read words run together that it knows apart."""
    if not splits_spaces:
        unigram_tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=type(unigram_tokenizer.backend_tokenizer).from_str(
                unigram_tokenizer.backend_tokenizer.to_str()
            ),
            cls_token="<s>",
            sep_token="</s>",
        )
        unigram_tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(
            prepend_scheme="always"
        )
    tokenizer = WordpieceTokenizer(unigram_tokenizer, "token")
    convert = unigram_tokenizer.convert_ids_to_tokens
    doc = doc_of([("年", True), ("年", False)])
    (found,) = ids_by_token(tokenizer, [doc])
    assert [convert(pieces) for pieces in found] == [["年"], ["▁", "年"]]


def test_a_token_that_is_but_the_mark_keeps_it(unigram_tokenizer):
    """A token with wordpieces should not lose its only one."""
    (found,) = ids_by_token(
        WordpieceTokenizer(unigram_tokenizer, "token"), [doc_of([("▁", False)])]
    )
    assert len(found[0]) >= 1
