"""Hugging Face encoders, found by name, taken apart to be saved, and built again; tokenizers, found
by name."""

import inspect
import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import torch
from torch import nn

from spacy_bertcrf.models.bert.model_folder import NO_VOCABULARY, check_vocabulary, check_weights
from spacy_bertcrf.models.bert.saved_tokenizer import warn_if_fast
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
    has a decoder beside its encoder, code of its own or positions that this version of
    transformers has dropped, it does not make vectors of wordpieces alone, or its tokenizer makes
    wordpieces that it has no vector for.
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
        tokenizer = AutoTokenizer.from_pretrained(
            name, **{**tokenizer_config, "trust_remote_code": False}
        )
        # Without its vocabulary, transformers 5 makes a tokenizer to which all words are unknown.
        if not set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens):
            raise ValueError(NO_VOCABULARY)
    warn_if_fast(tokenizer, tokenizer_config.get("use_fast", True))
    return tokenizer


def build_encoder(config: str) -> nn.Module:
    """An encoder without its weights.

    config: as JSON, from `encoder_config`.

    Raises ValueError if it has settings that this version of transformers would pass over.
    """
    from transformers import AutoConfig, AutoModel

    try:
        from transformers.initialization import no_init_weights  # since transformers 5
    except ImportError:
        from transformers.modeling_utils import no_init_weights

    settings = json.loads(config)
    of_kind: Any = AutoConfig.for_model(**settings)
    if settings.get("rope_parameters") and "rope_parameters" not in type(of_kind)().to_dict():
        raise ValueError(
            f"This {of_kind.model_type} was saved with transformers "
            f"{settings.get('transformers_version')}, in which the settings of its positions have "
            "another form: this version would take others in their place. Install transformers 5."
        )
    _refuse_dropped_positions(of_kind)
    with no_init_weights():
        bert = AutoModel.from_config(_with_named_outputs(of_kind))
    return _without_pooler(bert)


def encoder_config(bert: Any, transformer_config: Mapping[str, Any]) -> str:
    """The encoder's config as JSON."""
    settings = json.loads(bert.config.to_json_string(use_diff=False))
    if "attn_implementation" in transformer_config:  # transformers leaves it out
        settings["attn_implementation"] = transformer_config["attn_implementation"]
    return json.dumps(settings)


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


def checkpoint_gradients(bert: Any) -> None:
    """Have the layers computed again in the backward pass. Raises ValueError if they cannot be."""
    if not bert.supports_gradient_checkpointing:
        raise ValueError(
            f"{type(bert).__name__} does not support gradient checkpointing in this version of "
            "transformers. Set gradient_checkpointing = false."
        )
    settings = {"use_reentrant": False}
    if hasattr(bert, "activation_checkpointing_enable"):  # its name in transformers 5
        bert.activation_checkpointing_enable(activation_checkpointing_kwargs=settings)
    else:
        bert.gradient_checkpointing_enable(settings)


def _load_encoder(name: str, config: Any) -> nn.Module:
    from transformers import AutoModel
    from transformers.utils import logging

    _refuse_dropped_positions(config)
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


def _refuse_dropped_positions(config: Any) -> None:
    """transformers 5 gives a BERT absolute positions whatever its config says."""
    kind = getattr(config, "position_embedding_type", None) or "absolute"
    if kind != "absolute" and not hasattr(type(config)(), "position_embedding_type"):
        raise ValueError(
            f"'{kind}' positions (position_embedding_type), which a {config.model_type} does not "
            f"have in transformers {version('transformers')}, would be read as absolute ones. "
            'Install an older one: python -m pip install "transformers<5"'
        )


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
        # In transformers 5 a forward pass takes arguments that it does not read.
        if "attention_mask" not in inspect.signature(bert.forward).parameters:
            raise ValueError("it reads no attention mask")
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
