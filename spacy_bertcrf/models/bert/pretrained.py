"""Hugging Face encoders and tokenizers: found by name, taken apart to be saved, built again."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from spacy_bertcrf.models.bridge.encoder_layers import layer_stack

NO_LIMIT = 1_000_000  # transformers' word for "no limit" in a tokenizer is greater


def load_pretrained(
    name: str, transformer_config: Mapping[str, Any], tokenizer_config: Mapping[str, Any]
) -> tuple[nn.Module, Any]:
    """The encoder, in float32, and its tokenizer.

    name: on the Hugging Face hub, or of a folder.
    transformer_config, tokenizer_config: given on to `AutoConfig` and `AutoTokenizer`.

    Raises ValueError if there is no such model, or it is not an encoder.
    """
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(name, **transformer_config)
        if config.is_encoder_decoder:
            raise ValueError(f"it is a {config.model_type}, which has a decoder")
        bert = _load_encoder(name, config)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"BERT '{name}' cannot be loaded: {error}. Give the folder of a Hugging Face model or "
            "its name on the hub."
        ) from error
    return _without_pooler(bert), load_tokenizer(name, tokenizer_config)


def load_tokenizer(name: str, tokenizer_config: Mapping[str, Any]) -> Any:
    """The tokenizer alone; arguments and errors as in `load_pretrained`."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(name, **tokenizer_config)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"The tokenizer of '{name}' cannot be loaded: {error}. Give the folder of a Hugging "
            "Face model or its name on the hub."
        ) from error


def build_encoder(config: str) -> nn.Module:
    """An encoder without its weights.

    config: as JSON, from `encoder_config`.
    """
    from transformers import AutoConfig, AutoModel
    from transformers.modeling_utils import no_init_weights

    settings = json.loads(config)
    with no_init_weights():
        bert = AutoModel.from_config(AutoConfig.for_model(**settings))
    return _without_pooler(bert)


def encoder_config(bert: Any, transformer_config: Mapping[str, Any]) -> str:
    """The encoder's config as JSON."""
    settings = json.loads(bert.config.to_json_string(use_diff=False))
    if "attn_implementation" in transformer_config:  # transformers leaves it out
        settings["attn_implementation"] = transformer_config["attn_implementation"]
    return json.dumps(settings)


def build_tokenizer(files: Mapping[str, bytes], use_fast: bool) -> Any:
    """The tokenizer of `tokenizer_files`."""
    from transformers import AutoTokenizer

    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        return AutoTokenizer.from_pretrained(folder, use_fast=use_fast, local_files_only=True)


def tokenizer_files(tokenizer: Any) -> dict[str, bytes]:
    """The files of a tokenizer, by name."""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def max_positions(bert: Any, tokenizer: Any) -> int | None:
    """The most wordpieces that the encoder reads at once, special tokens counted; None if it has
    no limit."""
    limits = []
    positions = getattr(bert.config, "max_position_embeddings", None)
    if positions and positions > 0:
        # RoBERTa numbers its positions from behind the padding's.
        table = getattr(getattr(bert, "embeddings", None), "position_embeddings", None)
        padding = getattr(table, "padding_idx", None)
        limits.append(positions if padding is None else positions - padding - 1)
    if tokenizer.model_max_length < NO_LIMIT:
        limits.append(tokenizer.model_max_length)
    return min(limits, default=None)


def freeze(bert: Any, embeddings: bool, n_layers: int) -> None:
    """Exclude the embeddings, or the lowest layers, from training.

    Raises ValueError if the encoder has fewer layers, or shares their weights.
    """
    if embeddings:
        for parameter in (
            getattr(bert, "embeddings", None) or bert.get_input_embeddings()
        ).parameters():
            parameter.requires_grad_(False)
    if not n_layers:
        return
    stack = layer_stack(bert)
    if stack is None or not 0 < n_layers <= len(stack):
        raise ValueError(
            f"{n_layers} layers cannot be frozen: {type(bert).__name__} has "
            + ("no layers with weights of their own." if stack is None else f"{len(stack)} layers.")
        )
    for layer in stack[:n_layers]:
        layer.requires_grad_(False)


def _load_encoder(name: str, config: Any) -> nn.Module:
    from transformers import AutoModel
    from transformers.utils import logging

    # transformers says that the pooler is untrained, which is not used, in the same words as it
    # says that layers are untrained, which is an error.
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        bert, found = AutoModel.from_pretrained(
            name, config=config, torch_dtype=torch.float32, output_loading_info=True
        )
    finally:
        logging.set_verbosity(verbosity)
    missing = [key for key in found["missing_keys"] if "pooler" not in key.split(".")]
    if missing:
        raise ValueError(f"its files do not have the weights {', '.join(missing)}")
    encoder: nn.Module = bert
    return encoder


def _without_pooler(bert: Any) -> nn.Module:
    """Nothing reads the vector of the whole text."""
    if getattr(bert, "pooler", None) is not None:
        bert.pooler = None
    encoder: nn.Module = bert
    return encoder
