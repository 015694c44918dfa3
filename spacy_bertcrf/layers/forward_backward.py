"""The forward-backward algorithm over packed batches, and its gradient.

Both recursions are the same scan, one with the transition matrix and one with its transpose,
so they go through time together as one batched matrix product a step. The scan works with
probabilities in float64, each step scaled (Rabiner 1989), and is checked afterwards: where any
number came near underflow the batch is scanned again in log space. The gradient of the log
partition is the posterior, so no step is kept for autograd (Eisner 2016, "Inside-outside and
forward-backward algorithms are just backprop").
"""

from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spacy_bertcrf.layers.log_scan import LogScan
from spacy_bertcrf.layers.packing import Packing
from spacy_bertcrf.layers.scaled_scan import ScaledScan
from spacy_bertcrf.layers.scores import Scores, raise_unsound

# Steps from one scaling to the next: seldom enough to be cheap first, then at every step. On a GPU
# the operations of a scaling cost as much as those of a step and a half.
_INTERVALS = (8, 1)
_INTERVALS_ON_GPUS = (32, 8, 1)


class ForwardBackward(Protocol):
    """What both scans know about a batch. Rows and ranks are those of its `Packing`."""

    log_partition: Tensor

    def posteriors(self) -> Tensor:
        """(n_rows, tags): the probability of each tag at each row."""

    def log_backward(self, rows: Tensor) -> Tensor:
        """(len(rows), tags): log weight of all that follows, the row's own emission included,
        up to a constant a row."""

    def transition_counts(self, weights: Tensor) -> Tensor:
        """(tags, tags): expected number of transitions, sequences weighted by (n_running,)."""

    def pair_posteriors(self, start: int, end: int) -> Tensor:
        """(end - start, tags, tags): for these of the rows behind the first step, the probability
        of each tag of the row before with each of its own."""


def scan(
    scores: Scores, sound: Tensor, packing: Packing, both_ways: bool = True
) -> ForwardBackward:
    """Run forward-backward, or forward alone for nothing but the log partition.

    `log_partition` of the result is (n_running,), in the order of the packing. Raises ValueError
    if the emissions are not `sound`, which is as from `packed_emissions`.
    """
    is_on_cpu = scores.emissions.device.type == "cpu"
    for interval in _INTERVALS if is_on_cpu else _INTERVALS_ON_GPUS:
        scaled = ScaledScan(scores, packing, both_ways, interval)
        is_sound, is_exact = scaled.are_true(sound)
        if not is_sound:
            raise_unsound(sound, packing)
        if is_exact:
            return scaled
    return LogScan(scores, packing, both_ways)


class LogPartition(torch.autograd.Function):
    """Log partition of each sequence (batch,), float64; 0 for an empty one."""

    @staticmethod
    def forward(
        ctx: Any,
        emissions: Tensor,
        start: Tensor,
        transitions: Tensor,
        end: Tensor,
        scores: Scores,
        sound: Tensor,
        packing: Packing,
    ) -> Tensor:
        """`scores` are made from the four tensors before it, through which gradients go; `sound`
        is what came with them."""
        ctx.packing = packing
        ctx.shape = emissions.shape
        ctx.types = [part.dtype for part in (emissions, start, transitions, end)]
        log_partition = scores.emissions.new_zeros(packing.batch)
        if not packing.n_running:
            return log_partition
        ctx.result = scan(scores, sound, packing, both_ways=any(ctx.needs_input_grad))
        return log_partition.index_copy_(0, packing.order, ctx.result.log_partition)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        packing: Packing = ctx.packing
        tags = ctx.shape[2]
        to_emissions = gradient.new_zeros(ctx.shape, dtype=ctx.types[0])
        to_start, to_end = gradient.new_zeros(2, tags)
        to_transitions = gradient.new_zeros(tags, tags)
        if packing.n_running:
            weights = gradient.index_select(0, packing.order)
            expected = ctx.result.posteriors() * weights.index_select(0, packing.rank)[:, None]
            packing.scatter(expected.to(to_emissions.dtype), to_emissions)
            to_start = expected[: packing.n_running].sum(0)
            to_end = expected.index_select(0, packing.last).sum(0)
            to_transitions = ctx.result.transition_counts(weights)
        _, start, transitions, end = ctx.types
        return (
            to_emissions,
            to_start.to(start),
            to_transitions.to(transitions),
            to_end.to(end),
            None,
            None,
            None,
        )
