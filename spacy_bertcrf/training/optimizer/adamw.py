"""`spacy-bertcrf.AdamW.v1`: AdamW with parameter groups, a global norm and averages."""

import math
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from thinc.api import Optimizer, xp2torch
from thinc.types import Generator
from torch.optim.adamw import adamw

from spacy_bertcrf.models.bridge.adam import moment
from spacy_bertcrf.models.bridge.trained_parameters import Key, TrainedParameter, place_of
from spacy_bertcrf.models.current_training import current_training
from spacy_bertcrf.models.resumable import State
from spacy_bertcrf.models.step_count import count_steps
from spacy_bertcrf.models.types import Array
from spacy_bertcrf.training.optimizer.adamw_settings import check_settings
from spacy_bertcrf.training.optimizer.averages import Averaging, update_averages
from spacy_bertcrf.training.optimizer.learn_rates import (
    Rate,
    needs_total_steps,
    tell_total_steps,
)
from spacy_bertcrf.training.optimizer.parameter_groups import DEFAULT, Group, read_groups
from spacy_bertcrf.training.optimizer.parameter_settings import ParameterSettings

FUSED_DEVICES = ("cpu", "cuda")


class _Batch(NamedTuple):
    """Parameters that are updated in one go."""

    keys: list[Key]
    weights: list[torch.Tensor]
    gradients: list[torch.Tensor]


class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019,
    https://arxiv.org/abs/1711.05101), with the numbers of torch.optim.AdamW:

        w ← w − r·λ·w,   m ← β₁·m + (1 − β₁)·g,   v ← β₂·v + (1 − β₂)·g²
        w ← w − r · m/(1 − β₁ᵗ) / (√(v/(1 − β₂ᵗ)) + ε)

    It can be given wherever spaCy takes an optimizer. A parameter without gradient stays as it
    is. A step whose gradients are not all finite is not taken, and warned of (`n_skipped`).

    learn_rate: r, a number or a schedule.
    weight_decay: λ of all weights but biases and normalisations.
    beta1, beta2, eps: β₁, β₂, ε.
    grad_clip: gradients are scaled down so that their norm over all parameters that learn from
        the same batches (those of the component, of what it listens to, and of all that
        listen to the same) is at most so much; 0 for no limit. Parameters of components that have
        nothing to do with a `bertcrf`, and are not prepared by
        `spacy-bertcrf.prepare_classifiers.v1`, are limited each by itself, as thinc does.
    groups: parameters with settings of their own, a block for each: `pattern`, which their
        qualified names must match, such as "crf.*" or "bert_encoder.*.layer.11.*" (of several,
        the longest counts); `learn_rate_scale`, times the optimizer's, or a `learn_rate` of their
        own, a number or a schedule; `weight_decay`.
    layer_decay: the learning rate of each of BERT's layers is that of the layer above times so
        much, and that of the embeddings the lowest (Sun et al. 2019,
        https://arxiv.org/abs/1905.05583). 1 for the same in all.
    decay_biases: weight decay for biases and normalisations too.
    averages: the average of the weights that is evaluated and saved, such as
        `spacy-bertcrf.EMA.v1`; None for the weights themselves.

    Raises ValueError for a setting that cannot be, and in the first step for a group without
    parameters.
    """

    def __init__(
        self,
        learn_rate: float | Generator = 5e-5,
        weight_decay: float = 0.01,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        grad_clip: float = 1.0,
        groups: Mapping[str, Mapping[str, Any]] = {},
        layer_decay: float = 1.0,
        decay_biases: bool = False,
        averages: Averaging | None = None,
    ):
        check_settings(weight_decay, beta1, beta2, eps, grad_clip, layer_decay)
        super().__init__(
            0.0,
            L2=weight_decay,
            beta1=beta1,
            beta2=beta2,
            eps=eps,
            grad_clip=grad_clip,
            use_averages=averages is not None,
        )
        self._rate = Rate(learn_rate)
        self._groups = read_groups(groups, weight_decay)
        self._default = Group(DEFAULT, "*", None, 1.0, weight_decay)
        self._settings = ParameterSettings(self._groups, self._default, layer_decay, decay_biases)
        self._averaging = averages
        self.n_averaged: dict[Key, int] = defaultdict(int)
        self._is_checked = False
        # What the gradients of the present step are multiplied by; None for no step.
        self._factors: dict[Key, float | None] = {}
        self._step = 1
        self._knows_total_steps = False
        # Whether the schedules went on since the last step.
        self._is_scheduled = False
        self._has_told_of_schedules = False
        self.n_skipped = 0
        self.gradient_norm: float | None = None

    @property
    def learn_rate(self) -> float:
        """The learning rate of the present step."""
        return self._rate.value

    @learn_rate.setter
    def learn_rate(self, value: float) -> None:
        self._rate = Rate(value)

    @property
    def learn_rates(self) -> dict[str, float]:
        """The learning rates of the present step by group, "default" for all other parameters;
        those of BERT's top layer where the layers' rates differ."""
        return {group.name: self._group_rate(group) for group in (self._default, *self._groups)}

    def rate_of(self, key: Key) -> float:
        """The learning rate of a parameter in the present step; the optimizer's own for one that
        it has not been told of."""
        if key not in self._settings:
            return self.learn_rate
        group, scale, _ = self._settings[key]
        return scale * self._group_rate(group)

    def step_schedules(self) -> None:
        """Go on to the learning rates of the next step."""
        self._is_scheduled = True
        self._check_groups()
        self._factors.clear()
        for rate in self._rates():
            rate.advance()

    def training_state(self) -> State:
        """What the steps have changed, but for what is kept by parameter: the moments and
        averages, and `nr_update`, `last_seen` and `n_averaged`."""
        return {
            "step": self._step,
            "is_checked": self._is_checked,
            "knows_total_steps": self._knows_total_steps,
            "total_steps": [getattr(part, "total_steps", None) for part in self._told()],
            "rates": [rate.training_state() for rate in self._rates()],
            "n_skipped": self.n_skipped,
            "gradient_norm": self.gradient_norm,
        }

    def restore_training_state(self, state: State) -> None:
        """Go on from there. The steps are not counted again."""
        self._step = state["step"]
        self._is_checked = state["is_checked"]
        self._knows_total_steps = state["knows_total_steps"]
        for part, number in zip(self._told(), state["total_steps"], strict=True):
            tell_total_steps([part], lambda number=number: number)  # type: ignore[misc]
        for rate, rate_state in zip(self._rates(), state["rates"], strict=True):
            rate.restore_training_state(rate_state)
        self._is_scheduled = True
        self.n_skipped = state["n_skipped"]
        self.gradient_norm = state["gradient_norm"]

    def begin_step(
        self,
        parameters: Iterable[TrainedParameter],
        *,
        overflow: bool = False,
    ) -> None:
        """Take the norm of the gradients of all parameters that learn from the same batches,
        before the first of them is updated; another call before the last is does nothing.

        overflow: whether gradients of float16 were too large. Then no step is taken.
        """
        self._tell_total_steps()
        gradients: dict[Key, torch.Tensor] = {}
        stepped = False
        for parameter in parameters:
            key = parameter.key
            stepped = stepped or self.nr_update[key] > 0
            self._settings.add(parameter)
            if parameter.gradient is not None:
                gradients[key] = _tensor(parameter.gradient)
        if stepped:
            self._check_groups()
        if all(key in self._factors for key in gradients):
            return
        factor: float | None = None
        if not overflow:
            factor, self.gradient_norm = self._factor(list(gradients.values()))
        self._factors.update(dict.fromkeys(gradients, factor))

    def _tell_total_steps(self) -> None:
        if self._knows_total_steps:
            return
        self._knows_total_steps = True
        tell_total_steps(self._told(), count_steps)
        if needs_total_steps(self._averaging) and current_training() is None:
            warnings.warn(
                "[training.optimizer.averages] begin at a share of all steps, whose number is "
                "known in `spacy train` and `bertcrf train` alone: no averages are kept. To have "
                "them, give spacy-bertcrf.SWA.v1 the total_steps.",
                stacklevel=2,
            )
            self._averaging = None
        for rate in self._rates():
            rate.begin()

    def _begin_later_step(self) -> None:
        self._step += 1
        if not self._is_scheduled:
            self._leave_schedules()
        self._is_scheduled = False

    def _leave_schedules(self) -> None:
        """Nobody steps them: they were written for a training that is over, or not begun."""
        left = [rate.leave_schedule() for rate in self._rates()]
        is_still = self.learn_rate == 0 and self._rate.schedule is not None
        if (any(left) or is_still) and not self._has_told_of_schedules:
            self._has_told_of_schedules = True
            warnings.warn(
                "[training.optimizer.learn_rate] is a schedule, and nobody steps it: the rate is "
                f"{self.learn_rate} from now on. To have the schedule, call "
                "optimizer.step_schedules() after each step, or train by `spacy train`; to have "
                "another rate, set optimizer.learn_rate.",
                stacklevel=2,
            )

    def _rates(self) -> list[Rate]:
        return [self._rate, *(group.rate for group in self._groups if group.rate is not None)]

    def _told(self) -> list[Any]:
        return [*(rate.schedule for rate in self._rates()), self._averaging]

    @torch.no_grad()
    def step_parameters(self, parameters: Mapping[Key, torch.nn.Parameter]) -> None:
        """Update the parameters of a torch module, all of which have gradients, in place."""
        weights = {key: parameter.data for key, parameter in parameters.items()}
        gradients = {}
        for key, parameter in parameters.items():
            assert parameter.grad is not None
            gradients[key] = parameter.grad
        self._update(weights, gradients)

    @torch.no_grad()
    def __call__(
        self, key: Key, weights: Array, gradient: Array, *, lr_scale: float = 1.0
    ) -> tuple[Array, Array]:
        """Update a parameter of a thinc layer in place."""
        if len(gradient) > 0:
            self._update({key: _tensor(weights)}, {key: _tensor(gradient)}, lr_scale)
            gradient *= 0
        return weights, gradient

    def _update(
        self,
        weights: Mapping[Key, torch.Tensor],
        gradients: Mapping[Key, torch.Tensor],
        lr_scale: float = 1.0,
    ) -> None:
        self._tell_total_steps()
        unknown = [key for key in gradients if key not in self._factors]
        if unknown:
            alone, _ = self._factor([gradients[key] for key in unknown])
            self._factors.update(dict.fromkeys(unknown, alone))
        if any(self.last_seen[key] == self._step for key in gradients):
            self._begin_later_step()
        batches: dict[tuple, _Batch] = defaultdict(lambda: _Batch([], [], []))
        for key, gradient in gradients.items():
            self.last_seen[key] = self._step
            factor = self._factors.pop(key)
            if factor is None:
                continue
            name, distance = place_of(key)
            self._settings.add(TrainedParameter(key, name, weights[key], gradient, distance))
            weight_decay = self._settings[key].weight_decay
            self.nr_update[key] += 1
            rate = lr_scale * self.rate_of(key)
            n_updates = self.nr_update[key]
            batch = batches[rate, weight_decay, n_updates, factor, gradient.device, gradient.dtype]
            batch.keys.append(key)
            batch.weights.append(weights[key])
            batch.gradients.append(gradient)
        for (rate, weight_decay, n_updates, scaled, device, _), batch in batches.items():
            if scaled != 1:
                torch._foreach_mul_(batch.gradients, scaled)
            adamw(
                batch.weights,
                batch.gradients,
                _moments(self.mom1, batch),
                _moments(self.mom2, batch),
                [],
                list(torch.full((len(batch.keys),), n_updates - 1.0, device=device).unbind()),
                fused=device.type in FUSED_DEVICES,
                foreach=device.type not in FUSED_DEVICES,
                amsgrad=False,
                beta1=self.b1,
                beta2=self.b2,
                lr=rate,
                weight_decay=weight_decay,
                eps=self.eps,
                maximize=False,
            )
            if self._averaging is not None:
                assert self.averages is not None
                update_averages(
                    self._averaging,
                    self._step,
                    dict(zip(batch.keys, batch.weights, strict=True)),
                    self.averages,
                    self.n_averaged,
                )

    def _factor(self, gradients: list[torch.Tensor]) -> tuple[float | None, float]:
        """What to multiply the gradients by, as torch.nn.utils.clip_grad_norm_ does, or None for
        no step; and their norm."""
        device = gradients[0].device
        norms = [norm.to(device).float() for norm in torch._foreach_norm(gradients)]
        norm = float(torch.linalg.vector_norm(torch.stack(norms)))
        if math.isfinite(norm):
            clipped = self.grad_clip / (norm + 1e-6) if self.grad_clip else 1.0
            return min(1.0, clipped), norm
        self.n_skipped += 1
        warnings.warn(
            "The gradients of a training step are not all finite numbers, so the step is not "
            "taken. If that happens often, lower the learning rate.",
            stacklevel=2,
        )
        return None, norm

    def _group_rate(self, group: Group) -> float:
        return (self._rate if group.rate is None else group.rate).value * group.scale

    def _check_groups(self) -> None:
        """After the first step, when all parameters are known."""
        if self._is_checked or not self._settings:
            return
        self._is_checked = True
        self._settings.require_parameters()


def _moments(moments: dict, batch: _Batch) -> list[torch.Tensor]:
    return [moment(moments, key, w) for key, w in zip(batch.keys, batch.weights, strict=True)]


def _tensor(array: torch.Tensor | Array) -> torch.Tensor:
    """The same memory as a tensor."""
    if isinstance(array, torch.Tensor):
        return array
    return xp2torch(array, device=torch.device("cpu") if isinstance(array, np.ndarray) else None)
