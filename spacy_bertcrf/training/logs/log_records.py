"""What the loggers write: a record for each evaluation, and others between them."""

import platform
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol, TypeAlias

from spacy.language import Language
from thinc.api import Model, Optimizer

from spacy_bertcrf.models.bridge.in_place_update import optimizer_of
from spacy_bertcrf.models.resumable import State, announce
from spacy_bertcrf.training.logs.training_watch import watch_training

Record: TypeAlias = dict[str, Any]
LogStep: TypeAlias = Callable[[dict[str, Any] | None], None]
Logger: TypeAlias = Callable[[Language, IO, IO], tuple[LogStep, Callable[[], None]]]

PACKAGES = ("spacy-bertcrf", "spacy", "spacy-transformers", "thinc", "torch", "transformers")


class RecordWriter(Protocol):
    """Where records go."""

    path: Path

    def write(self, record: Record) -> None:
        """Write one record, so that it is there if the process is killed afterwards."""

    def close(self) -> None:
        """Called once, after the last record."""

    def training_state(self) -> State:
        """How far it is written; what is written so far stays, whatever happens to the machine."""

    def restore_training_state(self, state: State) -> None:
        """Go on behind what was written then, and drop what was written later."""


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
    log = _RecordLog(nlp, writer, log_every, dev_loss)
    announce(f"log {writer.path}", log)
    return log.log_step, log.finalize


class _RecordLog:
    def __init__(self, nlp: Language, writer: RecordWriter, log_every: int, dev_loss: bool):
        self._nlp = nlp
        self._writer = writer
        self._log_every = log_every
        self._dev_loss = dev_loss
        self._watch = watch_training(nlp, dev_loss)
        self._step = -1
        self._last = self._count()

    def log_step(self, info: dict[str, Any] | None) -> None:
        """Called after each step; info as of an evaluation."""
        self._step = self._step + 1 if info is None else info["step"]
        if info is not None or (self._log_every and self._step % self._log_every == 0):
            self._record(info)

    def finalize(self) -> None:
        """Called once, at the end."""
        try:
            if self._step > self._last.step:
                self._record(None)
        finally:
            self._watch.release()
            self._writer.close()

    def training_state(self) -> State:
        """How far the log and its counts are."""
        return {
            "step": self._step,
            "last": self._last._asdict(),
            "watch": self._watch.training_state(),
            "writer": self._writer.training_state(),
        }

    def restore_training_state(self, state: State) -> None:
        """Go on behind what was written then; what was written later is dropped."""
        self._step = state["step"]
        self._last = _Counts(**state["last"])
        self._watch.restore_training_state(state["watch"])
        self._writer.restore_training_state(state["writer"])

    def _count(self) -> _Counts:
        watch = self._watch
        return _Counts(self._step, watch.words, watch.seconds, dict(watch.losses))

    def _record(self, info: dict[str, Any] | None) -> None:
        now = self._count()
        evaluated = info is not None and self._dev_loss
        self._writer.write(
            {
                **_progress(self._last, now),
                **_optimizer_state(self._nlp),
                **({} if info is None else _evaluation(info)),
                **({"dev_losses": self._watch.dev_losses} if evaluated else {}),
            }
        )
        self._last = now


def describe_run(nlp: Language) -> Record:
    """What identifies a training: when it started, the versions, the whole config."""
    return {
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "versions": installed_versions(),
        "config": nlp.config.interpolate(),
    }


def installed_versions(*more: str) -> dict[str, str]:
    """The versions of PACKAGES, and of more, as far as they are installed."""
    found = {}
    for package in (*PACKAGES, *more):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


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
