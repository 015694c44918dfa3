"""`spacy-bertcrf.count_steps.v1`: how many steps a training will take."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.util import get_lang_class


def count_steps(
    corpus: Callable,
    batcher: Callable,
    max_epochs: int,
    max_steps: int,
    nlp: dict[str, Any],
) -> Callable[[], int]:
    """The number of steps that `spacy train` takes with these settings, as far as it is not
    stopped by its `patience`.

    It is counted when it is asked for first: the corpus is read and shuffled, and its batches
    are counted, once; random numbers go on afterwards as if nothing had been. Where the number
    of batches depends on their order, other epochs may differ by some.

    corpus: `${corpora.train}`.
    batcher: `${training.batcher}`.
    max_epochs: `${training.max_epochs}`.
    max_steps: `${training.max_steps}`.
    nlp: `${nlp}`, whose language and tokenizer read the corpus.

    Returns a function that gives the number. Raises ValueError if there is neither a last epoch
    nor a last step.
    """
    if max_epochs < 1 and max_steps < 1:
        raise ValueError(
            f"With max_epochs = {max_epochs} and max_steps = {max_steps} it is not known how many "
            "steps the training will take. Set one of them in [training], or give total_steps as "
            "a number."
        )

    @cache
    def count() -> int:
        # spaCy counts steps from 0 and takes that with the number max_steps too.
        limits = [max_steps + 1] if max_steps > 0 else []
        if max_epochs > 0:
            limits.append(max_epochs * _count_batches(corpus, batcher, nlp))
        return min(limits)

    return count


def _count_batches(corpus: Callable, batcher: Callable, nlp: dict[str, Any]) -> int:
    create_vectors = {"create_vectors": nlp["vectors"]} if "vectors" in nlp else {}
    language: Language = get_lang_class(nlp["lang"])(
        create_tokenizer=nlp["tokenizer"], **create_vectors
    )
    with _random_state_kept():
        examples = list(corpus(language))
        random.shuffle(examples)
        n_batches = sum(1 for _ in batcher(examples))
    if not n_batches:
        raise ValueError("The steps of the training cannot be counted: its corpus is empty.")
    return n_batches


@contextmanager
def _random_state_kept() -> Iterator[None]:
    state, numpy_state = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(state)
        np.random.set_state(numpy_state)
