"""The processes that train together: here, one alone."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
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

    def describe(self, batch_size: int | None) -> list[str]:
        """What to print at the start.

        batch_size: of the config's batcher, where it is one number.
        """
        return []

    def begin(self, nlp: Language) -> None:
        """Called once before the first batch, with random states that are the same in all
        processes. Afterwards the weights are the same too, and torch's random numbers differ."""

    def update(
        self,
        nlp: Language,
        examples: list[Example],
        *,
        losses: dict[str, float],
        exclude: Sequence[str] = (),
        is_last: bool = True,
        **settings: Any,
    ) -> None:
        """`nlp.update` with this process's part of a batch.

        is_last: whether the optimizer's step comes next.
        """
        nlp.update(examples, losses=losses, exclude=exclude, **settings)

    @contextmanager
    def step(self, nlp: Language, frozen: Sequence[str]) -> Iterator[None]:
        """Have the gradients and losses of all processes in a with block, in which the optimizer
        steps the components that are not frozen, and in which random numbers are the same."""
        yield

    def evaluate(
        self,
        nlp: Language,
        dev_corpus: Callable[[Language], Iterable[Example]],
        evaluate_alone: Callable[[], tuple[float, dict[str, Any]]],
    ) -> tuple[float, dict[str, Any]]:
        """The main score, the same in all processes, and, in the first, the others.

        evaluate_alone: what one process does.
        """
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
