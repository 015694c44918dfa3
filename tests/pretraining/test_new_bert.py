"""A BERT from scratch: what it writes must be a model like any other on the hub."""

import json

import pytest
import torch
from spacy.lang.zh import Chinese
from spacy.tokens import DocBin
from transformers import AutoModel, AutoModelForMaskedLM, AutoTokenizer

from spacy_bertcrf.pretraining.new_bert import (
    SIZES,
    SPECIAL_TOKENS,
    Size,
    build_vocabulary,
    checked,
    init_bert,
)

TEXTS = ["我在2008年玩CSOL。", "我用Windows10玩游戏，玩Windows版。", "日本カメラ展"]
SMALL = Size(1, 16, 2)
FILES = {
    *("config.json", "model.safetensors", "vocab.txt"),
    *("tokenizer.json", "tokenizer_config.json"),
}
OLD_FILES = {"special_tokens_map.json", "generation_config.json"}  # of transformers 4


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text("\n".join(TEXTS), encoding="utf-8")
    return path


def folder_bytes(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_transformers_loads_what_was_written(corpus, tmp_path):
    """spacy-transformers loads through these two classes and no other way."""
    bert = init_bert(tmp_path / "bert", [corpus], size=SMALL._replace(max_length=64))
    assert {path.name for path in bert.path.iterdir()} - OLD_FILES == FILES
    tokenizer = AutoTokenizer.from_pretrained(bert.path)
    model = AutoModel.from_pretrained(bert.path, add_pooling_layer=False).eval()
    assert tokenizer.is_fast
    assert tokenizer.model_max_length == model.config.max_position_embeddings == 64
    assert model.config.vocab_size == len(tokenizer) == bert.n_wordpieces
    head = AutoModelForMaskedLM.from_pretrained(bert.path)
    assert head.num_parameters() == bert.n_parameters > model.num_parameters()
    with torch.no_grad():
        output = model(**tokenizer(TEXTS, padding=True, return_tensors="pt"))
    assert output.last_hidden_state.shape[2] == 16
    assert torch.isfinite(output.last_hidden_state).all()


def test_nothing_of_the_corpus_is_unknown(corpus, tmp_path):
    """An unknown character is one vector for every name it stands in."""
    init_bert(tmp_path / "bert", [corpus], size=SMALL)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "bert")
    unseen = ["zebra77Q", "我10"]  # Latin letters and digits are known in any order
    for text in TEXTS + unseen:
        assert tokenizer.unk_token_id not in tokenizer(text)["input_ids"], text
    assert tokenizer.tokenize("Windows我") == ["Windows", "我"]
    assert tokenizer.tokenize("windows")[0] != "Windows"


def test_every_chinese_character_is_a_piece_of_its_own():
    """Tokens are characters in Chinese: a piece of two would be one vector for both."""
    pieces = build_vocabulary(TEXTS)
    assert pieces[:5] == list(SPECIAL_TOKENS)
    assert len(pieces) == len(set(pieces))
    characters = {char for text in TEXTS for char in text if "\u4e00" <= char <= "\u9fff"}
    assert characters <= set(pieces)
    joined = [p for p in pieces if len(p.removeprefix("##")) > 1 and characters & set(p)]
    assert joined == []
    assert "##我" not in pieces
    assert pieces.index("玩") < pieces.index("年")  # the more frequent first


def test_rare_characters_stay_out_when_asked():
    """They would keep a random vector; left out, [UNK] learns to stand for them."""
    pieces = build_vocabulary(TEXTS, min_frequency=2)
    assert "玩" in pieces
    assert "展" not in pieces
    assert {"Q", "##7"} <= set(pieces)


def test_a_corpus_without_text_gives_no_model(tmp_path):
    """A BERT that knows Latin letters alone would be written in silence."""
    (tmp_path / "empty.txt").write_text(" \n\n")
    with pytest.raises(ValueError, match="no text"):
        init_bert(tmp_path / "bert", [tmp_path / "empty.txt"], size=SMALL)
    assert not (tmp_path / "bert").exists()


@pytest.mark.parametrize("size", [6, 40, 200])
def test_the_vocabulary_keeps_to_its_size(size):
    """The embedding table of a large corpus would outgrow the model."""
    assert len(build_vocabulary(TEXTS * 3, vocab_size=size)) <= size


def test_same_seed_same_bytes(corpus, tmp_path):
    """A run from the start could not be repeated; and the caller's own randomness is untouched."""
    before = torch.random.get_rng_state()
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        init_bert(tmp_path / name, [corpus], size=SMALL, seed=seed)
    assert torch.equal(before, torch.random.get_rng_state())
    first, again, other = (folder_bytes(tmp_path / name) for name in "abc")
    assert first == again
    assert {name for name in first if first[name] != other[name]} == {"model.safetensors"}


def test_docbins_and_text_files_give_the_same_vocabulary(corpus, tmp_path):
    """The project makes the vocabulary from the converted corpus."""
    nlp = Chinese()
    docbin = tmp_path / "corpus.spacy"
    DocBin(docs=[nlp(text) for text in TEXTS]).to_disk(docbin)
    init_bert(tmp_path / "text", [corpus], size=SMALL)
    init_bert(tmp_path / "docs", [docbin], size=SMALL)
    assert folder_bytes(tmp_path / "text") == folder_bytes(tmp_path / "docs")


@pytest.mark.parametrize(
    ("size", "settings", "message"),
    [
        (Size(1, 30, 4), {}, "4 heads do not divide a width of 30"),
        (Size(0, 16, 2), {}, "layers must be at least 1"),
        (Size(1, 16, 0), {}, "heads must be at least 1"),
        (Size(1, 16, 2, max_length=2), {}, "max_length must be at least 3"),
        (SMALL, {"vocab_size": 5}, "vocab_size must be at least 6"),
        (SMALL, {"min_frequency": 0}, "min_frequency must be at least 1"),
    ],
)
def test_impossible_sizes_are_refused(corpus, tmp_path, size, settings, message):
    """torch would fail in the middle of the first training step."""
    with pytest.raises(ValueError, match=message):
        init_bert(tmp_path / "bert", [corpus], size=size, **settings)
    assert not (tmp_path / "bert").exists()


def test_sizes_by_name_are_those_of_the_paper():
    """A 'small' BERT that is another one cannot be compared with published ones."""
    sizes = {name: checked(size)[:3] for name, size in SIZES.items()}
    assert sizes["tiny"] == (2, 128, 2)
    assert sizes["mini"] == (4, 256, 4)
    assert sizes["small"] == (4, 512, 8)
    assert sizes["medium"] == (8, 512, 8)
    assert sizes["base"] == (12, 768, 12)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.txt", None, "does not exist"),
        ("gbk.txt", "汉字".encode("gbk"), "not UTF-8"),
    ],
)
def test_bad_inputs_are_named_and_nothing_is_written(tmp_path, name, content, message):
    """A vocabulary of the wrong text shows only as a poor score, much later."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    before = set(tmp_path.iterdir())
    with pytest.raises(ValueError, match=message) as error:
        init_bert(tmp_path / "bert", [tmp_path / name], size=SMALL)
    assert name in str(error.value)
    assert set(tmp_path.iterdir()) == before


def test_a_model_is_replaced_and_anything_else_is_not(corpus, tmp_path):
    """A mistyped folder would be lost; a second run of the project would fail."""
    output = tmp_path / "bert"
    init_bert(output, [corpus], size=SMALL)
    (output / "stale.bin").write_bytes(b"")
    init_bert(output, [corpus], size=SMALL._replace(width=32))
    assert {path.name for path in output.iterdir()} - OLD_FILES == FILES
    assert json.loads((output / "config.json").read_text(encoding="utf-8"))["hidden_size"] == 32
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "chapter1.txt").write_text("...", encoding="utf-8")
    with pytest.raises(ValueError, match="is not replaced"):
        init_bert(thesis, [corpus], size=SMALL)
    assert (thesis / "chapter1.txt").exists()
    with pytest.raises(ValueError, match="is a file"):
        init_bert(corpus, [corpus], size=SMALL)


def test_a_failure_while_writing_leaves_the_old_model(corpus, tmp_path, monkeypatch):
    """A half-written folder loads, with a random or missing part."""
    output = tmp_path / "bert"
    init_bert(output, [corpus], size=SMALL)
    before, around = folder_bytes(output), set(tmp_path.iterdir())

    def full_disk(*args, **kwargs):
        raise OSError("No space left on device")

    monkeypatch.setattr("transformers.BertTokenizerFast.save_pretrained", full_disk)
    with pytest.raises(OSError, match="No space"):
        init_bert(output, [corpus], size=SMALL._replace(width=32))
    assert folder_bytes(output) == before
    assert set(tmp_path.iterdir()) == around
