"""The optimizer's step on torch parameters, in their own memory."""

from types import MethodType

from thinc.api import Model, Optimizer, PyTorchShim, torch2xp, xp2torch


def update_in_place(model: Model) -> None:
    """Make every torch module inside the model take its optimizer steps in place.

    thinc's own step hands each parameter a new tensor around the old one's memory, so that an
    ever longer chain of small objects is kept. They come to lie in the gap that the gradient of
    the largest parameter leaves when it is freed, and that gap is never used again: memory
    grows by the size of BERT's word embeddings at every step. In place, nothing is added, and
    gradients can be released rather than kept as zeros.
    """
    for node in model.walk():
        for shim in node.shims:
            if isinstance(shim, PyTorchShim):
                shim.finish_update = MethodType(_finish_update, shim)


def _finish_update(shim: PyTorchShim, optimizer: Optimizer) -> None:
    for name, parameter in shim._model.named_parameters():
        if parameter.grad is None:
            continue
        if not shim._grad_scaler.found_inf:
            weights, _ = optimizer(
                (shim.id, name), torch2xp(parameter.data), torch2xp(parameter.grad)
            )
            updated = xp2torch(weights, device=parameter.device)
            if updated.data_ptr() != parameter.data_ptr():
                parameter.data.copy_(updated)
        parameter.grad = None
    shim._grad_scaler.update()
