"""The thinc layer around layers.SequenceTagger: token vectors to emissions."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from thinc.api import ArgsKwargs, Model
from thinc.types import Ragged

from spacy_bertcrf import layers
from spacy_bertcrf.models.bridge.torch_layer import ragged_to_torch, torch_layer, torch_to_array
from spacy_bertcrf.models.bridge.torch_shim import TorchShim, torch_shim
from spacy_bertcrf.models.types import Array, EncoderBuilder


def SequenceTagger(build_encoder: EncoderBuilder) -> Model[Ragged, Ragged]:
    """Token vectors (n_tokens, input_width) to emissions (n_tokens, num_tags).

    In training the attribute "dropout_samples" says under how many dropouts these are computed;
    the result then holds all sequences, under the first, and so on.

    The torch module is made by `build_sequence_tagger`, or when the model is loaded, since
    its sizes are not known before.
    """
    shim = TorchShim(partial(_build, build_encoder))
    model = torch_layer("sequence_tagger", shim, _ragged_to_torch, _torch_to_ragged)
    model.attrs["dropout_rate"] = 0.0
    model.attrs["dropout_samples"] = 1
    return model


def build_sequence_tagger(model: Model[Ragged, Ragged], input_width: int, num_tags: int) -> None:
    """Give the layer a new torch module of these sizes, with random weights."""
    torch_shim(model).rebuild(input_width=input_width, num_tags=num_tags)
    model.set_dim("nI", input_width)
    model.set_dim("nO", num_tags)


def _build(build_encoder: EncoderBuilder, input_width: int, num_tags: int) -> torch.nn.Module:
    return layers.SequenceTagger(build_encoder(input_width), input_width, num_tags)


def _ragged_to_torch(
    model: Model, vectors: Ragged, is_train: bool
) -> tuple[ArgsKwargs, Callable[[ArgsKwargs], Ragged]]:
    inputs, to_ragged = ragged_to_torch(model, vectors, is_train)
    samples = model.attrs["dropout_samples"] if is_train else 1
    return ArgsKwargs(args=(*inputs.args, samples), kwargs={}), to_ragged


def _torch_to_ragged(
    model: Model, inputs_outputs: tuple[Ragged, torch.Tensor], is_train: bool
) -> tuple[Ragged, Callable[[Ragged], ArgsKwargs]]:
    vectors, _ = inputs_outputs
    emissions, to_torch = torch_to_array(model, inputs_outputs, is_train)
    samples = len(emissions) // len(vectors.dataXd)
    lengths: Array = np.concatenate([vectors.lengths] * samples)
    return Ragged(emissions, lengths), lambda d_emissions: to_torch(d_emissions.dataXd)
