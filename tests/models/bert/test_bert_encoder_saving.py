"""BertEncoder on disk: its own format, and Hugging Face's."""

import copy
import json
import pickle
import shutil
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import srsly
import torch
from thinc.api import SGD
from transformers import AutoModel, AutoTokenizer, T5Config, T5Model

from spacy_bertcrf.models.bert.bert_encoder import BertEncoder


def assert_same(found: Sequence[np.ndarray], expected: Sequence[Any], tolerance: float) -> None:
    for vectors, expected_vectors in zip(found, expected, strict=True):
        np.testing.assert_allclose(vectors, expected_vectors, rtol=0, atol=tolerance)


def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("socket.socket.connect", refuse)


def test_a_saved_encoder_needs_neither_folder_nor_network(
    bert_folder, tmp_path, monkeypatch, bert_docs
):
    """Else a pipeline could not be given to anybody else."""
    folder = tmp_path / "bert"
    shutil.copytree(bert_folder, folder)
    model = BertEncoder(str(folder), n_layers=2)
    model.initialize()
    vectors, backprop = model.begin_update(bert_docs)
    backprop(vectors)
    model.finish_update(SGD(0.01, grad_clip=0.0))
    expected = model.predict(bert_docs)
    model.to_disk(tmp_path / "saved")
    saved = model.to_bytes()
    shutil.rmtree(folder)
    no_network(monkeypatch)
    for loaded in (
        BertEncoder(str(folder), n_layers=2).from_bytes(saved),
        BertEncoder(str(folder), n_layers=2).from_disk(tmp_path / "saved"),
    ):
        loaded.initialize()  # as in `nlp.initialize`, which must not read the name again
        assert loaded.get_dim("nO") == 32
        assert_same(loaded.predict(bert_docs), expected, 1e-6)
        assert loaded.to_bytes() == saved


def test_half_precision_on_disk_halves_the_size(encoder, bert_docs):
    """Else a pipeline of BERT size would be twice as long in the download."""
    model = encoder(save_dtype="float16")
    saved, whole = model.to_bytes(), encoder().to_bytes()
    weights = 4 * sum(p.numel() for p in model.shims[0].module.parameters())
    assert len(whole) - len(saved) == pytest.approx(weights / 2, rel=0.02)
    loaded = BertEncoder("", save_dtype="float16").from_bytes(saved)
    assert {p.dtype for p in loaded.shims[0].module.parameters()} == {torch.float32}
    assert_same(loaded.predict(bert_docs), model.predict(bert_docs), 0.02)
    assert loaded.to_bytes() == saved  # nothing more is lost by saving again


def test_copies_are_whole_and_apart(encoder, bert_docs):
    """Else `nlp.pipe(n_process=2)` with spawned processes would fail."""
    model = encoder(n_layers=2, alignment="text", pooling="last", save_dtype="float32")
    shim = pickle.loads(pickle.dumps(model.shims[0]))
    twin = copy.deepcopy(model)
    expected = model.predict(bert_docs)
    assert_same(twin.predict(bert_docs), expected, 1e-6)
    twin.shims[0] = shim
    assert_same(twin.predict(bert_docs), expected, 1e-6)
    assert shim.id != model.shims[0].id
    with torch.no_grad():
        for parameter in shim.module.parameters():
            parameter.zero_()
    assert_same(model.predict(bert_docs), expected, 1e-6)


def test_shapes_that_do_not_fit_are_named(encoder):
    """Else wrong weights would be taken, or the user would not know which."""
    model = encoder()
    message = srsly.msgpack_loads(model.shims[0].to_bytes())
    tensors = safetensors.torch.load(message["state"])
    tensors["bert.encoder.layer.1.output.dense.bias"] = torch.zeros(7)
    del tensors["pieceless"]
    message["state"] = safetensors.torch.save(tensors)
    with pytest.raises(ValueError, match=r"layer\.1\.output\.dense\.bias' is \(7,\)") as error:
        BertEncoder("").shims[0].from_bytes(srsly.msgpack_dumps(message))
    assert "'pieceless' is missing" in str(error.value)
    with pytest.raises(ValueError, match="'mix_logits' is missing"):
        BertEncoder("", n_layers=2).from_bytes(model.to_bytes())


def test_an_encoder_that_is_not_initialized_can_be_saved():
    """`nlp.to_disk` before `nlp.initialize`."""
    loaded = BertEncoder("").from_bytes(BertEncoder("").to_bytes())
    assert not loaded.has_dim("nO")


# Loading from Hugging Face's format


def test_a_checkpoint_in_half_precision_is_trained_in_single(bert_folder, tmp_path):
    """Steps of 1e-5 are lost in float16."""
    AutoModel.from_pretrained(bert_folder, torch_dtype=torch.float16).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(bert_folder).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text("utf-8"))
    assert config.get("dtype", config.get("torch_dtype")) == "float16"  # its name since 4.56
    model = BertEncoder(str(tmp_path))
    model.initialize()
    loaded = BertEncoder("").from_bytes(model.to_bytes())
    for encoder in (model, loaded):
        assert {p.dtype for p in encoder.shims[0].module.parameters()} == {torch.float32}


def test_a_checkpoint_without_some_weights_is_refused(bert_folder, tmp_path):
    """Else layers would be random, and the model only somewhat worse."""
    folder = tmp_path / "bert"
    shutil.copytree(bert_folder, folder)
    path = folder / "model.safetensors"
    tensors = safetensors.torch.load_file(path)
    name = next(key for key in tensors if key.endswith("layer.2.attention.self.query.weight"))
    del tensors[name]
    safetensors.torch.save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"layer\.2\.attention\.self\.query\.weight"):
        BertEncoder(str(folder)).initialize()


def test_a_checkpoint_without_pooler_is_whole(bert_folder, tmp_path):
    """Most models trained on masked words have none, and nothing reads it."""
    folder = tmp_path / "bert"
    shutil.copytree(bert_folder, folder)
    path = folder / "model.safetensors"
    tensors = safetensors.torch.load_file(path)
    kept = {name: value for name, value in tensors.items() if "pooler" not in name}
    assert len(kept) < len(tensors)
    safetensors.torch.save_file(kept, path, metadata={"format": "pt"})
    model = BertEncoder(str(folder))
    model.initialize()
    assert not any("pooler" in name for name in model.shims[0].module.state_dict())


def test_weights_under_the_name_of_a_whole_model_are_found(bert_folder, tmp_path):
    """Checkpoints of BertForMaskedLM call them `bert.encoder…`, as most on the hub do."""
    from transformers import BertForMaskedLM

    torch.manual_seed(5)
    whole = BertForMaskedLM(AutoModel.from_pretrained(bert_folder).config)
    whole.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(bert_folder).save_pretrained(tmp_path)
    model = BertEncoder(str(tmp_path))
    model.initialize()
    found = model.shims[0].module.bert.state_dict()
    for name, value in whole.bert.state_dict().items():
        assert torch.equal(found[name], value), name


def test_models_with_a_decoder_are_refused(tmp_path, bert_folder):
    """Else the user would train on what a decoder gives for nothing."""
    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2}
    T5Model(T5Config(vocab_size=300, **sizes)).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(bert_folder).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="t5, which has a decoder"):
        BertEncoder(str(tmp_path)).initialize()


@pytest.mark.parametrize("content", [None, {}, {"model_type": "no such type"}])
def test_what_is_no_model_is_named(tmp_path, content):
    """A mistyped folder is the most common error of all."""
    folder = tmp_path / "no_bert"
    if content is not None:
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ValueError, match=r"no_bert.*cannot be loaded"):
        BertEncoder(str(folder)).initialize()


def test_settings_for_transformers_reach_it(bert_folder):
    """Else a config would promise what is not done."""
    model = BertEncoder(
        str(bert_folder),
        tokenizer_config={"model_max_length": 32, "do_lower_case": True},
        transformer_config={"attention_probs_dropout_prob": 0.5},
    )
    model.initialize()
    loaded = BertEncoder("").from_bytes(model.to_bytes())
    for shim in (model.shims[0], loaded.shims[0]):
        assert shim.module.bert.config.attention_probs_dropout_prob == 0.5
        assert shim.tokenizer.tokenizer.model_max_length == 32
        assert shim.tokenizer.tokenizer.tokenize("Windows") != ["Windows"]


def test_a_slow_tokenizer_stays_slow(bert_folder, slow_tokenizer, tmp_path, bert_docs):
    """Some models have no other; one that became fast by loading could split words otherwise."""
    AutoModel.from_pretrained(bert_folder).save_pretrained(tmp_path)
    slow_tokenizer.save_pretrained(tmp_path)
    model = BertEncoder(str(tmp_path))
    model.initialize()
    loaded = BertEncoder("").from_bytes(model.to_bytes())
    assert not loaded.shims[0].tokenizer.tokenizer.is_fast
    assert_same(loaded.predict(bert_docs), model.predict(bert_docs), 1e-6)
    with pytest.raises(ValueError, match='alignment = "token"'):
        BertEncoder(str(tmp_path), alignment="text").initialize()


def test_a_slow_tokenizer_that_is_not_to_be_had_is_told(bert_folder, bert_docs):
    """transformers 5 has none for a BERT, and takes the fast one without a word."""
    model = BertEncoder(str(bert_folder), tokenizer_config={"use_fast": False})
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model.initialize()
        loaded = BertEncoder("").from_bytes(model.to_bytes())
    asked = [str(warning.message) for warning in told if "use_fast" in str(warning.message)]
    assert len(asked) == loaded.shims[0].tokenizer.tokenizer.is_fast
    assert_same(loaded.predict(bert_docs), model.predict(bert_docs), 1e-6)
