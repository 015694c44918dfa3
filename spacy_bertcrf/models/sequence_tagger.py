"""The thinc layer around layers.SequenceTagger: token vectors to emissions."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from thinc.api import ArgsKwargs, Model, PyTorchWrapper_v3, torch2xp, xp2torch
from thinc.types import Ragged

from .. import layers
from .torch_shim import TorchShim, torch_shim
from .types import Array, EncoderBuilder


def SequenceTagger(build_encoder: EncoderBuilder) -> Model[Ragged, Ragged]:
    """Token vectors (n_tokens, input_width) to emissions (n_tokens, num_tags).

    In training the attribute "dropout_samples" says under how many dropouts these are computed;
    the result then holds all sequences, under the first, and so on.

    The torch module is made by `build_sequence_tagger`, or when the model is loaded, since
    its sizes are not known before.
    """
    model: Model[Ragged, Ragged] = PyTorchWrapper_v3(
        torch.nn.Module(), convert_inputs=_ragged_to_torch, convert_outputs=_torch_to_ragged
    )
    model.name = "sequence_tagger"
    model.shims[0] = TorchShim(partial(_build, build_encoder))
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
    shim = torch_shim(model)
    shim.module.dropout.p = model.attrs["dropout_rate"]
    data = xp2torch(vectors.dataXd, requires_grad=is_train, device=shim.device)
    # Packed sequences want the lengths in main memory, so they never leave it.
    lengths = torch.from_numpy(np.asarray(vectors.lengths, dtype=np.int64))

    def to_ragged(gradients: ArgsKwargs) -> Ragged:
        return Ragged(torch2xp(gradients.args[0]), vectors.lengths)

    samples = model.attrs["dropout_samples"] if is_train else 1
    return ArgsKwargs(args=(data, lengths, samples), kwargs={}), to_ragged


def _torch_to_ragged(
    model: Model, inputs_outputs: tuple[Ragged, torch.Tensor], is_train: bool
) -> tuple[Ragged, Callable[[Ragged], ArgsKwargs]]:
    vectors, emissions = inputs_outputs

    def to_torch(d_emissions: Ragged) -> ArgsKwargs:
        gradient = xp2torch(d_emissions.dataXd, device=emissions.device)
        return ArgsKwargs(args=((emissions,),), kwargs={"grad_tensors": (gradient,)})

    samples = len(emissions) // len(vectors.dataXd)
    lengths: Array = np.concatenate([vectors.lengths] * samples)
    return Ragged(torch2xp(emissions), lengths), to_torch
