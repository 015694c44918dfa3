"""How many steps a training will take."""

import random
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property

import numpy as np
from spacy.language import Language
from spacy.util import registry, resolve_dot_names


class StepCount:
    """The number of steps that `spacy train` takes with the config of a pipeline, as far as it
    is not stopped by its `patience`.

    It is counted when it is asked for first: the corpus is read and shuffled, and its batches are
    counted, once; random numbers go on afterwards as if nothing had been. Where the number of
    batches depends on their order, other epochs may differ by some.

    A copy, which is in no pipeline, knows of none.
    """

    def __init__(self, nlp: Language | None = None):
        self._nlp = None if nlp is None else weakref.ref(nlp)

    def __call__(self) -> int | None:
        """The number, or None where there is no end, or, with a warning, no corpus: a
        trained pipeline can be trained on from Python, and elsewhere."""
        return self._n_steps

    @cached_property
    def _n_steps(self) -> int | None:
        nlp = None if self._nlp is None else self._nlp()
        if nlp is None:
            return None
        with random_state_kept():
            return _count(nlp)

    def __reduce__(self) -> tuple[type["StepCount"], tuple[()]]:
        return StepCount, ()


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Let random numbers go on behind a with block as if it had drawn none."""
    state, numpy_state = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(state)
        np.random.set_state(numpy_state)


def _count(nlp: Language) -> int | None:
    config = nlp.config.interpolate()
    training = config["training"]
    max_steps, max_epochs = training["max_steps"], training["max_epochs"]
    # spaCy counts steps from 0 and takes that with the number max_steps too.
    limits = [max_steps + 1] if max_steps > 0 else []
    if max_epochs > 0:
        try:
            (corpus,) = resolve_dot_names(config, [training["train_corpus"]])
            examples = list(corpus(nlp))
        except (OSError, ValueError) as error:
            warnings.warn(
                "The steps of the training cannot be counted, for its corpus cannot be read "
                f"({error}). Give the schedules in [training.optimizer] the total_steps.",
                stacklevel=2,
            )
            return None
        batcher = {"batcher": training["batcher"]}
        batches: Callable = registry.resolve(batcher)["batcher"]
        random.shuffle(examples)
        limits.append(max_epochs * sum(1 for _ in batches(examples)))
    return min(limits, default=None)
