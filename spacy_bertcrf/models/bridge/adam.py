"""thinc's Adam on all parameters of a torch module at once, by torch's fused kernels."""

import math
from collections import defaultdict
from typing import NamedTuple

import torch
from thinc.api import Optimizer, torch2xp, xp2torch
from thinc.backends import get_array_ops
from torch.optim.adam import adam

from spacy_bertcrf.models.bridge.trained_parameters import Key


class _Group(NamedTuple):
    keys: list[Key]
    weights: list[torch.Tensor]
    gradients: list[torch.Tensor]


def can_step(optimizer: Optimizer, parameters: dict[Key, torch.nn.Parameter]) -> bool:
    """Whether `step` does what the optimizer itself would do: it is an Adam, not RAdam or SGD,
    and all parameters are in float32 on one device."""
    return (
        type(optimizer) is Optimizer
        and optimizer.b1 > 0
        and optimizer.b2 > 0
        and not optimizer.use_radam
        and len({parameter.device for parameter in parameters.values()}) == 1
        and all(parameter.dtype == torch.float32 for parameter in parameters.values())
    )


@torch.no_grad()
def step(optimizer: Optimizer, parameters: dict[Key, torch.nn.Parameter]) -> None:
    """Take an optimizer step in the parameters' memory, with the numbers of thinc's own.

    thinc's handles one parameter after the other, each in several passes over its memory. The
    moments, step counts and averages are read from and kept in the optimizer, as it does itself.

    parameters: by the optimizer's key; each has a gradient.
    """
    by_step: dict[int, _Group] = defaultdict(lambda: _Group([], [], []))
    for key, parameter in parameters.items():
        assert parameter.grad is not None
        optimizer.nr_update[key] += 1
        group = by_step[optimizer.nr_update[key]]
        group.keys.append(key)
        group.weights.append(parameter.data)
        group.gradients.append(parameter.grad)
    for n_steps, group in by_step.items():
        _step(optimizer, n_steps, group)


def _step(optimizer: Optimizer, n_steps: int, group: _Group) -> None:
    keys, weights, gradients = group
    if optimizer.L2 and not optimizer.L2_is_weight_decay:
        torch._foreach_add_(gradients, weights, alpha=optimizer.L2)
    if optimizer.grad_clip:
        norms = torch.stack(torch._foreach_norm(gradients))
        shares = (optimizer.grad_clip / norms).clamp(max=1.0).nan_to_num(1.0)
        torch._foreach_mul_(gradients, list(shares.unbind()))
    device = weights[0].device
    adam(
        weights,
        gradients,
        [moment(optimizer.mom1, key, weight) for key, weight in zip(keys, weights, strict=True)],
        [moment(optimizer.mom2, key, weight) for key, weight in zip(keys, weights, strict=True)],
        [],
        list(torch.full((len(keys),), n_steps - 1.0, device=device).unbind()),
        fused=True,
        amsgrad=False,
        beta1=optimizer.b1,
        beta2=optimizer.b2,
        lr=optimizer.learn_rate,
        weight_decay=0.0,
        # thinc adds it to the second moment's root before this is corrected for its bias.
        eps=optimizer.eps / math.sqrt(1 - optimizer.b2**n_steps),
        maximize=False,
    )
    if optimizer.L2 and optimizer.L2_is_weight_decay:
        torch._foreach_mul_(weights, 1 - optimizer.learn_rate * optimizer.L2)
    if optimizer.averages is not None:
        for key, weight in zip(keys, weights, strict=True):
            array = torch2xp(weight)
            ops = get_array_ops(array)
            if key not in optimizer.averages:
                optimizer.averages[key] = ops.alloc(array.shape, dtype="float32")
            ops.update_averages(optimizer.averages[key], array, n_steps)


def moment(moments: dict, key: Key, weight: torch.Tensor) -> torch.Tensor:
    """A parameter's moment as thinc's optimizers keep it, in one dimension, and made if there is
    none; returned in the parameter's shape, in the same memory."""
    if key not in moments:
        zeros = torch.zeros(weight.numel(), dtype=weight.dtype, device=weight.device)
        moments[key] = torch2xp(zeros)
    return xp2torch(moments[key], device=weight.device).view_as(weight)
