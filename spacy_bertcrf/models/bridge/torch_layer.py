"""The thinc layer around a torch module: what goes in, what comes out, and the gradients back."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from thinc.api import ArgsKwargs, Model, PyTorchWrapper_v3, torch2xp, xp2torch
from thinc.types import Ragged

from spacy_bertcrf.models.bridge.torch_shim import TorchShim, torch_shim
from spacy_bertcrf.models.types import Array


def torch_layer(
    name: str, shim: TorchShim, convert_inputs: Callable, convert_outputs: Callable
) -> Model:
    """A layer whose torch module is the shim's.

    convert_inputs, convert_outputs: as in thinc's PyTorchWrapper_v3.
    """
    model: Model = PyTorchWrapper_v3(
        torch.nn.Module(), convert_inputs=convert_inputs, convert_outputs=convert_outputs
    )
    model.name = name
    model.shims[0] = shim
    return model


def ragged_to_torch(
    model: Model, vectors: Ragged, is_train: bool
) -> tuple[ArgsKwargs, Callable[[ArgsKwargs], Ragged]]:
    """The vectors and the lengths for a module with dropout, at the layer's "dropout_rate"."""
    shim = torch_shim(model)
    if is_train:
        shim.training_module.dropout.p = model.attrs["dropout_rate"]
    data = xp2torch(vectors.dataXd, requires_grad=is_train, device=shim.device)
    # Packed sequences want the lengths in main memory, so they never leave it.
    lengths = torch.from_numpy(np.asarray(vectors.lengths, dtype=np.int64))

    def to_ragged(gradients: ArgsKwargs) -> Ragged:
        return Ragged(torch2xp(gradients.args[0]), vectors.lengths)

    return ArgsKwargs(args=(data, lengths), kwargs={}), to_ragged


def torch_to_array(
    model: Model, inputs_outputs: tuple[Any, torch.Tensor], is_train: bool
) -> tuple[Array, Callable[[Array], ArgsKwargs]]:
    """What the module computes."""
    _, output = inputs_outputs

    def to_torch(gradient: Array) -> ArgsKwargs:
        tensor = xp2torch(gradient, device=output.device)
        return ArgsKwargs(args=((output,),), kwargs={"grad_tensors": (tensor,)})

    return torch2xp(output), to_torch
