"""Forward-backward with probabilities instead of their logarithms, scaled every few steps
(Rabiner 1989), and a proof that nothing was lost to underflow."""

import math
from functools import cached_property

import torch
from torch import Tensor

from spacy_bertcrf.layers.packing import Packing
from spacy_bertcrf.layers.scores import Scores

# Below these a product of two numbers could leave the range of float64 (1e-308): states
# multiply with states, scales with normalisers.
_SMALLEST_STATE = 1e-200
_SMALLEST_SCALE = 1e-100


class ScaledScan:
    """A `ForwardBackward`, to be trusted if `is_exact`.

    interval: number of steps from one scaling to the next.
    """

    def __init__(self, scores: Scores, packing: Packing, both_ways: bool, interval: int) -> None:
        self._scores = scores
        self._packing = packing
        peaks, peak = _finite(scores.emissions.amax(1)), _finite(scores.transitions.amax())
        edges = torch.stack([scores.start, scores.end])
        edge_peaks = _finite(edges.amax(1, keepdim=True))
        self._factors = torch.exp(scores.emissions - peaks.unsqueeze(1))
        self._matrix = torch.exp(scores.transitions - peak)
        self._edges = torch.exp(edges - edge_peaks)
        self._both_ways = both_ways
        self._run(interval)

        self._totals = (self._forward.index_select(0, packing.last) * self._edges[1]).sum(1)
        gains = self._scales.log() + peaks
        gains[packing.n_running :].add_(peak)
        totals = self._totals.log() + edge_peaks.sum()
        self.log_partition = totals.index_add_(0, packing.rank, gains)

    def _run(self, interval: int) -> None:
        """Both recursions are one scan, with the transition matrix and with its transpose: one
        batched product a step takes both through time. A state holds its row's emission."""
        packing = self._packing
        factors, matrices, edges = self._factors, self._matrix[None], self._edges[:1, None]
        if self._both_ways:
            factors = factors.index_select(0, packing.lanes)
            matrices = torch.stack([self._matrix, self._matrix.T])
            edges = self._edges.unsqueeze(1)
        ways = len(matrices)
        states = torch.empty_like(factors)
        scales = factors.new_ones(factors.shape[0], 1)
        steps = zip(
            packing.batch_sizes,
            packing.steps(states, ways),
            packing.steps(factors, ways),
            packing.steps(scales, ways),
            strict=True,
        )
        running, state, factor, _ = next(steps)
        torch.mul(edges, factor, out=state)
        for step, (size, now, factor, scale) in enumerate(steps, 1):
            if size < running:
                state, running = state[:, :size], size
            torch.bmm(state, matrices, out=now)
            now.mul_(factor)
            if step % interval == 0:
                torch.amax(now, 2, keepdim=True, out=scale)
                now.div_(scale.clamp_(min=_SMALLEST_SCALE))
            state = now
        self._forward, self._scales = states, scales.squeeze(1)
        if self._both_ways:
            self._forward = states.index_select(0, packing.forth)
            self._backward = states.index_select(0, packing.back)
            self._scales = self._scales.index_select(0, packing.forth)

    def are_true(self, flags: Tensor) -> tuple[bool, bool]:
        """Whether all of some flags are true, and whether every number that should be positive
        stayed clear of underflow."""
        if flags.device.type != "cpu":
            # Both at once, for each would be waited for; so the longer proof is made at once too.
            found = torch.stack([flags.all(), self._are_scales_clear() & self._are_states_clear()])
            are_true, is_exact = found.tolist()
            return are_true, is_exact
        if not bool(flags.all()):
            return False, False
        scales = self._are_scales_clear()
        lowest = torch.stack([part.amin() for part in self._states()])
        if bool(scales & (lowest >= _SMALLEST_STATE).all()):
            return True, True
        return True, bool(scales & self._are_states_clear())

    def _states(self) -> list[Tensor]:
        return [self._forward, self._backward] if self._both_ways else [self._forward]

    def _are_scales_clear(self) -> Tensor:
        clear = (self._scales >= _SMALLEST_SCALE).all() & (self._totals >= _SMALLEST_SCALE).all()
        if self._both_ways:
            clear &= (self._normalisers >= _SMALLEST_SCALE).all()
        return clear

    def _are_states_clear(self) -> Tensor:
        clear = self._zeros_are_true()
        for part in self._states():
            clear &= ((part >= _SMALLEST_STATE) | (part == 0)).all()
        return clear

    def _zeros_are_true(self) -> Tensor:
        """Whether states are zero only where no legal path leads. By induction over the steps:
        each is positive exactly where its own tag is possible and where, a step before, there
        was a positive one that it may follow."""
        packing = self._packing
        emissions, start, transitions, end = self._scores
        possible, legal = emissions > -math.inf, (transitions > -math.inf).float()
        reached = self._forward > 0
        expected = possible.clone()
        expected[: packing.n_running].logical_and_(start > -math.inf)
        before = reached.index_select(0, packing.previous).float()
        expected[packing.n_running :].logical_and_((before @ legal) > 0)
        sound = (reached == expected).all()
        if self._both_ways:
            reached = self._backward > 0
            after = (reached[packing.n_running :].float() @ legal.T) > 0
            edge = (end > -math.inf).expand(packing.n_running, -1)
            leads_on = torch.empty_like(possible).index_copy_(0, packing.last, edge)
            leads_on.index_copy_(0, packing.previous, after)
            sound &= (reached == possible & leads_on).all()
        return sound

    @cached_property
    def _joint(self) -> Tensor:
        """(n_rows, tags): forward times backward, each row on a scale of its own."""
        # Both states hold the row's own emission: once too often.
        return (self._backward / self._factors.clamp(min=_SMALLEST_STATE)).mul_(self._forward)

    @cached_property
    def _normalisers(self) -> Tensor:
        return self._joint.sum(1)

    def posteriors(self) -> Tensor:
        return self._joint / self._normalisers.unsqueeze(1)

    def log_backward(self, rows: Tensor) -> Tensor:
        return self._backward.index_select(0, rows).log()

    def transition_counts(self, weights: Tensor) -> Tensor:
        packing = self._packing
        shares = weights.index_select(0, packing.rank) / (self._scales * self._normalisers)
        ahead = (self._backward * shares.unsqueeze(1))[packing.n_running :]
        behind = self._forward.index_select(0, packing.previous)
        return (behind.T @ ahead).mul_(self._matrix)

    def pair_posteriors(self, start: int, end: int) -> Tensor:
        packing = self._packing
        ahead = self._backward[packing.n_running :][start:end]
        behind = self._forward.index_select(0, packing.previous[start:end])
        # One factor on its own scale after the other, for their product may underflow.
        ahead = ahead / ahead.sum(1, keepdim=True)
        behind = behind / behind.sum(1, keepdim=True)
        pairs = behind.unsqueeze(2) * self._matrix * ahead.unsqueeze(1)
        return pairs / pairs.sum((1, 2), keepdim=True)


def _finite(peak: Tensor) -> Tensor:
    """A peak of minus infinity (nothing possible) taken off itself would be no number."""
    return peak.nan_to_num(neginf=0.0)
