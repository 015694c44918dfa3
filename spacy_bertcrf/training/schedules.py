"""`spacy-bertcrf.warmup_decay.v1`: a rate that rises, and then falls until the last step."""

import math
from collections.abc import Callable, Iterator

DECAYS = ("linear", "cosine", "constant")


def warmup_decay(
    initial_rate: float,
    warmup: float | int = 0.1,
    decay: str = "linear",
    total_steps: int | Callable[[], int | None] | None = None,
) -> Iterator[float]:
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
    total_steps: T, or what gives it when the first rate is asked for, such as
        `spacy-bertcrf.count_steps.v1`. A constant rate with W given does without. Where the
        number then is not known, the rate is initial_rate in all steps.

    Raises ValueError for a setting that cannot be.
    """
    if initial_rate < 0:
        raise ValueError(f"initial_rate is {initial_rate}; it must not be negative.")
    if decay not in DECAYS:
        raise ValueError(f"decay is '{decay}'; it can be {', '.join(DECAYS)}.")
    if warmup < 0 or (warmup >= 1 and warmup != int(warmup)):
        raise ValueError(
            f"warmup is {warmup}; it must be a share of all steps below 1, or a number of steps."
        )
    if total_steps is None and (decay != "constant" or 0 < warmup < 1):
        raise ValueError(
            "warmup_decay needs the number of all steps: give total_steps, or a block with "
            '@misc = "spacy-bertcrf.count_steps.v1".'
        )
    if isinstance(total_steps, int):
        _check(warmup, total_steps)
    return _rates(initial_rate, warmup, decay, total_steps)


def _check(warmup: float | int, total_steps: int) -> None:
    if total_steps < 1 or warmup >= max(total_steps, 1):
        raise ValueError(
            f"Of {total_steps} steps, {warmup} are to warm up; there must be more steps than that."
        )


def _rates(
    initial_rate: float,
    warmup: float | int,
    decay: str,
    total_steps: int | Callable[[], int | None] | None,
) -> Iterator[float]:
    total = total_steps() if callable(total_steps) else total_steps
    if total is None:
        warmup = 0 if warmup < 1 else warmup
    else:
        _check(warmup, total)
    n_warmup = round(warmup * (total or 0)) if warmup < 1 else int(warmup)
    step = 0
    while True:
        if step < n_warmup:
            yield initial_rate * (step + 1) / (n_warmup + 1)
        elif decay == "constant" or total is None:
            yield initial_rate
        else:
            left = max(0.0, (total - step) / (total - n_warmup))
            if decay == "cosine":
                left = (1 + math.cos(math.pi * (1 - left))) / 2
            yield initial_rate * left
        step += 1
