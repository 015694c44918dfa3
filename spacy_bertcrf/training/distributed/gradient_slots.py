"""Where the gradients of all parameters are."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import torch
from spacy.language import Language
from thinc.api import Model, PyTorchShim, xp2torch

from spacy_bertcrf.models.types import Array
from spacy_bertcrf.training.checkpoints.model_state import trained_components


class Slot(NamedTuple):
    """Where the gradient of a parameter is.

    key: of the parameter in this process, as long as it is there.
    shape: of the parameter.
    parameter: None where it is thinc's.
    get: None where there is no gradient.
    make: a gradient of zeros, where there is none.
    """

    key: object
    shape: tuple[int, ...]
    parameter: torch.nn.Parameter | None
    get: Callable[[], torch.Tensor | None]
    make: Callable[[], torch.Tensor]


def gradient_slots(nlp: Language, frozen: Iterable[str]) -> list[Slot]:
    """Those of all parameters that can learn, each once, in an order that is the same in all
    processes."""
    slots: dict[object, Slot] = {}
    for pipe in trained_components(nlp, frozen).values():
        for node in pipe.model.walk():
            for shim in node.shims:
                if isinstance(shim, PyTorchShim):
                    for parameter in shim._model.parameters():
                        if parameter.requires_grad:
                            slots.setdefault(id(parameter), torch_slot(parameter))
            for name in node.param_names:
                if node.has_param(name):
                    slots.setdefault((node.id, name), _thinc_slot(node, name))
    return list(slots.values())


def gradient_scalers(nlp: Language, frozen: Iterable[str]) -> list:
    """The scalers of the gradients of half precision, which note when these overflow."""
    return [
        shim._grad_scaler
        for pipe in trained_components(nlp, frozen).values()
        for node in pipe.model.walk()
        for shim in node.shims
        if isinstance(shim, PyTorchShim) and shim._grad_scaler._enabled
    ]


def torch_slot(parameter: torch.nn.Parameter) -> Slot:
    """That of a parameter of torch's."""

    def make() -> torch.Tensor:
        parameter.grad = torch.zeros_like(parameter)
        return parameter.grad

    return Slot(id(parameter), tuple(parameter.shape), parameter, lambda: parameter.grad, make)


def as_tensor(array: Array) -> torch.Tensor:
    """The same memory as a tensor, where it is."""
    # By default it would be put where thinc's present operations are.
    device = torch.device("cpu") if isinstance(array, np.ndarray) else None
    tensor: torch.Tensor = xp2torch(array, device=device)
    return tensor


def _thinc_slot(node: Model, name: str) -> Slot:
    def get() -> torch.Tensor | None:
        return as_tensor(node.get_grad(name)) if node.has_grad(name) else None

    def make() -> torch.Tensor:
        gradient: Array = node.ops.xp.zeros_like(node.get_param(name))
        node.set_grad(name, gradient)
        return as_tensor(gradient)

    return Slot((node.id, name), tuple(node.get_param(name).shape), None, get, make)
