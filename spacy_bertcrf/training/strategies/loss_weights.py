"""What the losses of a training are weighted by: fixed, scheduled, or learned."""

from collections.abc import Iterator, Sequence
from math import exp
from typing import Any

import numpy as np
import torch
from thinc.api import Model, Optimizer

from spacy_bertcrf.models.bridge.trained_parameters import Key
from spacy_bertcrf.models.resumable import State
from spacy_bertcrf.models.strategy import Strategy
from spacy_bertcrf.models.types import Array, CRFTaggerModel


class LossWeight:
    """A number, or a schedule that gives one for each optimizer step.

    weight: not negative, or a thinc schedule, such as `linear.v1` or `warmup_linear.v1`.

    Raises ValueError if it is negative.
    """

    def __init__(self, weight: float | Iterator[float]):
        self._schedule = iter(weight) if isinstance(weight, Iterator) else None
        self._n_steps = 0
        self.value = next(self._schedule) if self._schedule else float(weight)  # type: ignore[arg-type]
        if self.value < 0:
            raise ValueError(f"The weight of a loss is {self.value}; it must not be negative.")

    def step(self) -> None:
        """Go on to the next optimizer step."""
        self._n_steps += 1
        if self._schedule is not None:
            self.value = next(self._schedule, self.value)

    def training_state(self) -> State:
        """The steps so far."""
        return {"n_steps": self._n_steps}

    def restore_training_state(self, state: State) -> None:
        """Go on to that step."""
        while self._n_steps < state["n_steps"]:
            self.step()

    def __getstate__(self) -> dict[str, Any]:
        # Generators cannot be pickled, and the processes that a pipeline is sent to only predict.
        return {"_schedule": None, "_n_steps": self._n_steps, "value": self.value}


class UncertaintyWeights(Strategy):
    """Learned weights of all losses (Kendall et al. 2018, https://arxiv.org/abs/1705.07115).

    What is learned is, for each loss Lᵢ, the logarithm sᵢ of its variance, from 0 on, and what is
    minimised is Σᵢ exp(-sᵢ) · Lᵢ + sᵢ / 2. The optimizer steps them like all other weights.
    """

    kind = "weights"

    def __init__(self) -> None:
        self.log_variances: dict[str, float] = {}
        # For each loss the gradients of the batches so far, summed up, and how many these are.
        self._sums: dict[str, torch.Tensor] = {}
        self._fraction = 1.0
        # The optimizer keeps its moments under a model's id.
        self._key = Model("uncertainty_weights", lambda model, X, is_train: (X, lambda dY: dY)).id

    def begin_batch(self, model: CRFTaggerModel, losses: Sequence[str], fraction: float) -> None:
        self._fraction = fraction
        for name in losses:
            self.log_variances.setdefault(name, 0.0)
            self._sums.setdefault(name, torch.zeros(2, dtype=torch.float64))

    def gradients(self) -> list[torch.Tensor]:
        return list(self._sums.values())

    def factors(self, losses: dict[str, float]) -> dict[str, float]:
        factors = {}
        for name, loss in losses.items():
            factors[name] = exp(-self.log_variances[name])
            # The loss is that of this process's part alone, the variance's term is for the whole.
            gradient = 0.5 * self._fraction - factors[name] * loss
            self._sums[name] += torch.tensor([gradient, self._fraction], dtype=torch.float64)
        return factors

    def after_step(self, optimizer: Optimizer) -> None:
        for name, (total, n_batches) in self._sums.items():
            if not n_batches:
                continue
            weight: Array = np.asarray([self.log_variances[name]], dtype=np.float32)
            gradient: Array = np.asarray([float(total / n_batches)], dtype=np.float32)
            updated, _ = optimizer((self._key, name), weight, gradient)
            self.log_variances[name] = float(updated[0])
        self._sums = {}

    def training_state(self) -> State:
        return {"log_variances": self.log_variances}

    def restore_training_state(self, state: State) -> None:
        self.log_variances = dict(state["log_variances"])

    def optimizer_keys(self) -> dict[str, Key]:
        return {name: (self._key, name) for name in self.log_variances}
