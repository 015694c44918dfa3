"""Forward-backward in log space: slow, and right for whatever scores there are."""

import torch
from torch import Tensor

from spacy_bertcrf.layers.packing import Packing
from spacy_bertcrf.layers.scores import Scores
from spacy_bertcrf.layers.step_blocks import step_blocks

# Elements of the largest temporary: transition counts are summed up in blocks of rows.
_BLOCK = 2**22


class LogScan:
    """A `ForwardBackward` without any number that could underflow."""

    def __init__(self, scores: Scores, packing: Packing, both_ways: bool) -> None:
        self._scores = scores
        self._packing = packing
        local, start, transitions, end = scores
        matrices, edges = transitions[None], start[None, None]
        if both_ways:
            local = local.index_select(0, packing.lanes)
            matrices = torch.stack([transitions, transitions.T])
            edges = torch.stack([start, end]).unsqueeze(1)
        ways = len(matrices)
        states = torch.empty_like(local)
        steps = zip(packing.steps(states, ways), packing.steps(local, ways), strict=True)
        state, emission = next(steps)
        torch.add(edges, emission, out=state)
        for now, emission in steps:
            for rows, to in step_blocks(now.shape[1], now.shape[2], ways):
                paths = state[:, rows].unsqueeze(3) + matrices[:, None, :, to]
                now[:, rows, to] = paths.logsumexp(2)
            now.add_(emission)
            state = now
        self._forward = states
        if both_ways:
            self._forward = states.index_select(0, packing.forth)
            self._backward = states.index_select(0, packing.back)
        self.log_partition = (self._forward.index_select(0, packing.last) + end).logsumexp(1)

    def posteriors(self) -> Tensor:
        # Both states hold the row's own emission; minus infinity must not be taken off itself.
        joint = self._forward + self._backward - self._scores.emissions.nan_to_num(neginf=0.0)
        # Normalised row by row, which spares the rounding of a sum over the whole sequence.
        return joint.softmax(1).nan_to_num_(0.0)

    def log_backward(self, rows: Tensor) -> Tensor:
        return self._backward.index_select(0, rows)

    def transition_counts(self, weights: Tensor) -> Tensor:
        packing, transitions = self._packing, self._scores.transitions
        counts = torch.zeros_like(transitions)
        block = max(1, _BLOCK // transitions.numel())
        ahead = self._backward[packing.n_running :].split(block)
        ranks = packing.rank[packing.n_running :].split(block)
        for previous, after, rank in zip(packing.previous.split(block), ahead, ranks, strict=True):
            behind = self._forward.index_select(0, previous)
            pairs = behind.unsqueeze(2) + transitions + after.unsqueeze(1)
            shares = pairs.flatten(1).softmax(1).nan_to_num_(0.0)
            counts += (weights.index_select(0, rank) @ shares).view_as(counts)
        return counts

    def pair_posteriors(self, start: int, end: int) -> Tensor:
        packing = self._packing
        behind = self._forward.index_select(0, packing.previous[start:end])
        ahead = self._backward[packing.n_running :][start:end]
        pairs = behind.unsqueeze(2) + self._scores.transitions + ahead.unsqueeze(1)
        return pairs.flatten(1).softmax(1).nan_to_num_(0.0).view_as(pairs)
