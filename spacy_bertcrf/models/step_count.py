"""How many steps a training will take."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from spacy.language import Language
from spacy.util import registry, resolve_dot_names
from thinc.api import Config

from spacy_bertcrf.models.current_training import current_training


def count_steps() -> int | None:
    """The number of steps of the training that is going on; None where none is, and where it has
    no end."""
    nlp = current_training()
    return None if nlp is None else steps_of(nlp)


def steps_of(nlp: Language) -> int | None:
    """The number of steps that a training takes with the config of a pipeline, as far as it is
    not stopped by its `patience`; None where it has no end.

    It is counted once: the corpus is read and shuffled, and its batches are counted, with random
    numbers of its own, so that the count is the same whenever it is made. Where the number of
    batches depends on their order, other epochs may differ by some.

    Raises what the corpus' reader and the batcher raise.
    """
    config = nlp.config.interpolate()
    settings = {key: config["training"][key] for key in SETTINGS} | {"corpora": config["corpora"]}
    known = _COUNTS.get(nlp)
    if known is None or known[0] != settings:
        with random_state_kept():
            random.seed(0)
            np.random.seed(0)
            known = _COUNTS[nlp] = (settings, _count(nlp, config))
    return known[1]


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Let random numbers go on behind a with block as if it had drawn none."""
    state, numpy_state = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(state)
        np.random.set_state(numpy_state)


def _count(nlp: Language, config: Config) -> int | None:
    training = config["training"]
    max_steps, max_epochs = training["max_steps"], training["max_epochs"]
    # spaCy counts steps from 0 and takes that with the number max_steps too.
    limits = [max_steps + 1] if max_steps > 0 else []
    if max_epochs > 0:
        (corpus,) = resolve_dot_names(config, [training["train_corpus"]])
        examples = list(corpus(nlp))
        batches: Callable = registry.resolve({"batcher": training["batcher"]})["batcher"]
        random.shuffle(examples)
        limits.append(max_epochs * sum(1 for _ in batches(examples)))
    return min(limits, default=None)


SETTINGS = ("train_corpus", "batcher", "max_steps", "max_epochs")
_COUNTS: WeakKeyDictionary[Language, tuple[dict[str, Any], int | None]] = WeakKeyDictionary()
