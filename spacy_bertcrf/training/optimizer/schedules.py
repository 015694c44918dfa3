"""`spacy-bertcrf.warmup_decay.v1`: a rate that rises, and then falls until the last step."""

import math
import warnings
from collections.abc import Iterator

DECAYS = ("linear", "cosine", "constant")


class WarmupDecay(Iterator[float]):
    """A rate for each step t = 0, 1, … of T steps, W of them to warm up:

        initial_rate · (t + 1) / (W + 1)                       for t < W, and then
        initial_rate · (T - t) / (T - W)                       linear
        initial_rate · (1 + cos(π · (t - W) / (T - W))) / 2    cosine
        initial_rate                                           constant

    No rate is 0 until all T steps are taken.

    initial_rate: the highest rate, that of t = W.
    warmup: W, or, below 1, W / T.
    decay: "linear", "cosine" (Loshchilov & Hutter 2017, https://arxiv.org/abs/1608.03983, without
        restarts) or "constant".
    total_steps: T; None for the real number, which `spacy-bertcrf.AdamW.v1` counts when
        `spacy train` or `bertcrf train` begins. Elsewhere, as in a script that calls
        `nlp.update`, and in a training without an end, the rate is initial_rate in all steps, with
        a warning.

    Raises ValueError for a setting that cannot be.
    """

    def __init__(
        self,
        initial_rate: float,
        warmup: float = 0.1,
        decay: str = "linear",
        total_steps: int | None = None,
    ):
        if initial_rate < 0:
            raise ValueError(f"initial_rate is {initial_rate}; it must not be negative.")
        if decay not in DECAYS:
            raise ValueError(f"decay is '{decay}'; it can be {', '.join(DECAYS)}.")
        if warmup < 0 or (warmup >= 1 and warmup != int(warmup)):
            raise ValueError(
                f"warmup is {warmup}; it must be a share of all steps below 1, or a number of "
                "steps."
            )
        self.initial_rate = initial_rate
        self.warmup = warmup
        self.decay = decay
        self._total_steps: int | None = None
        self._step = 0
        if total_steps is not None:
            self.total_steps = total_steps

    @property
    def total_steps(self) -> int | None:
        """T, None as long as it is not known. Setting it raises ValueError if it is less than
        the steps to warm up."""
        return self._total_steps

    @total_steps.setter
    def total_steps(self, number: int) -> None:
        if number < 1 or self.warmup >= number:
            raise ValueError(
                f"Of {number} steps, {self.warmup} are to warm up; there must be more steps than "
                "that."
            )
        self._total_steps = number

    @property
    def needs_total_steps(self) -> bool:
        """Whether the rates depend on a number of steps that is not known."""
        is_share = 0 < self.warmup < 1
        return self._total_steps is None and (self.decay != "constant" or is_share)

    def __next__(self) -> float:
        step, self._step = self._step, self._step + 1
        if self.needs_total_steps:
            if step == 0:
                warnings.warn(
                    f"[training.optimizer.learn_rate]: the rate is {self.initial_rate}, the "
                    "initial_rate, in all steps, without warm-up and decay, for it is not known "
                    "how many there will be: they are counted in `spacy train` and `bertcrf "
                    "train`, if the training has an end. If that is not what you want, give "
                    "spacy-bertcrf.warmup_decay.v1 the total_steps and call "
                    "optimizer.step_schedules() after each step.",
                    stacklevel=2,
                )
            return self.initial_rate
        total = self._total_steps or 0
        n_warmup = round(self.warmup * total) if self.warmup < 1 else int(self.warmup)
        if step < n_warmup:
            return self.initial_rate * (step + 1) / (n_warmup + 1)
        if self.decay == "constant":
            return self.initial_rate
        left = max(0.0, (total - step) / (total - n_warmup))
        if self.decay == "cosine":
            left = (1 + math.cos(math.pi * (1 - left))) / 2
        return self.initial_rate * left
