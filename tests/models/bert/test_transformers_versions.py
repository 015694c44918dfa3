"""Encoders that another version of transformers has saved."""

import json
import warnings

import pytest
from transformers import ModernBertConfig

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
