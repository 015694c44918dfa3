"""Folders of BERTs as people have them: what is wrong is told, and how to mend it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from spacy.tokens import Doc
from transformers import (
    AutoTokenizer,
    FNetConfig,
    FNetModel,
    GPT2Config,
    GPT2Model,
)

from spacy_bertcrf.models.bert.bert_encoder import BertEncoder


def change_config(folder: Path, **settings: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | settings), "utf-8")


def point_to(name: str) -> Callable[[Path], object]:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 31334328\n"
    return lambda folder: (folder / name).write_text(pointer, "utf-8")


def halve(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def halve_torch(folder: Path) -> None:
    path = folder / "pytorch_model.bin"
    torch.save(safetensors.torch.load_file(folder / "model.safetensors"), path)
    (folder / "model.safetensors").unlink()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def rename_weights(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "model.safetensors").rename(folder / name)


def drop_vocabulary(folder: Path) -> None:
    for name in ("vocab.txt", "tokenizer.json"):
        (folder / name).unlink(missing_ok=True)


def drop_tokenizer(folder: Path) -> None:
    drop_vocabulary(folder)
    (folder / "tokenizer_config.json").unlink()


def empty_vocabulary(folder: Path) -> None:
    drop_vocabulary(folder)
    (folder / "vocab.txt").write_text("\n", "utf-8")


def index_a_missing_part(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"embeddings": "model-00001-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")


def append_words(folder: Path) -> None:
    ids = AutoTokenizer.from_pretrained(folder).get_vocab()
    (folder / "tokenizer.json").unlink()
    words = [*sorted(ids, key=ids.get), "龘", "靐"]
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in words), "utf-8")


def need_code(folder: Path) -> None:
    change_config(folder, model_type="new", auto_map={"AutoConfig": "c.New", "AutoModel": "m.New"})


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "LFS pointer": (point_to("model.safetensors"), "model.safetensors is a Git LFS.*git lfs pull"),
    "LFS vocabulary": (point_to("tokenizer.json"), "tokenizer.json is a Git LFS.*git lfs pull"),
    "half a download": (halve, "model.safetensors is damaged or not whole.*again"),
    "half of torch's": (halve_torch, "cannot be loaded"),
    "empty weights": (lambda f: (f / "model.safetensors").write_bytes(b""), "damaged or not whole"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "has no weights"),
    "a part is missing": (index_a_missing_part, "model-00001-of-00002.* is missing"),
    "TensorFlow's": (rename_weights("tf_model.h5"), "TensorFlow alone"),
    "TensorFlow 1's": (rename_weights("bert.ckpt.data-00000-of-00001"), "TensorFlow alone"),
    "other sizes": (lambda f: change_config(f, intermediate_size=48), "config.json says"),
    "a config that is no JSON": (lambda f: (f / "config.json").write_text("{"), "cannot be loaded"),
    "no config": (lambda f: (f / "config.json").unlink(), "cannot be loaded"),
    "no vocabulary": (drop_vocabulary, "tokenizer of .* cannot be loaded"),
    "no tokenizer": (drop_tokenizer, "has no vocabulary"),
    "an empty vocabulary": (empty_vocabulary, "vocab.txt is empty"),
    "a broken tokenizer": (
        lambda f: (f / "tokenizer.json").write_text('{"model": 1}'),
        "tokenizer of .* cannot be loaded",
    ),
    "words written into vocab.txt": (append_words, "vectors: there is none for '龘', '靐'.*extend"),
    "code of its own": (need_code, "code of its own.*is not run"),
}


@pytest.fixture
def folder(bert_folder: Path, tmp_path: Path) -> Path:
    copied = tmp_path / "my_bert"
    shutil.copytree(bert_folder, copied)
    return copied


@pytest.fixture
def no_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object) -> str:
        raise AssertionError("a question was asked")

    monkeypatch.setattr("builtins.input", asked)


@pytest.mark.slow
@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.usefixtures("no_questions")
def test_what_is_wrong_with_a_folder_is_told(case, folder):
    """Else the user would read an error of torch, safetensors or tokenizers, without the folder
    and the mend; or a service would fail, or hang, weeks later."""
    spoil, message = BROKEN[case]
    spoil(folder)
    with pytest.raises(ValueError, match=f"(?s)my_bert'.*{message}|{message}") as error:
        BertEncoder(str(folder)).initialize()
    assert "my_bert" in str(error.value)


@pytest.mark.parametrize("part", ["tokenizer_config", "transformer_config"])
def test_code_is_not_run_on_demand_either(part, folder):
    """A saved pipeline could not be loaded without it."""
    with pytest.raises(ValueError, match="is not run"):
        BertEncoder(str(folder), **{part: {"trust_remote_code": True}}).initialize()


@pytest.mark.parametrize("settings", [{"return_dict": False}, {"torchscript": True}])
def test_configs_left_over_from_an_export_work(settings, folder, bert_folder, bert_docs):
    """Many folders on the hub have them."""
    expected, model = BertEncoder(str(bert_folder)), BertEncoder(str(folder))
    change_config(folder, **settings)
    for encoder in (expected, model):
        torch.manual_seed(0)
        encoder.initialize()
    loaded = BertEncoder("").from_bytes(model.to_bytes())
    for encoder in (model, loaded):
        for ours, theirs in zip(
            encoder.predict(bert_docs), expected.predict(bert_docs), strict=True
        ):
            assert ours == pytest.approx(theirs, abs=1e-5)


def test_a_kind_that_reads_no_mask_is_refused(folder):
    """FNet would mix padding into every token."""
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "intermediate_size": 16}
    FNetModel(FNetConfig(vocab_size=300, **sizes)).save_pretrained(folder)
    with pytest.raises(ValueError, match=r"my_bert.*FNetModel makes no vector"):
        BertEncoder(str(folder)).initialize()


@pytest.mark.parametrize("kind", ["gpt2", "bert"])
def test_a_decoder_is_warned_of(kind, folder, tiny_bert):
    """It sees nothing of what stands behind a token, and was taken without a word."""
    if kind == "gpt2":
        n_words = len(AutoTokenizer.from_pretrained(tiny_bert))
        config = GPT2Config(vocab_size=n_words, n_embd=16, n_layer=1, n_head=2)
        GPT2Model(config).save_pretrained(folder)
    else:
        change_config(folder, is_decoder=True)
    model = BertEncoder(str(folder))
    with pytest.warns(UserWarning, match="my_bert' is a decoder"):
        model.initialize()
    assert model.predict([Doc(_vocab(), words=["王"])])[0].shape[0] == 1


def _vocab():
    from spacy.vocab import Vocab

    return Vocab()
