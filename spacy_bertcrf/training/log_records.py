"""What the loggers write: a record for each evaluation, and others between them."""

import platform
from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version
from typing import IO, Any, NamedTuple, Protocol, TypeAlias

from spacy.language import Language
from thinc.api import Model, Optimizer

from ..models.in_place_update import optimizer_of
from .training_watch import watch_training

Record: TypeAlias = dict[str, Any]
LogStep: TypeAlias = Callable[[dict[str, Any] | None], None]
Logger: TypeAlias = Callable[[Language, IO, IO], tuple[LogStep, Callable[[], None]]]

PACKAGES = ("spacy-bertcrf", "spacy", "spacy-transformers", "thinc", "torch", "transformers")


class RecordWriter(Protocol):
    """Where records go."""

    def write(self, record: Record) -> None:
        """Write one record, so that it is there if the process is killed afterwards."""

    def close(self) -> None:
        """Called once, after the last record."""


class _Counts(NamedTuple):
    step: int
    words: int
    seconds: float
    losses: dict[str, float]


def write_records(
    nlp: Language, writer: RecordWriter, log_every: int, dev_loss: bool
) -> tuple[LogStep, Callable[[], None]]:
    """What a spaCy logger returns: a function to call after each step, and one for the end.

    A record has, where they are known:

    step: from 0, that of the last update.
    seconds: of training so far, without evaluating and saving.
    words: tokens of all updates so far.
    words_per_second: since the last record.
    losses: by key of spaCy's `losses`, as they are: the mean of a step, since the last record.
    learn_rates: by parameter group ("all" if there are none), as they are after the step.
    gradient_norm: of the last step, before clipping.

    and that of an evaluation besides:

    epoch: from 0.
    score: the one by which spaCy chooses model-best.
    scores: by name, as the components' scorers give them; ents_p, ents_r, ents_f, and
        ents_per_type with p, r and f by label.
    dev_losses: by bertcrf component, as `dev_loss.mean_loss` gives them.

    log_every: steps from one record to the next between evaluations; 0 for evaluations alone.
    dev_loss: whether to take it, at each evaluation.
    """
    watch = watch_training(nlp, dev_loss)

    def count(step: int) -> _Counts:
        return _Counts(step, watch.words, watch.seconds, dict(watch.losses))

    last = count(-1)
    step = -1

    def record(info: dict[str, Any] | None) -> None:
        nonlocal last
        now = count(step)
        writer.write(
            {
                **_progress(last, now),
                **_optimizer_state(nlp),
                **({} if info is None else _evaluation(info)),
                **({"dev_losses": watch.dev_losses} if dev_loss and info is not None else {}),
            }
        )
        last = now

    def log_step(info: dict[str, Any] | None) -> None:
        nonlocal step
        step = step + 1 if info is None else info["step"]
        if info is not None or (log_every and step % log_every == 0):
            record(info)

    def finalize() -> None:
        try:
            if step > last.step:
                record(None)
        finally:
            watch.release()
            writer.close()

    return log_step, finalize


def describe_run(nlp: Language) -> Record:
    """What identifies a training: when it started, the versions, the whole config."""
    return {
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in PACKAGES},
        "config": nlp.config.interpolate(),
    }


def check_log_settings(log_every: int, overwrite: bool, append: bool) -> None:
    """Raise ValueError for a number of steps below 0, and for two answers to what is to become
    of an old log."""
    if log_every < 0:
        raise ValueError(f"log_every is {log_every}; it must be at least 0 (evaluations alone).")
    if overwrite and append:
        raise ValueError("overwrite and append are both true: an old log can be one of them.")


def old_log_error(what: str) -> ValueError:
    """For a log that is there and may be neither continued nor erased."""
    return ValueError(
        f"{what} of an earlier training. Set the logger's append = true to continue it, "
        "overwrite = true to erase it, or another path."
    )


def _progress(last: _Counts, now: _Counts) -> Record:
    n_steps = max(now.step - last.step, 1)
    seconds = now.seconds - last.seconds
    return {
        "step": now.step,
        "seconds": round(now.seconds, 3),
        "words": now.words,
        "words_per_second": round((now.words - last.words) / seconds, 1) if seconds > 0 else None,
        "losses": {
            key: (loss - last.losses.get(key, 0.0)) / n_steps for key, loss in now.losses.items()
        },
    }


def _optimizer_state(nlp: Language) -> Record:
    optimizer = _optimizer(nlp)
    if optimizer is None:
        return {}
    rates = getattr(optimizer, "learn_rates", None) or {"all": optimizer.learn_rate}
    state: Record = {"learn_rates": {group: float(rate) for group, rate in rates.items()}}
    norm = getattr(optimizer, "gradient_norm", None)
    return state if norm is None else {**state, "gradient_norm": float(norm)}


def _optimizer(nlp: Language) -> Optimizer | None:
    for _, pipe in nlp.pipeline:
        model = getattr(pipe, "model", None)
        optimizer = optimizer_of(model) if isinstance(model, Model) else None
        if optimizer is not None:
            return optimizer
    return None


def _evaluation(info: dict[str, Any]) -> Record:
    return {
        "epoch": info["epoch"],
        "score": info["score"],
        "scores": info["other_scores"],
    }
