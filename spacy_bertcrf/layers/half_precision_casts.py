"""Casts to half precision that several products share, in forward passes without gradients."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar

import torch
from torch import Tensor
from torch.nn import functional as F

# oneDNN adds the bias as it multiplies, which torch's own call of it does not, and lays weights out
# as it reads them: with the same results in half to three quarters of the time.
BY_ONEDNN = torch.backends.mkldnn.is_available() and (torch.ops.mkldnn._is_mkldnn_bf16_supported())
# Rows of the products that weights are laid out for; others are hardly slower for it.
N_ROWS = 512


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
    half_input = casts.of_input(input, dtype)
    half_bias = None if bias is None else casts.of_weight(bias, dtype)
    if BY_ONEDNN and dtype == torch.bfloat16 and input.numel():
        half_weight = casts.of_weight(weight, dtype, is_laid_out=True)
        product: Tensor = torch.ops.mkldnn._linear_pointwise(
            half_input, half_weight, half_bias, "none", [], ""
        )
        return product
    return F.linear(half_input, casts.of_weight(weight, dtype), half_bias)


class Casts:
    """Each cast with what it is of, so that nothing else comes to have its id.

    keep_weights: whether those of weights are kept.
    """

    def __init__(self, keep_weights: bool = True):
        self._keep_weights = keep_weights
        self._weights: dict[tuple[int, bool], tuple[Tensor, Tensor]] = {}
        self._input: tuple[Tensor, int, Tensor] | None = None

    def of_weight(self, weight: Tensor, dtype: torch.dtype, is_laid_out: bool = False) -> Tensor:
        """Of a weight, or a bias; is_laid_out: for oneDNN alone, if it is kept."""
        if not self._keep_weights:
            return weight.to(dtype)
        key = id(weight), is_laid_out
        if key not in self._weights:
            cast = weight.to(dtype)
            if is_laid_out:
                cast = torch.ops.mkldnn._reorder_linear_weight(cast, N_ROWS)
            self._weights[key] = weight, cast
        return self._weights[key][1]

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
