"""The optimizer's step on torch parameters, and its averages, in the parameters' own memory."""

import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

import torch
from thinc.api import ArgsKwargs, Model, Optimizer, PyTorchShim, torch2xp, xp2torch
from thinc.util import convert_recursive

from spacy_bertcrf.layers.onednn_linear import multiply_by_onednn
from spacy_bertcrf.models.bridge import adam
from spacy_bertcrf.models.bridge.pretrained_rate import watch_rate
from spacy_bertcrf.models.bridge.trained_parameters import (
    remember_places,
    torch_shims,
    trained_parameters,
)
from spacy_bertcrf.models.types import Array


class TrainedTogether(Protocol):
    """What learns from the same batches."""

    def __call__(self) -> Mapping[str, Model]:
        """The models, by component."""


def update_in_place(model: Model, trained_together: TrainedTogether | None = None) -> None:
    """Make every torch module inside the model take its optimizer steps in place, and use the
    optimizer's averages.

    trained_together: for the model of a component that is updated before those that listen to it:
        gives all of these. It is copied and pickled with the model.
    """
    for node in model.walk():
        for shim in node.shims:
            if not isinstance(shim, PyTorchShim):
                continue
            if trained_together is not None:
                vars(shim)["trained_together"] = trained_together
            # Our own shims do so already, and may have more to do.
            if type(shim).finish_update is PyTorchShim.finish_update:
                # No bound methods, for they would not pickle.
                vars(shim).update(
                    predict=partial(predict, shim),
                    begin_update=partial(begin_update, shim),
                    finish_update=partial(finish_update, shim),
                    use_params=partial(use_params, shim),
                )


def begin_step(optimizer: Optimizer, models: Mapping[str, Model]) -> None:
    """Tell an optimizer that asks for it (by a method `begin_step`) of all parameters that learn
    from the same batches, before the first of them is updated.

    models: by component.
    """
    begin = getattr(optimizer, "begin_step", None)
    if begin is None:
        # What `Language.rehearse` gives for an optimizer collects gradients by key, and the
        # optimizer gets no more than these.
        remember_places(trained_parameters(models))
        return
    overflow = False
    for shim in torch_shims(models):
        unscale: Callable[[], None] | None = getattr(shim, "unscale_gradients", None)
        if unscale is not None:
            unscale()
        overflow = overflow or shim._grad_scaler.found_inf
    begin(trained_parameters(models), overflow=overflow)


def predict(shim: PyTorchShim, inputs: ArgsKwargs) -> Any:
    """What PyTorchShim.predict does, but leaves the module in evaluation mode: thinc's own sets it
    to training mode at the end, which puts dropout into what other threads predict meanwhile."""
    _use_onednn(shim)
    shim._model.eval()
    with torch.no_grad(), torch.autocast("cuda", enabled=shim._mixed_precision):
        return shim._model(*inputs.args, **inputs.kwargs)


def begin_update(
    shim: PyTorchShim, inputs: ArgsKwargs
) -> tuple[Any, Callable[[ArgsKwargs], ArgsKwargs]]:
    """What PyTorchShim.begin_update does, also where all parameters are frozen."""
    _use_onednn(shim)
    outputs, backprop = type(shim).begin_update(shim, inputs)

    def backprop_if_needed(gradients: ArgsKwargs) -> ArgsKwargs:
        needed = any(
            tensor.requires_grad
            for argument in gradients.args
            for tensor in (argument if isinstance(argument, tuple | list) else [argument])
        )
        if needed:
            return backprop(gradients)
        return convert_recursive(lambda x: hasattr(x, "grad"), lambda x: x.grad, inputs)

    return outputs, backprop_if_needed


def finish_update(shim: PyTorchShim, optimizer: Optimizer) -> None:
    """What PyTorchShim.finish_update does, in the parameters' own memory.

    An optimizer that has a method `step_parameters` gets all parameters at once.

    thinc's own step hands each parameter a new tensor around the old one's memory, so that an
    ever longer chain of small objects is kept. They come to lie in the gap that the gradient of
    the largest parameter leaves when it is freed, and that gap is never used again: memory
    grows by the size of BERT's word embeddings at every step. In place, nothing is added, and
    gradients can be released rather than kept as zeros.
    """
    vars(shim)["stepped_by"] = _Reference(optimizer)
    trained_together: TrainedTogether | None = vars(shim).get("trained_together")
    if trained_together is not None:
        begin_step(optimizer, trained_together())
    parameters = {
        (shim.id, name): parameter
        for name, parameter in shim._model.named_parameters()
        if parameter.grad is not None
    }
    if not shim._grad_scaler.found_inf:
        # What `Language.rehearse` gives for an optimizer only collects gradients.
        if isinstance(optimizer, Optimizer):
            watch_rate(shim, optimizer, parameters)
        step_parameters = getattr(optimizer, "step_parameters", None)
        if step_parameters is not None:
            step_parameters(parameters)
        elif adam.can_step(optimizer, parameters):
            adam.step(optimizer, parameters)
        else:
            for key, parameter in parameters.items():
                _step(optimizer, key, parameter)
    for parameter in parameters.values():
        parameter.grad = None
    shim._grad_scaler.update()


def optimizer_of(model: Model) -> Optimizer | None:
    """The optimizer that updated the model's torch modules last; None if there was none, or it
    is gone."""
    for node in model.walk():
        for shim in node.shims:
            reference = vars(shim).get("stepped_by")
            if reference is not None and reference() is not None:
                optimizer: Optimizer = reference()
                return optimizer
    return None


class _Reference:
    """To an optimizer, and empty in a copy, which no optimizer has updated."""

    def __init__(self, optimizer: Optimizer | None = None):
        self._get: Callable[[], Optimizer | None] = lambda: optimizer
        # thinc's own cannot be referred to weakly.
        if optimizer is not None and hasattr(optimizer, "__weakref__"):
            self._get = weakref.ref(optimizer)

    def __call__(self) -> Optimizer | None:
        return self._get()

    def __reduce__(self) -> tuple[type["_Reference"], tuple[()]]:
        return _Reference, ()


def _use_onednn(shim: PyTorchShim) -> None:
    """Let spacy-transformers' encoder multiply as `BertEncoder` does. Asked for each time, since
    the shim gets another module when it is initialized and when it is loaded."""
    if getattr(shim, "_hfmodel", None) is not None and shim._model is not None:
        multiply_by_onednn(shim._model)


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
