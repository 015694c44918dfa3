"""What goes on where it stopped when a training is resumed."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, runtime_checkable

State: TypeAlias = dict[str, Any]
"""A tree of dicts with strings as keys, lists, what JSON can hold, tensors and arrays."""


class NotResumableError(ValueError):
    """For a training that cannot go on from a checkpoint, or of which none can be written."""


@runtime_checkable
class Resumable(Protocol):
    """A part of a training that has a state of its own.

    It is asked for it between two steps, when no gradients are left. What is resumed is another
    object, made from the same config.
    """

    def training_state(self) -> State:
        """What the training has changed."""

    def restore_training_state(self, state: State) -> None:
        """Be as the part was that gave this state.

        Raises NotResumableError if it is the state of another training.
        """


@dataclass
class SetUp:
    """A training that is being set up.

    is_resuming: whether it goes on from a checkpoint.
    parts: those that have announced themselves, by name.
    """

    is_resuming: bool
    parts: dict[str, Resumable] = field(default_factory=dict)


@contextmanager
def setting_up(is_resuming: bool) -> Iterator[SetUp]:
    """Have parts that are set up inside a with block announce themselves: loggers are functions,
    chained by other functions, and cannot be asked for their state from outside."""
    set_up = SetUp(is_resuming)
    token = _present.set(set_up)
    try:
        yield set_up
    finally:
        _present.reset(token)


def announce(name: str, part: Resumable) -> None:
    """Called by a part that is set up: it has state. Where no checkpoints are kept, this does
    nothing."""
    set_up = _present.get()
    if set_up is not None:
        set_up.parts[name] = part


def is_resuming() -> bool:
    """Whether what is being set up goes on from a checkpoint."""
    set_up = _present.get()
    return set_up is not None and set_up.is_resuming


_present: ContextVar[SetUp | None] = ContextVar("set_up", default=None)
