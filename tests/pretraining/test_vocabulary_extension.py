"""New words in a BERT's vocabulary: reached, with sensible vectors, and nothing else changed."""

import json
import shutil

import numpy as np
import pytest
import torch
import transformers
from hypothesis import assume, given
from hypothesis import strategies as st
from spacy.lang.zh import Chinese
from spacy.tokens import Doc
from transformers import (
    AutoModel,
    AutoModelForMaskedLM,
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    BertForTokenClassification,
    BertModel,
    DistilBertConfig,
    DistilBertForMaskedLM,
    ElectraConfig,
    ElectraForMaskedLM,
)

from spacy_bertcrf.models.bert.bert_encoder import BertEncoder
from spacy_bertcrf.pretraining.vocabulary_extension import WordInFile, extend_vocabulary

SIZES = {
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 8,
}
# What the tokenizer of the fixture makes one wordpiece of, and what it does not.
WORDS = ["北京大学", "windows", "电影", "Party-Art", "art-win", "鑫", "读书2"]


def asked(words):
    return [WordInFile(word, f"words.txt:{line}") for line, word in enumerate(words, start=1)]


def tokens(tokenizer, text):
    return tokenizer.convert_ids_to_tokens(tokenizer(text, add_special_tokens=False)["input_ids"])


def save(folder, model, tokenizer):
    # So that no row or bias is like another.
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def bert(tokenizer, tmp_path_factory):
    torch.manual_seed(0)
    config = BertConfig(vocab_size=len(tokenizer), **SIZES)
    return save(tmp_path_factory.mktemp("bert") / "bert", BertForMaskedLM(config), tokenizer)


@pytest.fixture(scope="session")
def extended(bert, tmp_path_factory):
    """The BERT with WORDS, and what was reported."""
    output = tmp_path_factory.mktemp("extended") / "bert"
    return output, extend_vocabulary(str(bert), asked(WORDS), output)


@pytest.fixture(scope="session")
def tokenizers(bert, extended):
    """The fast tokenizers before and after, and the slow one after (in whose place
    transformers 5 takes the fast one)."""
    after = AutoTokenizer.from_pretrained(extended[0])
    slow = AutoTokenizer.from_pretrained(extended[0], use_fast=False)
    assert after.is_fast
    assert slow.is_fast == (transformers.__version__ >= "5")
    return AutoTokenizer.from_pretrained(bert), after, slow


def test_each_word_is_one_wordpiece_unused_rows_first(extended, tokenizers):
    """Rows are appended for nothing, or a word keeps its old pieces."""
    _, done = extended
    before, after, _ = tokenizers
    assert list(done.added) == [word.lower() for word in WORDS]
    assert list(done.added.values()) == [1, 2, 7, *range(len(before), len(before) + 4)]
    assert done.n_unused == 3
    for word, row in zip(WORDS, done.added.values(), strict=True):
        assert after(word, add_special_tokens=False)["input_ids"] == [row]
    assert len(after) == len(before) + 4


def test_a_chinese_word_is_found_in_its_sentence(tokenizers):
    """BERT parts Chinese characters before it asks the vocabulary: a row alone is never read."""
    _, after, _ = tokenizers
    assert tokens(after, "我在北京大学读书") == ["我", "在", "北京大学", "读", "书"]
    assert tokens(after, "北京大学北京大学电影") == ["北京大学", "北京大学", "电影"]
    assert tokens(after, "北 京大学") == ["北", "京", "大", "学"]


def test_latin_words_are_found_beside_chinese_and_not_within_others(tokenizers):
    """'art' in 'party' is no art; and in Chinese text there are no spaces around 'Windows'."""
    _, after, _ = tokenizers
    assert tokens(after, "我玩WINDOWS游戏") == ["我", "玩", "windows", "游", "戏"]
    assert tokens(after, "在party-art玩") == ["在", "party-art", "玩"]
    assert "party-art" not in tokens(after, "the party-artist")
    assert "art-win" not in tokens(after, "part-windows")
    assert tokens(after, "swindows")[0] == "s"


@given(st.text(st.sampled_from("北京大学电影读书鑫我 windowsarty-2,é[]A\n"), max_size=30))
def test_other_text_is_tokenised_as_before(tokenizers, text):
    """The model has learned what its old wordpieces mean."""
    before, after, slow = tokenizers
    assume(not any(word.lower() in text.lower() for word in WORDS))
    ids = before(text)["input_ids"]
    assert after(text)["input_ids"] == ids
    assert slow(text)["input_ids"] == ids


@given(
    st.lists(
        st.sampled_from(["北京大学", "电影", "我", "Windows", "鑫", "，", " ", "art", "读书"]),
        max_size=12,
    )
)
def test_the_slow_tokenizer_agrees_on_new_words(tokenizers, parts):
    """Trained with one and used with the other, a model reads other pieces."""
    _, after, slow = tokenizers
    text = "".join(parts)
    assert slow(text)["input_ids"] == after(text)["input_ids"]


def test_tokenizers_are_the_same_when_saved_again(tokenizers, tmp_path):
    """A pipeline saves its tokenizer too; an added token or a row could be lost on the way."""
    _, after, slow = tokenizers
    for name, tokenizer in (("fast", after), ("slow", slow)):
        tokenizer.save_pretrained(tmp_path / name)
        again = AutoTokenizer.from_pretrained(tmp_path / name, use_fast=name == "fast")
        assert again.get_vocab() == after.get_vocab()
        for word in WORDS:
            assert again(word)["input_ids"] == after(word)["input_ids"]
    assert json.loads((tmp_path / "fast" / "tokenizer.json").read_text("utf-8"))


def rows_of(model):
    head = model.get_output_embeddings()
    return [t.detach() for t in (model.get_input_embeddings().weight, head.weight, head.bias)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bert", "tied_not", "electra", "distilbert"])
def test_new_rows_are_means_and_old_ones_stay(kind, tokenizer, tmp_path):
    """A random vector, or a bias left out, makes new words noise until they are learned."""
    n = len(tokenizer)
    distil = {"dim": 8, "n_layers": 1, "n_heads": 2, "hidden_dim": 8}
    model = {
        "bert": lambda: BertForMaskedLM(BertConfig(vocab_size=n, **SIZES)),
        "tied_not": lambda: BertForMaskedLM(
            BertConfig(vocab_size=n, tie_word_embeddings=False, **SIZES)
        ),
        "electra": lambda: ElectraForMaskedLM(
            ElectraConfig(vocab_size=n, embedding_size=8, **SIZES)
        ),
        "distilbert": lambda: DistilBertForMaskedLM(DistilBertConfig(vocab_size=n, **distil)),
    }[kind]()
    save(tmp_path / "old", model, tokenizer)
    done = extend_vocabulary(str(tmp_path / "old"), asked(WORDS), tmp_path / "new")
    old = AutoModelForMaskedLM.from_pretrained(tmp_path / "old")
    new = AutoModelForMaskedLM.from_pretrained(tmp_path / "new")
    assert new.config.vocab_size == n + 4
    kept = [row for row in range(n) if row not in done.added.values()]
    for before, after in zip(rows_of(old), rows_of(new), strict=True):
        assert len(after) == n + 4
        assert torch.equal(before[kept], after[kept])
        for word, row in zip(WORDS, done.added.values(), strict=True):
            pieces = tokenizer(word, add_special_tokens=False)["input_ids"]
            assert torch.allclose(after[row], before[pieces].mean(0), atol=1e-6), word
    others = [key for key in old.state_dict() if "word_emb" not in key and "LayerNorm" in key]
    assert others
    assert all(torch.equal(old.state_dict()[key], new.state_dict()[key]) for key in others)
    ids = tokenizer("我 the cat", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        scores = [model.eval()(ids).logits[..., kept] for model in (old, new)]
    assert torch.allclose(*scores, atol=1e-5)


def test_a_model_keeps_its_kind_and_precision(tokenizer, tmp_path):
    """A fine-tuned tagger would lose its head; a file in half precision would double."""
    config = BertConfig(vocab_size=len(tokenizer), num_labels=3, **SIZES)
    save(tmp_path / "tagger", BertForTokenClassification(config).half(), tokenizer)
    extend_vocabulary(str(tmp_path / "tagger"), asked(WORDS), tmp_path / "out")
    tagger = BertForTokenClassification.from_pretrained(tmp_path / "out", torch_dtype="auto")
    assert tagger.dtype == torch.float16
    old = BertForTokenClassification.from_pretrained(tmp_path / "tagger", torch_dtype="auto")
    assert torch.equal(old.classifier.weight, tagger.classifier.weight)
    # Without a pooler, none is made up.
    save(tmp_path / "bare", BertModel(config, add_pooling_layer=False), tokenizer)
    extend_vocabulary(str(tmp_path / "bare"), asked(WORDS), tmp_path / "bare2")
    _, found = AutoModel.from_pretrained(tmp_path / "bare2", output_loading_info=True)
    assert set(found["missing_keys"]) == {"pooler.dense.weight", "pooler.dense.bias"}


@pytest.mark.parametrize("alignment", ["token", "text"])
def test_every_token_of_a_pipeline_keeps_one_vector(extended, alignment):
    """A tagger needs as many vectors as there are tokens, whatever the wordpieces are."""
    text = "我在北京大学读书，玩Windows。"
    encoder = BertEncoder(str(extended[0]), alignment=alignment)
    by_character = Chinese()(text)
    words = ["我", "在", "北京大学", "读", "书", "，", "玩", "Windows", "。"]
    by_word = Doc(by_character.vocab, words=words, spaces=[False] * len(words))
    assert by_word.text == text
    encoder.initialize(X=[by_character])
    for doc in (by_character, by_word):
        (vectors,) = encoder.predict([doc])
        assert vectors.shape == (len(doc), 8)
        assert np.isfinite(vectors).all()
    # The four characters of the new word share its vector, if the text is read as a whole.
    vectors = encoder.predict([by_character])[0][2:6]
    assert np.allclose(vectors, vectors[0], atol=1e-6) == (alignment == "text")


def test_a_model_can_be_extended_again(extended, tmp_path):
    """The second list of words would take the rows of the first."""
    before = AutoTokenizer.from_pretrained(extended[0])
    done = extend_vocabulary(str(extended[0]), asked(["游戏", "电影", "cats"]), tmp_path / "again")
    after = AutoTokenizer.from_pretrained(tmp_path / "again")
    assert done.known == ["电影"]
    assert done.added == {"游戏": len(before), "cats": len(before) + 1}
    assert tokens(after, "北京大学游戏 cats windows") == ["北京大学", "游戏", "cats", "windows"]


def test_tokens_that_were_added_by_transformers_keep_their_rows(bert, tmp_path):
    """`add_tokens` appends behind the vocabulary: a new word would get the same row."""
    tokenizer = AutoTokenizer.from_pretrained(bert)
    tokenizer.add_tokens(["工作"])
    model = BertForMaskedLM.from_pretrained(bert)
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    save(tmp_path / "old", model, tokenizer)
    done = extend_vocabulary(str(tmp_path / "old"), asked(WORDS), tmp_path / "new")
    after = AutoTokenizer.from_pretrained(tmp_path / "new")
    assert after("工作", add_special_tokens=False)["input_ids"] == [len(tokenizer) - 1]
    assert max(done.added.values()) == len(tokenizer) + 3


def test_rows_without_a_wordpiece_are_used(tokenizer, tmp_path):
    """Embeddings that are padded to a round number would grow, and lose that."""
    config = BertConfig(vocab_size=len(tokenizer) + 10, **SIZES)
    save(tmp_path / "old", BertForMaskedLM(config), tokenizer)
    extend_vocabulary(str(tmp_path / "old"), asked(WORDS), tmp_path / "new")
    assert BertModel.from_pretrained(tmp_path / "new").config.vocab_size == len(tokenizer) + 10


def test_the_report_says_what_was_known_and_repeated_and_what_it_brings(bert, tmp_path):
    """The user would not learn that half of a list is of no use."""
    words = ["北京大学", "cat", "电影", "北京大学", "Cat", "ARTS", "arts"]
    done = extend_vocabulary(str(bert), asked(words), tmp_path / "out", texts=["我在北京大学 cat"])
    assert done.known == ["cat"]
    assert [(word.word, word.place) for word in done.repeated] == [
        ("北京大学", "words.txt:4"), ("Cat", "words.txt:5"), ("arts", "words.txt:7"),
    ]  # fmt: skip
    assert list(done.added) == ["北京大学", "电影", "arts"]
    assert done.before == pytest.approx(100 * 7 / 9)
    assert done.after == pytest.approx(100 * 4 / 9)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no new word"),
        (["cat", "我"], "2 are wordpieces already"),
        (["电影", "\u200b"], r"words\.txt:2: .* nothing that the tokenizer reads"),
        (["[MASK]"], r"words\.txt:1: '\[MASK\]' is a special token"),
        (["##zzy"], r"words\.txt:1: '##zzy' is written as ## marks"),
        (["[unused2]"], r"words\.txt:1: .* is a special token"),
        (["a" * 101], r"words\.txt:1: 'a+…' has more than 100 characters"),
    ],
)
def test_words_that_cannot_be_wordpieces_are_named(bert, tmp_path, words, message):
    """A row that no text ever reaches would be reported as a new word."""
    with pytest.raises(ValueError, match=message):
        extend_vocabulary(str(bert), asked(words), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_models_that_cannot_be_extended_are_refused(
    bert, byte_level, tokenizer, tmp_path, monkeypatch
):
    """The files would no longer fit together."""
    config = BertConfig(vocab_size=len(byte_level), **SIZES)
    save(tmp_path / "bpe", BertForMaskedLM(config), byte_level)
    with pytest.raises(ValueError, match="is a BPE"):
        extend_vocabulary(str(tmp_path / "bpe"), asked(WORDS), tmp_path / "out")
    config = BertConfig(vocab_size=len(tokenizer) - 1, **SIZES)
    save(tmp_path / "short", BertForMaskedLM(config), tokenizer)
    with pytest.raises(ValueError, match="rows of embeddings"):
        extend_vocabulary(str(tmp_path / "short"), asked(WORDS), tmp_path / "out")
    shutil.copytree(bert, tmp_path / "deep")
    config = json.loads((bert / "config.json").read_text())
    (tmp_path / "deep" / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 2}))
    with pytest.raises(ValueError, match=r"layer\.1"):
        extend_vocabulary(str(tmp_path / "deep"), asked(WORDS), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_failure_while_writing_leaves_the_old_model(bert, tmp_path, monkeypatch):
    """A model with the new rows and the old tokenizer loads, and reads nonsense."""
    output = tmp_path / "out"
    extend_vocabulary(str(bert), asked(["电影"]), output)
    before = {path.name: path.read_bytes() for path in output.iterdir()}

    def full_disk(*args, **kwargs):
        raise OSError("No space left on device")

    monkeypatch.setattr("transformers.BertForMaskedLM.save_pretrained", full_disk)
    with pytest.raises(OSError, match="No space"):
        extend_vocabulary(str(bert), asked(WORDS), output)
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before
    assert list(tmp_path.iterdir()) == [output]
