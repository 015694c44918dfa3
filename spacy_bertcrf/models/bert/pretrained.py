"""Hugging Face encoders and tokenizers: found by name, taken apart to be saved, built again."""

import json
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from spacy_bertcrf.models.bert.model_folder import check_vocabulary, check_weights
from spacy_bertcrf.models.bridge.encoder_layers import layer_stack

NO_LIMIT = 1_000_000  # transformers' word for "no limit" in a tokenizer is greater
NO_REMOTE_CODE = (
    "it needs code of its own (auto_map, trust_remote_code), which is not run, for a saved "
    "pipeline holds no code. Take a model whose kind transformers has"
)


def load_pretrained(
    name: str, transformer_config: Mapping[str, Any], tokenizer_config: Mapping[str, Any]
) -> tuple[nn.Module, Any]:
    """The encoder, in float32, and its tokenizer.

    name: on the Hugging Face hub, or of a folder.
    transformer_config, tokenizer_config: given on to `AutoConfig` and `AutoTokenizer`.

    Warns of a decoder. Raises ValueError if there is no such model, its files are not whole, it
    has a decoder beside its encoder or code of its own, it does not make vectors of wordpieces
    alone, or its tokenizer makes wordpieces that it has no vector for.
    """
    from transformers import AutoConfig

    with _told(f"BERT '{name}' cannot be loaded"):
        _refuse_remote_code(transformer_config)
        config: Any = AutoConfig.from_pretrained(
            name, **{**transformer_config, "trust_remote_code": False}
        )
        if config.is_encoder_decoder:
            raise ValueError(
                f"it is a {config.model_type}, which has a decoder. Take a model that is an "
                "encoder alone"
            )
        check_weights(name)
        bert: Any = _without_pooler(_load_encoder(name, _with_named_outputs(config)))
    tokenizer = load_tokenizer(name, tokenizer_config)
    with _told(f"BERT '{name}' cannot be used"):
        _check_vectors(bert, tokenizer)
        if not _sees_right_context(bert):
            warnings.warn(
                f"BERT '{name}' is a decoder ({bert.config.model_type}): what stands behind a "
                "token does not change its vector. An encoder finds more entities.",
                stacklevel=2,
            )
    return bert, tokenizer


def load_tokenizer(name: str, tokenizer_config: Mapping[str, Any]) -> Any:
    """The tokenizer alone; arguments and errors as in `load_pretrained`."""
    from transformers import AutoTokenizer

    with _told(f"The tokenizer of '{name}' cannot be loaded"):
        _refuse_remote_code(tokenizer_config)
        check_vocabulary(name)
        return AutoTokenizer.from_pretrained(
            name, **{**tokenizer_config, "trust_remote_code": False}
        )


def build_encoder(config: str) -> nn.Module:
    """An encoder without its weights.

    config: as JSON, from `encoder_config`.
    """
    from transformers import AutoConfig, AutoModel

    try:
        from transformers.initialization import no_init_weights  # since transformers 5
    except ImportError:
        from transformers.modeling_utils import no_init_weights

    settings = json.loads(config)
    with no_init_weights():
        bert = AutoModel.from_config(_with_named_outputs(AutoConfig.for_model(**settings)))
    return _without_pooler(bert)


def encoder_config(bert: Any, transformer_config: Mapping[str, Any]) -> str:
    """The encoder's config as JSON."""
    settings = json.loads(bert.config.to_json_string(use_diff=False))
    if "attn_implementation" in transformer_config:  # transformers leaves it out
        settings["attn_implementation"] = transformer_config["attn_implementation"]
    return json.dumps(settings)


def build_tokenizer(files: Mapping[str, bytes], use_fast: bool) -> Any:
    """The tokenizer of `tokenizer_files`. A fast one is built in memory; a slow one reads its files
    from a temporary folder.

    Raises ValueError if that cannot be written.
    """
    if use_fast:
        tokenizer = _built_in_memory(files)
        if tokenizer is not None:
            return tokenizer
    try:
        return _built_from_folder(files, use_fast)
    except OSError as error:
        raise ValueError(
            f"The saved tokenizer cannot be read ({error}). One that is not fast needs a temporary "
            "folder that can be written: set the environment variable TMPDIR to one."
        ) from error


def _built_in_memory(files: Mapping[str, bytes]) -> Any:
    """The tokenizer, as `AutoTokenizer.from_pretrained` makes it of these files; None where that
    takes more than transformers 4's fast tokenizers do."""
    import transformers
    from tokenizers import AddedToken, Tokenizer

    settings = json.loads(files.get("tokenizer_config.json", b"{}"))
    name = settings.pop("tokenizer_class", "").removesuffix("Fast")
    kind = getattr(transformers, f"{name}Fast", None)
    # Without these, transformers guesses from other files, or makes the tokenizer of a slow one.
    is_described = "tokenizer.json" in files and "added_tokens_decoder" in settings
    if kind is None or not is_described or transformers.__version__.split(".")[0] != "4":
        return None
    added = {int(n): AddedToken(**token) for n, token in settings["added_tokens_decoder"].items()}
    by_content = {token.content: token for token in added.values()}
    settings = kind.convert_added_tokens(settings, save=False)
    for key in kind.SPECIAL_TOKENS_ATTRIBUTES:
        if key != "additional_special_tokens" and settings.get(key) is not None:
            settings[key] = by_content.get(str(settings[key]), settings[key])
    settings |= {
        "added_tokens_decoder": added,
        "tokenizer_object": Tokenizer.from_str(files["tokenizer.json"].decode()),
    }
    return kind(**settings)


def _built_from_folder(files: Mapping[str, bytes], use_fast: bool) -> Any:
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


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Errors of any library as a ValueError that begins with `what`."""
    try:
        yield
    except Exception as error:
        reason = str(error).strip() or repr(error)
        if "trust_remote_code" in reason:
            reason = NO_REMOTE_CODE
        elif "size mismatch" in reason or "ignore_mismatched_sizes" in reason:
            reason = (
                "its weights are of other sizes than its config.json says. Take both files from "
                f"the same model ({reason})"
            )
        elif not isinstance(error, OSError | ValueError):
            reason = f"{type(error).__name__}: {reason}"
        raise ValueError(
            f"{what}: {reason.rstrip('.')}. Give the folder of a Hugging Face model or its name on "
            "the hub."
        ) from error


def _refuse_remote_code(settings: Mapping[str, Any]) -> None:
    if settings.get("trust_remote_code"):
        raise ValueError(NO_REMOTE_CODE)


def _with_named_outputs(config: Any) -> Any:
    """What a script for TorchScript left in a config would have the model give a tuple."""
    config.return_dict = True
    config.torchscript = False
    return config


def _check_vectors(bert: Any, tokenizer: Any) -> None:
    n_vectors: int = bert.get_input_embeddings().num_embeddings
    beyond = sorted((n, piece) for piece, n in tokenizer.get_vocab().items() if n >= n_vectors)
    if beyond:
        first = ", ".join(f"'{piece}'" for _, piece in beyond[:5])
        raise ValueError(
            f"its tokenizer has {len(tokenizer):,} wordpieces, its weights {n_vectors:,} vectors: "
            f"there is none for {first}{' and others' if len(beyond) > 5 else ''}. Take the "
            "vocabulary that the model was trained with, and add words to it by `python -m spacy "
            "bertcrf extend-vocab`"
        )


def _sees_right_context(bert: Any) -> bool:
    """Whether a wordpiece's vector changes with what stands behind it.

    Raises ValueError if the model makes no vectors of wordpieces and a mask.
    """
    ids = torch.tensor([[0, 1, 2, 3], [0, 1, 2, 4]]) % bert.get_input_embeddings().num_embeddings
    was_training = bert.training
    bert.eval()
    try:
        with torch.no_grad():
            vectors = bert(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        if vectors.shape[:2] != ids.shape:
            raise ValueError(f"vectors of shape {tuple(vectors.shape)} for {tuple(ids.shape)}")
    except Exception as error:
        raise ValueError(
            f"a {type(bert).__name__} makes no vector for each wordpiece from wordpieces and an "
            f"attention mask alone ({error}). Take a BERT, RoBERTa, DeBERTa or the like"
        ) from error
    finally:
        bert.train(was_training)
    return not torch.equal(vectors[0, :3], vectors[1, :3])


def _without_pooler(bert: Any) -> nn.Module:
    """Nothing reads the vector of the whole text."""
    if getattr(bert, "pooler", None) is not None:
        bert.pooler = None
    encoder: nn.Module = bert
    return encoder
