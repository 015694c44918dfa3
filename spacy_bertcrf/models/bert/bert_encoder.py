"""`spacy-bertcrf.BertEncoder.v1`: Docs to one vector a token, by any Hugging Face encoder."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from spacy.tokens import Doc
from thinc.api import ArgsKwargs, Model, get_torch_default_device
from thinc.types import Floats2d

from spacy_bertcrf import layers
from spacy_bertcrf.models.bert import pretrained
from spacy_bertcrf.models.bert.bert_shim import BertShim, bert_shim
from spacy_bertcrf.models.bert.encoder_input import POOLINGS, EncoderInput, encoder_input
from spacy_bertcrf.models.bert.half_precision import half_precision
from spacy_bertcrf.models.bert.saved_tokenizer import tokenizer_files
from spacy_bertcrf.models.bert.windows import Windows, read_in_windows
from spacy_bertcrf.models.bert.wordpieces import Wordpieces
from spacy_bertcrf.models.bridge.torch_layer import torch_layer, torch_to_array
from spacy_bertcrf.models.types import Tok2Vec

# What a batch costs beyond its wordpieces, in wordpieces: on a GPU the time in which Python
# launches the kernels of all layers, on a CPU that in which weights are laid out for a product, and
# in training the time in which its gradients are added to those of the other batches.
BATCH_COST = {"cpu": 128, "gpu": 2048}
BATCH_COST_IN_TRAINING = {"cpu": 128, "gpu": 4096}


def BertEncoder(
    name: str,
    alignment: str = "token",
    pooling: str = "mean",
    window: int = 512,
    overlap: int = 128,
    max_batch_pieces: int = 4096,
    n_layers: int = 1,
    frozen_embeddings: bool = False,
    frozen_layers: int = 0,
    gradient_checkpointing: bool = False,
    mixed_precision: bool = False,
    save_dtype: str = "float32",
    tokenizer_config: Mapping[str, Any] = {},
    transformer_config: Mapping[str, Any] = {},
) -> Tok2Vec:
    """One vector for every token, from an encoder that transformers' AutoModel loads.

    It has to take an attention mask, and to do without its pooler.

    name: a model's name on the Hugging Face hub, or its folder. It is read by `initialize` and
        never again: config, tokenizer and weights are saved with the pipeline.
    alignment: "token" tokenises every token for itself, "text" the text as a whole, where a
        wordpiece may belong to several tokens.
    pooling: a token's vector is that of its "first" or "last" wordpiece, or the "mean" of all.
        A token without wordpieces has a vector that is learned.
    window: the most wordpieces that are read at once, special tokens counted; fewer if the
        encoder has a smaller limit. Longer Docs are read in several windows.
    overlap: wordpieces that neighbouring windows share. Every token takes its vector from the
        window in which it has more context, half of that on each side at least.
    max_batch_pieces: windows go through the encoder sorted by length, in batches of at most so
        many wordpieces with padding (a longer window goes alone). In training it bounds memory
        too, whatever the size of an update or the length of a text: what was computed of so many
        wordpieces is kept for the backward pass, and all of the others is computed again.
    n_layers: 1 for the last layer's vectors; n > 1 for a learned mix of the last n.
    frozen_embeddings, frozen_layers: leave the embeddings, or so many of the lowest layers, as
        they are.
    gradient_checkpointing: compute the layers again in the backward pass, instead of keeping
        what they computed: less memory, a third more time.
    mixed_precision: matrix products in bfloat16, or, on a GPU that has no bfloat16 (NVIDIA's
        before Ampere: T4, V100, RTX 20), in float16 with scaled gradients.
    save_dtype: "float32", or "float16" for half the size on disk.
    tokenizer_config, transformer_config: for transformers' AutoTokenizer and AutoConfig.

    Raises ValueError for an alignment, pooling, size or dtype that cannot be, and, when it is
    initialized, for a DeBERTa (the first) in mixed precision.
    """
    _check(pooling, window, overlap, max_batch_pieces)
    build = partial(
        _build,
        n_layers=n_layers,
        frozen_embeddings=frozen_embeddings,
        frozen_layers=frozen_layers,
        gradient_checkpointing=gradient_checkpointing,
        mixed_precision=mixed_precision,
    )
    shim = BertShim(
        build,
        alignment,
        save_dtype,
        scale_gradients=_autocast_dtype(mixed_precision) == torch.float16,
    )
    reading = Reading(pooling, window, overlap, max_batch_pieces)
    model: Tok2Vec = torch_layer(
        "bert_encoder", shim, partial(_docs_to_torch, reading=reading), _torch_to_arrays
    )
    model.init = partial(
        _init, name=name, tokenizer_config=tokenizer_config, transformer_config=transformer_config
    )
    return model


def read_whole_texts(model: Tok2Vec) -> None:
    """Make a BertEncoder give each Doc one vector, (1, width), in place of those of its tokens:
    that of the special token before the text, [CLS]. Of a Doc that is read in several windows,
    it is the mean of theirs; a Doc without wordpieces has the vector that is learned.

    Raises ValueError if it is no BertEncoder.
    """
    if not is_bert_encoder(model):
        raise ValueError(
            "Only a spacy-bertcrf.BertEncoder.v1 gives vectors of [CLS]; this model gives those of "
            "tokens."
        )
    reading = reading_of(model)._replace(of_texts=True)
    model.attrs["convert_inputs"] = partial(_docs_to_torch, reading=reading)
    model.attrs["convert_outputs"] = partial(_torch_to_arrays, of_texts=True)


def is_bert_encoder(model: Model) -> bool:
    """Whether a model is a BertEncoder."""
    return bool(model.shims) and isinstance(model.shims[0], BertShim)


class Reading(NamedTuple):
    """How Docs are read. Not among the model's attrs, for what is loaded would win over the
    config."""

    pooling: str
    window: int
    overlap: int
    max_batch_pieces: int
    of_texts: bool = False


def reading_of(model: Tok2Vec) -> Reading:
    """How a BertEncoder reads Docs."""
    reading: Reading = model.attrs["convert_inputs"].keywords["reading"]
    return reading


def planned_windows(
    model: Tok2Vec, docs: Sequence[Doc], reading: Reading
) -> tuple[Wordpieces, Windows]:
    """The wordpieces of some Docs, and the windows in which a BertEncoder reads them."""
    shim = bert_shim(model)
    tokenizer = shim.tokenizer
    limit = pretrained.max_positions(shim.module.bert, tokenizer.tokenizer)
    window = min(reading.window, limit or reading.window)
    return read_in_windows(tokenizer, docs, window, reading.overlap)


def _init(
    model: Tok2Vec,
    X: Any = None,
    Y: Any = None,
    *,
    name: str,
    tokenizer_config: Mapping[str, Any],
    transformer_config: Mapping[str, Any],
) -> None:
    if model.has_dim("nO"):
        return
    shim = bert_shim(model)
    bert, tokenizer = pretrained.load_pretrained(name, transformer_config, tokenizer_config)
    shim.rebuild(
        config=pretrained.encoder_config(bert, transformer_config),
        tokenizer=tokenizer_files(tokenizer),
        use_fast=tokenizer.is_fast,
    )
    shim.module.bert.load_state_dict(bert.state_dict())
    model.set_dim("nO", shim.module.output_width)


def _build(
    config: str,
    tokenizer: Mapping[str, bytes],
    use_fast: bool,
    *,
    n_layers: int,
    frozen_embeddings: bool,
    frozen_layers: int,
    gradient_checkpointing: bool,
    mixed_precision: bool,
) -> "layers.WordpieceEncoder":
    bert: Any = pretrained.build_encoder(config)
    if mixed_precision and bert.config.model_type == "deberta":
        raise ValueError(
            "transformers' DeBERTa fills what it masks with the least number of float32, which "
            "half precision does not have. Set mixed_precision = false, or use a DeBERTa-v2 or -v3."
        )
    pretrained.freeze(bert, frozen_embeddings, frozen_layers)
    if gradient_checkpointing:
        pretrained.checkpoint_gradients(bert)
    return layers.WordpieceEncoder(bert, n_layers, _autocast_dtype(mixed_precision))


def _autocast_dtype(mixed_precision: bool) -> torch.dtype | None:
    if not mixed_precision:
        return None
    return half_precision(get_torch_default_device())


def _docs_to_torch(
    model: Tok2Vec, docs: list[Doc], is_train: bool, *, reading: Reading
) -> tuple[ArgsKwargs, Callable[[ArgsKwargs], list[Doc]]]:
    shim = bert_shim(model)
    device = shim.device
    read = _read(model, docs, is_train, reading)

    def to_device(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(device, non_blocking=True)

    args = (
        [to_device(ids) for ids in read.input_ids],
        [None if mask is None else to_device(mask) for mask in read.attention_masks],
        to_device(read.pieces),
        None if read.bags is None else to_device(read.bags),
        read.n_recomputed,
    )
    return ArgsKwargs(args=args, kwargs={}), lambda _: docs


def _read(model: Tok2Vec, docs: list[Doc], is_train: bool, reading: Reading) -> EncoderInput:
    shim = bert_shim(model)
    batch_cost = BATCH_COST_IN_TRAINING if is_train else BATCH_COST
    tokenizer = shim.tokenizer
    wordpieces, windows = planned_windows(model, docs, reading)
    return encoder_input(
        wordpieces,
        windows,
        prefix=tokenizer.prefix,
        suffix=tokenizer.suffix,
        pad_id=tokenizer.pad_id,
        pooling=reading.pooling,
        max_batch_pieces=reading.max_batch_pieces,
        batch_cost=batch_cost["cpu" if shim.device.type == "cpu" else "gpu"],
        of_texts=reading.of_texts,
        is_train=is_train,
    )


def _torch_to_arrays(
    model: Tok2Vec,
    inputs_outputs: tuple[list[Doc], torch.Tensor],
    is_train: bool,
    *,
    of_texts: bool = False,
) -> tuple[list[Floats2d], Callable[[list[Floats2d]], ArgsKwargs]]:
    docs, _ = inputs_outputs
    rows, to_torch = torch_to_array(model, inputs_outputs, is_train)
    bounds = np.cumsum([1 if of_texts else len(doc) for doc in docs])[:-1]
    arrays = model.ops.xp.split(rows, bounds.tolist()) if docs else []
    return arrays, lambda d_vectors: to_torch(model.ops.xp.concatenate(d_vectors))


def _check(pooling: str, window: int, overlap: int, max_batch_pieces: int) -> None:
    if pooling not in POOLINGS:
        raise ValueError(f"pooling is '{pooling}'; it can be {', '.join(POOLINGS)}.")
    if window < 8:
        raise ValueError(f"window is {window}; text and special tokens need 8 wordpieces or more.")
    if not 0 <= overlap <= window // 2:
        raise ValueError(f"overlap is {overlap}; it must be from 0 to half the window, {window}.")
    if max_batch_pieces < 1:
        raise ValueError(f"max_batch_pieces is {max_batch_pieces}; it must be at least 1.")
