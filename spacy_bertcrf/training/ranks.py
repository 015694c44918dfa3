"""The processes that train together: here, one alone."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from spacy.language import Language
from spacy.training import Example

Value = TypeVar("Value")


class Ranks:
    """One process alone. What several do together is nothing here.

    rank: of this process, from 0.
    size: how many processes train together.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes, prints and logs."""
        return self.rank == 0

    def share(self, examples: list[Example]) -> list[Example]:
        """This process's part of a batch; it may be empty."""
        return examples

    def add_gradients(self, nlp: Language, exclude: Sequence[str]) -> None:
        """Called once in each step, between its updates and the optimizer."""

    def sum_losses(self, losses: dict[str, float]) -> dict[str, float]:
        """The losses of all processes."""
        return losses

    def evaluate(
        self, evaluate_alone: Callable[[], tuple[float, dict[str, Any]]]
    ) -> tuple[float, dict[str, Any]]:
        """The main score and the others, the same in all processes."""
        return evaluate_alone()

    def agree(self, value: Value) -> Value:
        """The value of the first process, told to all. It can be written as JSON."""
        return value

    def any(self, flag: bool) -> bool:
        """Whether one of the processes says so."""
        return flag

    def gather(self, value: Value) -> list[Value] | None:
        """The values of all processes, in the first; None in the others."""
        return [value]

    def barrier(self) -> None:
        """Wait for all processes."""


ALONE = Ranks()
