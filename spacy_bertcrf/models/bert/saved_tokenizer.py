"""The files of a Hugging Face tokenizer, as a pipeline saves them; the tokenizer of such files."""

import json
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SPECIAL_TOKENS = (
    *("bos_token", "eos_token", "unk_token", "sep_token"),
    *("pad_token", "cls_token", "mask_token"),
)
OTHER_SETTINGS = ("model_max_length", "padding_side", "truncation_side")


def tokenizer_files(tokenizer: Any) -> dict[str, bytes]:
    """The files of a tokenizer, by name."""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def build_tokenizer(files: Mapping[str, bytes], use_fast: bool) -> Any:
    """The tokenizer of `tokenizer_files`. A fast one is built in memory; a slow one reads its files
    from a temporary folder.

    Warns of a slow one that this version of transformers makes a fast one of. Raises ValueError if
    that folder cannot be written.
    """
    if use_fast and "tokenizer.json" in files:
        return _built_in_memory(files)
    try:
        tokenizer = _built_from_folder(files, use_fast)
    except OSError as error:
        raise ValueError(
            f"The saved tokenizer cannot be read ({error}). One that is not fast needs a temporary "
            "folder that can be written: set the environment variable TMPDIR to one."
        ) from error
    warn_if_fast(tokenizer, use_fast)
    return tokenizer


def warn_if_fast(tokenizer: Any, use_fast: bool) -> None:
    """Warn where a slow tokenizer was asked for and there is none: transformers 5 has few."""
    if tokenizer.is_fast and not use_fast:
        warnings.warn(
            f"A slow tokenizer is asked for (use_fast = false), but the {type(tokenizer).__name__} "
            "of this version of transformers is a fast one. It may part a few words otherwise: "
            "train the pipeline anew with it, or install transformers 4.",
            stacklevel=2,
        )


def _built_in_memory(files: Mapping[str, bytes]) -> Any:
    """A fast tokenizer, just as it was saved, by whichever version of transformers: the classes for
    each kind of model would build some of its parts anew, from settings that not all versions
    write."""
    from tokenizers import AddedToken, Tokenizer
    from transformers import PreTrainedTokenizerFast

    settings = json.loads(files.get("tokenizer_config.json", b"{}"))
    backend = Tokenizer.from_str(files["tokenizer.json"].decode())
    added: dict[str, AddedToken] = {
        token.content: token for token in backend.get_added_tokens_decoder().values()
    }

    def token(saved: str | dict[str, Any]) -> AddedToken | str:
        content = saved["content"] if isinstance(saved, dict) else saved
        return added.get(content, content)

    kept = {key: token(settings[key]) for key in SPECIAL_TOKENS if settings.get(key) is not None}
    kept |= {key: settings[key] for key in OTHER_SETTINGS if key in settings}
    # transformers 4 has the others under the first of these names, 5 under the second.
    others = settings.get("additional_special_tokens") or settings.get("extra_special_tokens") or []
    if isinstance(others, list):
        kept["additional_special_tokens"] = [token(saved) for saved in others]
    return PreTrainedTokenizerFast(tokenizer_object=backend, **kept)


def _built_from_folder(files: Mapping[str, bytes], use_fast: bool) -> Any:
    from transformers import AutoTokenizer

    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        return AutoTokenizer.from_pretrained(folder, use_fast=use_fast, local_files_only=True)
