"""What can be wrong with the folder of a Hugging Face model, told before its files are read."""

import json
from pathlib import Path

import safetensors

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
OTHER_WEIGHTS = {"tf_model.h5": "TensorFlow", "flax_model.msgpack": "Flax"}
VOCABULARIES = (
    *("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "spm.model"),
    *("sentencepiece.bpe.model", "tokenizer.model"),
)
NO_VOCABULARY = (
    "it has no vocabulary. Put the vocab.txt or tokenizer.json beside its config.json that the "
    "model was trained with"
)
LFS_POINTER = b"version https://git-lfs"


def check_weights(name: str) -> None:
    """Raise ValueError unless the folder has weights that are there as a whole. A name on the hub,
    where there is no such folder, is not looked at."""
    folder = Path(name)
    if not folder.is_dir():
        return
    index = next((f for w in WEIGHTS if (f := folder / f"{w}.index.json").is_file()), None)
    files = [folder / weights for weights in WEIGHTS if (folder / weights).is_file()]
    if not files and index is not None:
        _check_no_pointer(index)
        files = [folder / part for part in _parts(index)]
    if not files:
        raise ValueError(_no_weights(folder))
    for file in files:
        if not file.is_file():
            raise ValueError(f"{file.name}, a part of its weights, is missing. {_AGAIN}")
        _check_no_pointer(file)
        if file.suffix == ".safetensors":
            _check_safetensors(file)


def check_vocabulary(name: str) -> None:
    """Raise ValueError unless the folder has a tokenizer's files that are there as a whole."""
    folder = Path(name)
    if not folder.is_dir():
        return
    found = [folder / file for file in VOCABULARIES if (folder / file).is_file()]
    # Tokenizers that read characters or bytes have no vocabulary, but say so in their config.
    if not found and not (folder / "tokenizer_config.json").is_file():
        raise ValueError(NO_VOCABULARY)
    for file in found:
        _check_no_pointer(file)
        if not file.read_bytes().strip():
            raise ValueError(f"its {file.name} is empty. {_AGAIN}")


_AGAIN = "Copy or download the file again"


def _check_no_pointer(file: Path) -> None:
    with file.open("rb") as stream:
        if stream.read(len(LFS_POINTER)) == LFS_POINTER:
            raise ValueError(
                f"its {file.name} is a Git LFS pointer in place of the file. Run `git lfs install` "
                "and `git lfs pull` in the folder"
            )


def _check_safetensors(file: Path) -> None:
    try:
        with safetensors.safe_open(file, framework="numpy"):
            pass
    except safetensors.SafetensorError as error:
        raise ValueError(f"its {file.name} is damaged or not whole ({error}). {_AGAIN}") from error


def _parts(index: Path) -> list[str]:
    try:
        return sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, AttributeError) as error:
        raise ValueError(f"its {index.name} cannot be read ({error!r}). {_AGAIN}") from error


def _no_weights(folder: Path) -> str:
    kinds = [kind for file, kind in OTHER_WEIGHTS.items() if (folder / file).is_file()]
    if any(folder.glob("*.ckpt*")):
        kinds.append("TensorFlow")
    if kinds:
        return (
            f"it has weights of {' and '.join(dict.fromkeys(kinds))} alone. Take the model's "
            "model.safetensors or pytorch_model.bin, or convert them with transformers 4"
        )
    return "it has no weights. Put its model.safetensors or pytorch_model.bin there"
