"""Updating a share of BERT's parameters (Child-Tuning, Xu et al. 2021,
https://arxiv.org/abs/2109.05687)."""

from abc import abstractmethod

import torch
from torch import Tensor, nn

from spacy_bertcrf.models.resumable import State
from spacy_bertcrf.models.strategy import Strategy, trained_bert
from spacy_bertcrf.models.types import CRFTaggerModel


class ChildTuning(Strategy):
    """The gradients of all but a share of BERT's parameters are set to zero."""

    kind = "child tuning"

    def __init__(self, share: float):
        if not 0 < share < 1:
            raise ValueError(f"share is {share}; it must be between 0 and 1.")
        self.share = share

    def check(self, model: CRFTaggerModel) -> None:
        trained_bert(model, "Child-Tuning")

    def before_step(self, model: CRFTaggerModel) -> None:
        shim = trained_bert(model, "Child-Tuning")
        # Squares of scaled gradients would not add up, and of those that overflow no sum is left.
        shim.unscale_gradients()
        if shim.has_overflown:
            return
        self._require_all(bool(vars(shim).get("frozen_for_now")))
        bert: nn.Module = shim.module
        self._select({n: p for n, p in bert.named_parameters() if p.grad is not None})

    def _require_all(self, is_partly_frozen: bool) -> None:
        """Raise ValueError if it cannot work while layers are frozen that are to join in later."""

    @abstractmethod
    def _select(self, parameters: dict[str, nn.Parameter]) -> None:
        """Change the gradients of these."""


class ChildTuningF(ChildTuning):
    """Child-Tuning_F: another random share of BERT's parameters in every step. The gradients of
    these are divided by the share.

    Raises ValueError if the share is not between 0 and 1.
    """

    def __init__(self, share: float = 0.3):
        super().__init__(share)

    def _select(self, parameters: dict[str, nn.Parameter]) -> None:
        for parameter in parameters.values():
            gradient = parameter.grad
            assert gradient is not None
            gradient.mul_(torch.empty_like(gradient).bernoulli_(self.share)).div_(self.share)


class ChildTuningD(ChildTuning):
    """Child-Tuning_D: one and the same share of BERT's parameters in all steps, those with the
    largest Fisher information: the mean of their squared gradients.

    It is measured in the first steps, in which BERT stays as it is and the layers above it learn.
    (In the paper these are new to the task when it is measured.)

    share: of the parameters, that are updated.
    steps: in which the Fisher information is measured.

    Raises ValueError if the share is not between 0 and 1, if there are no steps, and in a training
    with gradual unfreezing: of a frozen layer nothing can be measured.
    """

    def __init__(self, share: float = 0.3, steps: int = 100):
        super().__init__(share)
        if steps < 1:
            raise ValueError(f"steps is {steps}; it must be at least 1.")
        self.steps = steps
        self._n_measured = 0
        self._fisher: dict[str, Tensor] = {}
        self._masks: dict[str, Tensor] = {}

    def _select(self, parameters: dict[str, nn.Parameter]) -> None:
        if self._n_measured < self.steps:
            self._measure(parameters)
            return
        if not self._masks:
            self._masks = _largest(self._fisher, self.share)
            self._fisher = {}
        for name, parameter in parameters.items():
            assert parameter.grad is not None
            # What had no gradient while the information was measured has none.
            mask = self._masks.get(name)
            parameter.grad.mul_(0.0 if mask is None else mask)

    def training_state(self) -> State:
        return {"n_measured": self._n_measured, "fisher": self._fisher, "masks": self._masks}

    def restore_training_state(self, state: State) -> None:
        self._n_measured = state["n_measured"]
        self._fisher = state["fisher"]
        self._masks = state["masks"]

    def _require_all(self, is_partly_frozen: bool) -> None:
        if is_partly_frozen and not self._masks:
            raise ValueError(
                "ChildTuningD chooses among BERT's parameters by their gradients in the first "
                "steps, and frozen ones have none: under gradual unfreezing they never learn. "
                "Take ChildTuningF, or leave out the unfreezing."
            )

    def _measure(self, parameters: dict[str, nn.Parameter]) -> None:
        for name, parameter in parameters.items():
            gradient = parameter.grad
            assert gradient is not None
            squared = gradient.square()
            self._fisher[name] = (
                self._fisher[name].add_(squared) if name in self._fisher else squared
            )
            # Without a gradient a parameter is not touched, by weight decay neither.
            parameter.grad = None
        self._n_measured += 1


def _largest(values: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Where the largest values are, as many of all as the share says."""
    flat = torch.cat([tensor.flatten() for tensor in values.values()])
    n_kept = max(1, round(share * len(flat)))
    chosen = torch.zeros_like(flat, dtype=torch.bool)
    chosen[flat.topk(n_kept).indices] = True
    parts = chosen.split([tensor.numel() for tensor in values.values()])
    return {
        name: part.view_as(tensor)
        for (name, tensor), part in zip(values.items(), parts, strict=True)
    }
