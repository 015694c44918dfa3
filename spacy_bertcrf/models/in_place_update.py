"""The optimizer's step on torch parameters, and its averages, in the parameters' own memory."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import torch
from thinc.api import Model, Optimizer, PyTorchShim, Shim, torch2xp, xp2torch

from . import adam
from .types import Array

# Beside the shims and not on them, which are copied and pickled; thinc's optimizers are not.
_stepped_by: WeakKeyDictionary[Shim, Optimizer] = WeakKeyDictionary()


def optimizer_of(model: Model) -> Optimizer | None:
    """The optimizer that last stepped a torch module inside the model, None before any did."""
    for node in model.walk():
        for shim in node.shims:
            if shim in _stepped_by:
                return _stepped_by[shim]
    return None


def update_in_place(model: Model) -> None:
    """Make every torch module inside the model take its optimizer steps in place, and use the
    optimizer's averages."""
    for node in model.walk():
        for shim in node.shims:
            # Our own shims do so already, and may have more to do.
            if isinstance(shim, PyTorchShim) and (
                type(shim).finish_update is PyTorchShim.finish_update
            ):
                # No bound methods, for they would not pickle.
                vars(shim).update(
                    finish_update=partial(finish_update, shim), use_params=partial(use_params, shim)
                )


def finish_update(shim: PyTorchShim, optimizer: Optimizer) -> None:
    """What PyTorchShim.finish_update does, in the parameters' own memory.

    thinc's own step hands each parameter a new tensor around the old one's memory, so that an
    ever longer chain of small objects is kept. They come to lie in the gap that the gradient of
    the largest parameter leaves when it is freed, and that gap is never used again: memory
    grows by the size of BERT's word embeddings at every step. In place, nothing is added, and
    gradients can be released rather than kept as zeros.
    """
    _stepped_by[shim] = optimizer
    parameters = {
        (shim.id, name): parameter
        for name, parameter in shim._model.named_parameters()
        if parameter.grad is not None
    }
    if not shim._grad_scaler.found_inf:
        if adam.can_step(optimizer, parameters):
            adam.step(optimizer, parameters)
        else:
            for key, parameter in parameters.items():
                _step(optimizer, key, parameter)
    for parameter in parameters.values():
        parameter.grad = None
    shim._grad_scaler.update()


def _step(optimizer: Optimizer, key: tuple[int, str], parameter: torch.nn.Parameter) -> None:
    assert parameter.grad is not None
    weights: Array = torch2xp(parameter.data)
    gradient: Array = torch2xp(parameter.grad)
    weights, _ = optimizer(key, weights, gradient)
    updated = xp2torch(weights, device=parameter.device)
    if updated.data_ptr() != parameter.data_ptr():
        parameter.data.copy_(updated)


@contextmanager
def use_params(shim: PyTorchShim, params: Mapping[Any, Any]) -> Iterator[None]:
    """Have the weights replaced by others, such as `optimizer.averages`, inside a with block.

    thinc's own looks for other keys than those that its optimizer keeps torch's averages under,
    so that a pipeline would be evaluated and saved with averages in some layers only.
    """
    replaced: list[tuple[torch.Tensor, torch.Tensor]] = []
    for name, parameter in shim._model.named_parameters():
        if (shim.id, name) in params:
            replaced.append((parameter.data, parameter.data.clone()))
            parameter.data.copy_(xp2torch(params[shim.id, name], device=parameter.device))
    try:
        yield
    finally:
        for data, weights in replaced:
            data.copy_(weights)
