"""Averages of the weights over the steps of a training, for `spacy-bertcrf.AdamW.v1`."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
from thinc.api import torch2xp, xp2torch

from spacy_bertcrf.models.bridge.trained_parameters import Key
from spacy_bertcrf.models.types import Array


@runtime_checkable
class Averaging(Protocol):
    """How the average of a parameter's weights goes on."""

    def share(self, step: int, n_averaged: int) -> float | None:
        """The share of a parameter's new weights in its average.

        step: number of the step that gave it the weights, from 1.
        n_averaged: how many weights are in the average already.

        Returns 1 where the average begins, None where the new weights stay out of it.
        """


class EMA:
    """`spacy-bertcrf.EMA.v1`: the exponential moving average
    a₁ = w₁, aₙ₊₁ = d·aₙ + (1 − d)·wₙ₊₁ of the weights wₙ after step n.

    decay: d, from 0 to below 1.
    warm_up: d is min(decay, (1 + n) / (10 + n)), so that the first weights are soon forgotten.

    Raises ValueError for another decay.
    """

    def __init__(self, decay: float = 0.999, warm_up: bool = True):
        if not 0 <= decay < 1:
            raise ValueError(f"The decay of EMA is {decay}; it must be from 0 to below 1.")
        self.decay = decay
        self.warm_up = warm_up

    def share(self, step: int, n_averaged: int) -> float | None:
        """As Averaging says."""
        if not n_averaged:
            return 1.0
        if self.warm_up:
            return 1 - min(self.decay, (1 + n_averaged) / (10 + n_averaged))
        return 1 - self.decay


class SWA:
    """`spacy-bertcrf.SWA.v1`: stochastic weight averaging (Izmailov et al. 2018,
    https://arxiv.org/abs/1803.05407), the mean of the weights after the steps start,
    start + every, start + 2·every, …

    Until then the weights themselves are evaluated and saved.

    start: the first step that counts, from 1, or, below 1, the share of all steps before it.
    every: steps from one that counts to the next.
    total_steps: where start is a share: the number of all steps, or None for the real number,
        as in `spacy-bertcrf.warmup_decay.v1`.

    Raises ValueError for a start or a distance that cannot be.
    """

    def __init__(self, start: float = 0.75, every: int = 1, total_steps: int | None = None):
        if start < 0 or (start >= 1 and start != int(start)):
            raise ValueError(
                f"The start of SWA is {start}; it must be a share below 1, or the number of a step."
            )
        if every < 1:
            raise ValueError(f"SWA averages every {every} steps; that must be at least 1.")
        self.start = start
        self.every = every
        self.total_steps = total_steps

    @property
    def needs_total_steps(self) -> bool:
        """Whether the start depends on a number of steps that is not known."""
        return self.start < 1 and self.total_steps is None

    def share(self, step: int, n_averaged: int) -> float | None:
        """As Averaging says."""
        since = step - self._first_step()
        if since < 0 or since % self.every:
            return None
        return 1 / (n_averaged + 1)

    def _first_step(self) -> int:
        if self.start >= 1:
            return int(self.start)
        if self.total_steps is None:
            raise ValueError(
                f"SWA starts at a share of {self.start} of all steps, and their number is not "
                "known. Give the start as the number of a step, or total_steps."
            )
        return round(self.start * self.total_steps) + 1


def update_averages(
    averaging: Averaging,
    step: int,
    weights: Mapping[Key, torch.Tensor],
    averages: dict[Key, Array],
    n_averaged: dict[Key, int],
) -> None:
    """Take the weights that a step gave to parameters into their averages, in place.

    n_averaged: how many weights are in the average of each parameter.
    """
    by_share: dict[float, tuple[list[torch.Tensor], list[torch.Tensor]]]
    by_share = defaultdict(lambda: ([], []))
    for key, new in weights.items():
        share = averaging.share(step, n_averaged[key])
        if share is None:
            continue
        n_averaged[key] += 1
        if key not in averages:
            averages[key] = torch2xp(new.clone())
            continue
        old, added = by_share[share]
        old.append(xp2torch(averages[key], device=new.device))
        added.append(new)
    for share, (old, added) in by_share.items():
        torch._foreach_lerp_(old, added, share)
