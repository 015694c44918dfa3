"""The batches of a training, which can be gone on with where they stopped."""

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from spacy.errors import Errors
from spacy.language import Language
from spacy.training import Example

from spacy_bertcrf.models.resumable import NotResumableError, State
from spacy_bertcrf.training.checkpoints.random_state import PlainRandomState


class DataStream(Iterator[tuple[int, list[Example]]]):
    """The batches of all epochs, each with the number of its epoch: those of `spacy train`,
    unless a component draws from Python's random numbers in its updates, as spaCy's parser and ner.

    Reading, augmenting, shuffling and batching have random states of their own, from the first
    batch on, so that the batches do not depend on what else draws random numbers, and can be
    made once more. A resumed stream reads the corpus as it was read at the start, and passes over
    the batches that were taken.

    corpus: gives the examples.
    batcher: makes batches of them.
    max_epochs: how many; 0 for no end; below 0 the corpus is read anew in each epoch, is never
        in memory as a whole, and is not shuffled.
    is_repeatable: whether the batcher does the same in each epoch, but for random numbers. Where
        it does not, as with a size that grows over the steps, a resumed stream passes over the
        batches of all epochs, and not only over those of the last.

    Raises ValueError for an empty corpus.
    """

    def __init__(
        self,
        nlp: Language,
        corpus: Callable[[Language], Iterable[Example]],
        batcher: Callable[[Iterable[Example]], Iterable[list[Example]]],
        max_epochs: int,
        is_repeatable: bool,
    ):
        self._nlp = nlp
        self._corpus = corpus
        self._batcher = batcher
        self._max_epochs = max_epochs
        self._is_repeatable = is_repeatable
        self._random: PlainRandomState | None = None
        self._at_start: PlainRandomState | None = None
        self._mark: _Mark | None = None
        self._n_taken = 0
        self._ahead: _Drawn | None = None
        self._batches = self._run()

    def __next__(self) -> tuple[int, list[Example]]:
        if self._ahead is None:
            self._draw()
        assert self._ahead is not None
        drawn, self._ahead = self._ahead, None
        if drawn.batch is None:
            raise StopIteration
        return drawn.batch

    def is_over(self) -> bool:
        """Whether there is no other batch. Where there may be an end, the next one is made."""
        if self._max_epochs < 1:
            return False
        if self._ahead is None:
            self._draw()
        assert self._ahead is not None
        return self._ahead.batch is None

    def _draw(self) -> None:
        mark, n_taken = self._mark, self._n_taken
        with self._own_random_numbers():
            batch = next(self._batches, None)
        self._ahead = _Drawn(batch, mark, n_taken)

    def training_state(self) -> State:
        """Where it is."""
        mark, n_taken = self._mark, self._n_taken
        if self._ahead is not None:
            mark, n_taken = self._ahead.mark, self._ahead.n_taken
        if mark is None or self._at_start is None:
            return {"n_taken": 0}
        epoch, order, at_mark = mark
        return {
            "at_start": self._at_start.to_json(),
            "epoch": epoch,
            "order": order,
            "at_epoch": at_mark.to_json(),
            "n_taken": n_taken,
        }

    def restore_training_state(self, state: State) -> None:
        """Go on behind the batches that were taken.

        Raises NotResumableError if the corpus has another number of examples or fewer batches.
        """
        if not state["n_taken"]:
            return
        self._at_start = PlainRandomState.from_json(state["at_start"])
        at_mark = PlainRandomState.from_json(state["at_epoch"])
        self._random = self._at_start
        self._batches = self._run(_Mark(state["epoch"], state["order"], at_mark))
        for _ in range(state["n_taken"]):
            if next(self, None) is None:
                raise NotResumableError(
                    f"The training corpus has fewer than the {state['n_taken']} batches that the "
                    "checkpoint is behind: it gives other examples than before."
                )

    def _run(self, mark: "_Mark | None" = None) -> Iterator[tuple[int, list[Example]]]:
        self._at_start = PlainRandomState.present()
        examples = list(self._corpus(self._nlp)) if self._max_epochs >= 0 else None
        if examples is not None and not examples:
            raise ValueError(Errors.E986)
        epoch, order = 0, np.arange(len(examples or ()))
        if mark is not None:
            if len(mark.order) != len(order):
                raise NotResumableError(
                    f"The training corpus has {len(order)} examples, and had {len(mark.order)} "
                    "when the checkpoint was written. Put the old one back."
                )
            epoch, order = mark.epoch, mark.order
            mark.random.set()
        while self._max_epochs < 1 or epoch < self._max_epochs:
            if self._mark is None or self._is_repeatable:
                self._mark = _Mark(epoch, order, PlainRandomState.present())
                self._n_taken = 0
            if examples is None:
                epoch_examples = self._corpus(self._nlp)
            else:
                order = _shuffled(order)
                epoch_examples = [examples[i] for i in order]
            for batch in self._batcher(epoch_examples):
                self._n_taken += 1
                yield epoch, batch
            epoch += 1

    @contextmanager
    def _own_random_numbers(self) -> Iterator[None]:
        if self._random is None:
            # As in `spacy train`, the first updates go on from what reading and shuffling left.
            yield
            self._random = PlainRandomState.present()
            return
        outside = PlainRandomState.present()
        self._random.set()
        try:
            yield
        finally:
            self._random = PlainRandomState.present()
            outside.set()


class _Mark(NamedTuple):
    """A place to pass over batches from.

    order: (n_examples,), before it is shuffled for this epoch.
    random: the state before that.
    """

    epoch: int
    order: np.ndarray
    random: PlainRandomState


class _Drawn(NamedTuple):
    """What the stream has made and not yet given.

    batch: with its epoch; None behind the last.
    mark, n_taken: where the stream was before.
    """

    batch: tuple[int, list[Example]] | None
    mark: _Mark | None
    n_taken: int


def _shuffled(order: np.ndarray) -> np.ndarray:
    # With the draws that spaCy's loop makes to shuffle the examples themselves.
    numbers = order.tolist()
    random.shuffle(numbers)
    return np.asarray(numbers, dtype=np.int64)
