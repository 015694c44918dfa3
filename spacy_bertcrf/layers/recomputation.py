"""Parts of a model of which nothing is kept for the backward pass."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint


def recomputed(function: Callable[..., Tensor], *args: Any) -> Tensor:
    """`function(*args)`, which the backward pass computes again, with the same dropout (Chen et
    al. 2016, https://arxiv.org/abs/1604.06174).

    function: computes something from weights that learn. Its args get no gradients.

    The backward pass has to be that of `backward()`, not of `torch.autograd.grad`, and is a
    RuntimeError where no weight learns.
    """
    # Not torch's newer kind of checkpoint, which builds the graph in the forward pass as well: its
    # many small nodes come to lie between tensors that are freed, and glibc cannot use that memory
    # again (4.3 GB, in place of 1.1, for a text of 16,000 characters in a BERT of four layers).
    learns = torch.empty(0, requires_grad=True)
    vectors: Tensor = checkpoint(
        lambda _, *args: function(*args), learns, *args, use_reentrant=True
    )
    global _times
    _times += 1
    return vectors


def times_recomputed() -> int:
    """How often `recomputed` was called so far. For each time there will be a backward pass of its
    own inside that of what was computed from it, which adds to the weights' gradients once more."""
    return _times


_times = 0
