"""Casts to half precision that several products share, in forward passes without gradients."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar

import torch
from torch import Tensor
from torch.nn import functional as F


@contextmanager
def sharing_casts(keep_weights: bool) -> Iterator[None]:
    """Let `half_precision_product` cast no tensor twice, in this thread and inside a with block.

    torch's autocast casts each input anew for queries, keys and values, and each weight anew for
    every batch, or else keeps weights for all threads, beyond a step of training that another one
    takes.

    keep_weights: whether several batches read them.
    """
    present = _present.get()
    with nullcontext() if present is not None else casts_kept(Casts(keep_weights)):
        yield


@contextmanager
def casts_kept(casts: "Casts") -> Iterator[None]:
    """Let those of forward passes inside a with block, in this thread, share these casts too.

    For a model that nobody trains as long as they are kept: of a single text, to cast the weights
    takes as long as all products.
    """
    token = _present.set(casts)
    try:
        yield
    finally:
        _present.reset(token)
        casts.forget_input()


def half_precision_product(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor | None:
    """What a linear layer gives under autocast on a CPU, bit for bit; None where no casts are
    shared, or there is nothing to cast to."""
    casts = _present.get()
    if casts is None or not torch.is_autocast_enabled("cpu") or torch.is_grad_enabled():
        return None
    dtype = torch.get_autocast_dtype("cpu")
    return F.linear(
        casts.of_input(input, dtype),
        casts.of_weight(weight, dtype),
        None if bias is None else casts.of_weight(bias, dtype),
    )


class Casts:
    """Each cast with what it is of, so that nothing else comes to have its id.

    keep_weights: whether those of weights are kept.
    """

    def __init__(self, keep_weights: bool = True):
        self._keep_weights = keep_weights
        self._weights: dict[int, tuple[Tensor, Tensor]] = {}
        self._input: tuple[Tensor, int, Tensor] | None = None

    def of_weight(self, weight: Tensor, dtype: torch.dtype) -> Tensor:
        """Of a weight, or a bias."""
        if not self._keep_weights:
            return weight.to(dtype)
        if id(weight) not in self._weights:
            self._weights[id(weight)] = weight, weight.to(dtype)
        return self._weights[id(weight)][1]

    def of_input(self, input: Tensor, dtype: torch.dtype) -> Tensor:
        """Of the last one alone."""
        if input.dtype == dtype or input.is_inference():  # which has no version
            return input.to(dtype)
        last = self._input
        if last is None or last[0] is not input or last[1] != input._version:
            last = self._input = input, input._version, input.to(dtype)
        return last[2]

    def forget_input(self) -> None:
        """No batch is kept in memory."""
        self._input = None


_present: ContextVar[Casts | None] = ContextVar("half_precision_casts", default=None)
