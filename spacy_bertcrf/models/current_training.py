"""Which training is going on: a loop over batches that also steps the schedules."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import Protocol, runtime_checkable

from spacy.language import Language
from spacy.training.loop import train_while_improving


@runtime_checkable
class Joining(Protocol):
    """A component that has something to do before the first step of a training."""

    def join_training(self) -> None:
        """Called inside the training."""


@contextmanager
def training_of(nlp: Language) -> Iterator[None]:
    """Let components and optimizers know, inside a with block, that the pipeline is trained as its
    config says."""
    token = _present.set(nlp)
    try:
        yield
    finally:
        _present.reset(token)


def current_training() -> Language | None:
    """The pipeline that `spacy train` or `bertcrf train` is training now, whose config is this
    training's. None elsewhere: in a script that calls `nlp.update`, the config is that of an
    earlier training, if of any."""
    nlp = _present.get()
    if nlp is not None:
        return nlp
    # spaCy's loop tells neither components nor optimizers that it runs, nor for which pipeline.
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code is train_while_improving.__code__:
            trained: Language = frame.f_locals["nlp"]
            return trained
        frame = frame.f_back
    return None


def evaluates_last_step() -> bool:
    """Whether the loop that is going on evaluates its last step whatever `eval_frequency` says:
    ours does, and spaCy's does not."""
    return _present.get() is not None


_present: ContextVar[Language | None] = ContextVar("current_training", default=None)
