"""The learning rates of an optimizer: its own, and those of parameter groups."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from spacy_bertcrf.models.resumable import State


class Rate:
    """A learning rate: a number, or a schedule whose first value is asked for when it is used."""

    def __init__(self, value: float | Iterator[float]):
        self.schedule: Any = value if isinstance(value, Iterator) else None
        self._value: float | None = None if isinstance(value, Iterator) else float(value)
        self._n_drawn = 0

    @property
    def value(self) -> float:
        """The rate of the present step; before the first, of a schedule that is to be told the
        number of steps, its highest."""
        if self._value is not None:
            return self._value
        return self.schedule.initial_rate if needs_total_steps(self.schedule) else self.begin()

    def begin(self) -> float:
        """The rate of the first step, with what is known of their number, or of the present."""
        if self._value is None:
            self._value = self._draw()
        return self._value

    def advance(self) -> None:
        """Go on to the next step; behind a schedule's end the last rate stays."""
        last = self.begin()
        if self.schedule is not None:
            self._value = self._draw(last)

    def leave_schedule(self) -> bool:
        """Take the highest rate of a schedule that nobody steps, if it knows which that is.

        Returns whether the rate is another one now.
        """
        before = self.begin()
        if self.schedule is not None:
            self._value = float(getattr(self.schedule, "initial_rate", before))
        return self._value != before

    def training_state(self) -> State:
        """The place in the schedule."""
        is_schedule = self.schedule is not None
        return {"is_schedule": is_schedule, "value": self._value, "n_drawn": self._n_drawn}

    def restore_training_state(self, state: State) -> None:
        """Go on from there, in the same schedule."""
        if not state["is_schedule"]:
            self.schedule = None
        while self._n_drawn < state["n_drawn"]:
            self._draw(0.0)
        self._value = state["value"]

    def _draw(self, *at_end: float) -> float:
        self._n_drawn += 1
        return float(next(self.schedule, *at_end))


def tell_total_steps(parts: Iterable[object], count_steps: Callable[[], int | None]) -> None:
    """Tell schedules and averages that ask for it how many steps there will be.

    count_steps: gives the number, None if it is not known.
    """
    for part in parts:
        if needs_total_steps(part) and (number := count_steps()) is not None:
            part.total_steps = number  # type: ignore[attr-defined]


def needs_total_steps(part: object) -> bool:
    """Whether a schedule, or an average, has to be told how many steps there will be, by its
    `total_steps`."""
    return bool(getattr(part, "needs_total_steps", False))
