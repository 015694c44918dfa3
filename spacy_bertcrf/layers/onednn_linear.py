"""Linear layers whose float32 products are oneDNN's, on CPUs where that is faster."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from spacy_bertcrf.layers.half_precision_casts import half_precision_product

# torch multiplies float32 matrices by MKL, which on an AMD CPU is as fast as AVX2 and no faster;
# there oneDNN, which torch has inside as well, does more than twice as much by AVX-512. With AVX2
# alone the two are alike.
IS_FASTER = torch.backends.mkldnn.is_available() and "AVX512" in (
    torch.backends.cpu.get_cpu_capability()
)


def multiply_by_onednn(module: nn.Module) -> None:
    """Let the linear layers of a module multiply by oneDNN, where that is faster: with the same
    parameters and, but for rounding, the same results.

    They stay nn.Linear by type, for by that `torch.ao.quantization` and others find what they
    replace.
    """
    if IS_FASTER:
        for layer in module.modules():
            # Not those of a derived class, which may compute something else.
            if type(layer) is nn.Linear:
                # No bound method, for it would not pickle.
                vars(layer)["forward"] = partial(_forward, layer)


def _forward(layer: nn.Linear, input: Tensor) -> Tensor:
    if _is_for_onednn(input, layer.weight):
        output: Tensor = _Linear.apply(input.flatten(0, -2), layer.weight, layer.bias)
        return output.unflatten(0, input.shape[:-1])
    if _is_plain(input, layer.weight):
        half = half_precision_product(input, layer.weight, layer.bias)
        if half is not None:
            return half
    return nn.Linear.forward(layer, input)


def _is_for_onednn(input: Tensor, weight: Tensor) -> bool:
    return (
        _is_plain(input, weight)
        and input.dtype == torch.float32
        and input.dim() > 1
        and input.numel() > 0
        and not torch.is_autocast_enabled("cpu")
    )


def _is_plain(input: Tensor, weight: Tensor) -> bool:
    return (
        # Those that quantise weights in place, as torchao does, put tensors of their own there.
        type(weight) in (nn.Parameter, Tensor)
        and input.device.type == weight.device.type == "cpu"
        and weight.dtype == torch.float32
    )


class _Linear(torch.autograd.Function):
    """input (n, width), weight (n_outputs, width), bias (n_outputs,) or None: the product
    (n, n_outputs). The gradients are such products themselves, so they can be differentiated."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(input, weight)
        product: Tensor = torch.ops.mkldnn._linear_pointwise(input, weight, bias, "none", [], "")
        return product

    @staticmethod
    def backward(ctx: Any, d_output: Tensor) -> tuple[Tensor | None, ...]:
        input, weight = ctx.saved_tensors
        wants_input, wants_weight, wants_bias = ctx.needs_input_grad
        return (
            _Linear.apply(d_output, weight.t(), None) if wants_input else None,
            _Linear.apply(d_output.t(), input.t(), None) if wants_weight else None,
            d_output.sum(0) if wants_bias else None,
        )
