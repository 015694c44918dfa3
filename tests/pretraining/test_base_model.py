"""What can be trained on, and what is said of what cannot."""

import json
import shutil

import pytest
import torch
from transformers import (
    AutoModel,
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    BertJapaneseTokenizer,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    ViTConfig,
    ViTModel,
)

from spacy_bertcrf.pretraining.base_model import load_base, ordinary_ids


@pytest.fixture
def copy(tiny_bert, tmp_path):
    return shutil.copytree(tiny_bert, tmp_path / "bert")


def test_a_base_with_a_head_is_loaded_whole(tiny_bert):
    """A head with random weights would unlearn at first what the base has learned."""
    base = load_base(str(tiny_bert))
    assert base.new_weights == []
    assert base.max_length == 512
    head = BertForMaskedLM.from_pretrained(tiny_bert).state_dict()
    assert all(torch.equal(head[key], value) for key, value in base.model.state_dict().items())


@pytest.mark.slow
def test_a_base_in_half_precision_is_trained_in_full(copy, tmp_path):
    """Updates smaller than float16's resolution would be lost."""
    AutoModel.from_pretrained(copy).half().save_pretrained(copy)
    base = load_base(str(copy))
    assert {p.dtype for p in base.model.parameters()} == {torch.float32}
    assert "cls.predictions.transform.dense.weight" in base.new_weights
    assert not any("embeddings" in key or "layer" in key for key in base.new_weights)


def test_a_model_of_another_kind_is_refused(tmp_path, tiny_bert):
    """It has nothing that could predict a masked word."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    gpt = GPT2LMHeadModel(GPT2Config(n_layer=1, n_embd=8, n_head=2, vocab_size=len(tokenizer)))
    vit = ViTModel(ViTConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2))
    for name, model in (("gpt2", gpt), ("vit", vit)):
        model.save_pretrained(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
        with pytest.raises(ValueError, match=f"{name} has no head for masked-language"):
            load_base(str(tmp_path / name))


def test_missing_layers_are_an_error(copy):
    """Random layers would be trained on as if they knew something."""
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 2}))
    with pytest.raises(ValueError, match=r"encoder\.layer\.1\."):
        load_base(str(copy))


def test_a_vocabulary_with_duplicates_is_an_error_that_names_the_lines(copy):
    """Saved again, all wordpieces behind the second would have the vectors of their neighbours."""
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (copy / name).unlink()
    lines = (copy / "vocab.txt").read_text("utf-8").split("\n")
    lines[20] = lines[10]
    (copy / "vocab.txt").write_text("\n".join(lines), "utf-8")
    with pytest.raises(ValueError, match=r"twice, in .*vocab\.txt:11 and :21"):
        load_base(str(copy))


def test_a_tokenizer_that_does_not_fit_is_an_error(copy, tiny_bert):
    """torch would fail on the first text that has one of the wordpieces too many."""
    n = len(AutoTokenizer.from_pretrained(tiny_bert))
    BertModel(
        BertConfig(
            vocab_size=n - 1,
            hidden_size=8,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=8,
        )
    ).save_pretrained(copy)
    with pytest.raises(ValueError, match=f"{n:,} wordpieces, its model {n - 1:,} rows"):
        load_base(str(copy))


def test_a_missing_folder_is_an_error(tmp_path):
    """The message should name the base, not transformers' guess at a download."""
    with pytest.raises(ValueError, match=r"Base '.*none' cannot be trained"):
        load_base(str(tmp_path / "none"))


def test_random_wordpieces_are_those_that_occur(tokenizer, vocabulary):
    """[unused1] never stands in a text: in its place there is nothing to be told from."""
    pieces = tokenizer.convert_ids_to_tokens(ordinary_ids(tokenizer))
    assert set(vocabulary) - set(pieces) == {
        *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused1]", "[unused2]", "[unused3]")
    }


def test_a_slow_tokenizer_is_refused(copy, monkeypatch):
    """It does not say which character a wordpiece stands for, so no word could be found."""
    slow = BertJapaneseTokenizer(copy / "vocab.txt", word_tokenizer_type="basic")
    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", lambda *_, **__: slow)
    with pytest.raises(ValueError, match="slow"):
        load_base(str(copy))
