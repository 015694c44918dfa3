"""A saved tokenizer is built again without a file system that can be written."""

import pytest
from transformers import AutoTokenizer

from spacy_bertcrf.models.bert.saved_tokenizer import build_tokenizer, tokenizer_files

TEXTS = ["王小明2008年 Windows10", "the cat<ent> sat", "  <ent>\n[MASK] dog<s> naïve"]
KINDS = ["bert", "bert_uncased", "byte_level", "unigram"]


@pytest.fixture(params=KINDS)
def tokenizer(request, bert_folder, byte_level_tokenizer, unigram_tokenizer, tmp_path):
    if request.param.startswith("bert"):
        lower = request.param == "bert_uncased"
        made = AutoTokenizer.from_pretrained(bert_folder, do_lower_case=lower)
    else:
        kinds = {"byte_level": byte_level_tokenizer, "unigram": unigram_tokenizer}
        kinds[request.param].save_pretrained(tmp_path / "kind")
        made = AutoTokenizer.from_pretrained(tmp_path / "kind")
    made.add_tokens(["<ent>"])
    made.add_special_tokens({"additional_special_tokens": ["<q>"]})
    made.model_max_length = 33
    made.padding_side = "left"
    return made


def test_a_fast_tokenizer_needs_no_temporary_folder(tokenizer, tmp_path, monkeypatch):
    """In a container without one the pipeline would not load; and it has to be the same one, with
    what was added to it."""
    files = tokenizer_files(tokenizer)
    tokenizer.save_pretrained(tmp_path / "saved")
    expected = AutoTokenizer.from_pretrained(tmp_path / "saved")

    def refuse(*_: object, **__: object) -> None:
        raise OSError("read-only file system")

    monkeypatch.setattr("tempfile.TemporaryDirectory", refuse)
    found = build_tokenizer(files, use_fast=True)
    assert found.backend_tokenizer.to_str() == expected.backend_tokenizer.to_str()
    assert found.special_tokens_map == expected.special_tokens_map
    assert found.added_tokens_decoder == expected.added_tokens_decoder
    assert set(found.all_special_ids) == set(expected.all_special_ids)
    for name in ("model_max_length", "padding_side", "is_fast", "mask_token_id", "pad_token_id"):
        assert getattr(found, name) == getattr(expected, name), name
    assert found(TEXTS)["input_ids"] == tokenizer(TEXTS)["input_ids"]


def test_a_slow_tokenizer_says_what_it_needs(slow_tokenizer, monkeypatch):
    """Else a bare OSError would name neither the tokenizer nor the mend."""
    files = tokenizer_files(slow_tokenizer)

    def refuse(*_: object, **__: object) -> None:
        raise OSError("read-only file system")

    monkeypatch.setattr("tempfile.TemporaryDirectory", refuse)
    with pytest.raises(ValueError, match="TMPDIR"):
        build_tokenizer(files, use_fast=False)
