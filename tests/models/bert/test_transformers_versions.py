"""Encoders that another version of transformers has saved."""

import json
import shutil
import warnings

import pytest
from transformers import BertConfig, ModernBertConfig

from spacy_bertcrf.models.bert.bert_encoder import BertEncoder
from spacy_bertcrf.models.bert.pretrained import build_encoder
from spacy_bertcrf.models.bert.saved_tokenizer import build_tokenizer

SIZES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
SIZES |= {"intermediate_size": 8, "vocab_size": 20, "pad_token_id": 0}
ROPE = {"full_attention": {"rope_type": "default", "rope_theta": 500.0}}
ROPE |= {"sliding_attention": {"rope_type": "default", "rope_theta": 70.0}}


def test_positions_that_this_version_would_pass_over_are_an_error():
    """transformers 4 would take its own base of the rotary positions, and find other entities."""
    saved = {"model_type": "modernbert", "transformers_version": "5.24.0", **SIZES}
    saved |= {"rope_parameters": ROPE}
    if "rope_parameters" in ModernBertConfig().to_dict():
        assert build_encoder(json.dumps(saved)).config.rope_parameters == ROPE
    else:
        with pytest.raises(ValueError, match=r"modernbert was saved with transformers 5\.24\.0"):
            build_encoder(json.dumps(saved))


@pytest.fixture
def without_relative_positions(monkeypatch):
    """A BERT's config as transformers 5 has it: what it does not know it keeps, and nobody reads
    it."""
    if not hasattr(BertConfig(), "position_embedding_type"):
        return
    made = BertConfig.__init__

    def make(self, **settings):
        kind = settings.pop("position_embedding_type", None)
        made(self, **settings)
        del self.position_embedding_type
        if kind is not None:
            self.position_embedding_type = kind

    monkeypatch.setattr(BertConfig, "__init__", make)


def with_positions(bert, tmp_path, kind):
    folder = shutil.copytree(bert, tmp_path / "bert")
    path = folder / "config.json"
    settings = json.loads(path.read_text("utf-8")) | {"position_embedding_type": kind}
    path.write_text(json.dumps(settings), "utf-8")
    return folder


@pytest.mark.parametrize("kind", ["relative_key", "relative_key_query"])
def test_relative_positions_are_an_error_where_absolute_ones_would_be_taken(
    kind, without_relative_positions, tiny_bert, tmp_path
):
    """transformers 5 reads such a BERT without a word, and its vectors are others."""
    folder = with_positions(tiny_bert, tmp_path, kind)
    message = rf"'{kind}' positions.* would be read as absolute.* pip install \"transformers<5\""
    with pytest.raises(ValueError, match=message):
        BertEncoder(str(folder)).initialize()
    with pytest.raises(ValueError, match=message):
        build_encoder((folder / "config.json").read_text("utf-8"))


def test_absolute_positions_are_read_if_they_are_named(
    without_relative_positions, tiny_bert, tmp_path
):
    """transformers 4 writes so of every BERT."""
    folder = with_positions(tiny_bert, tmp_path, "absolute")
    assert BertEncoder(str(folder)).initialize().has_dim("nO")


@pytest.mark.parametrize("settings", [{"pad_token": "[PAD]", "added_tokens_decoder": {}}, {}])
def test_tokenizers_need_none_of_what_one_version_writes(settings, tiny_bert):
    """4 writes the added tokens twice, 5 only into tokenizer.json."""
    files = {
        "tokenizer.json": (tiny_bert / "tokenizer.json").read_bytes(),
        "tokenizer_config.json": json.dumps(
            {"tokenizer_class": "TokenizersBackend", "model_max_length": 33, **settings}
        ).encode(),
    }
    tokenizer = build_tokenizer(files, use_fast=True)
    assert tokenizer.model_max_length == 33
    assert tokenizer.convert_ids_to_tokens(tokenizer("王小明")["input_ids"]) == [
        *("[CLS]", "王", "小", "明", "[SEP]"),
    ]


def test_a_slow_tokenizer_of_transformers_4_is_told_where_it_is_none(tiny_bert):
    """transformers 5 makes a fast one of it."""
    files = {
        "vocab.txt": (tiny_bert / "vocab.txt").read_bytes(),
        "tokenizer_config.json": b'{"tokenizer_class": "BertTokenizer", "do_lower_case": false}',
    }
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        tokenizer = build_tokenizer(files, use_fast=False)
    assert tokenizer.is_fast == any("A slow tokenizer is asked" in str(w.message) for w in told)
    assert tokenizer.tokenize("王小明") == ["王", "小", "明"]
