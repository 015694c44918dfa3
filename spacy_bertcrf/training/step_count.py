"""`spacy-bertcrf.count_steps.v1`: how many steps a training will take."""

import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.training import Corpus
from spacy.util import get_lang_class


def count_steps(
    path: str | None,
    batcher: Callable,
    max_epochs: int,
    max_steps: int,
    nlp: dict[str, Any],
    limit: int = 0,
    max_length: int = 0,
    gold_preproc: bool = False,
    augmenter: Callable | None = None,
) -> Callable[[], int | None]:
    """The number of steps that `spacy train` takes with these settings, as far as it is not
    stopped by its `patience`.

    It is counted when it is asked for first: the corpus is read and shuffled, and its batches
    are counted, once; random numbers go on afterwards as if nothing had been. Where the number
    of batches depends on their order, other epochs may differ by some.

    path, limit, max_length, gold_preproc, augmenter: those of the corpus, a `spacy.Corpus.v1`:
        `${corpora.train.path}` and so on.
    batcher: `${training.batcher}`.
    max_epochs: `${training.max_epochs}`.
    max_steps: `${training.max_steps}`.
    nlp: `${nlp}`, whose language and tokenizer read the corpus.

    Returns a function that gives the number, or None, with a warning, where there is no corpus:
    for a trained pipeline is trained on from Python elsewhere, too. Raises ValueError if there is
    neither a last epoch nor a last step.
    """
    if max_epochs < 1 and max_steps < 1:
        raise ValueError(
            f"With max_epochs = {max_epochs} and max_steps = {max_steps} it is not known how many "
            "steps the training will take. Set one of them in [training], or give total_steps as "
            "a number."
        )

    @cache
    def count() -> int | None:
        # spaCy counts steps from 0 and takes that with the number max_steps too.
        limits = [max_steps + 1] if max_steps > 0 else []
        if max_epochs > 0:
            if path is None or not Path(path).exists():
                warnings.warn(
                    f"The steps of the training cannot be counted, for the corpus '{path}' of its "
                    "config is not there: the learning rate stays the same. Give total_steps as a "
                    "number to have it fall.",
                    stacklevel=2,
                )
                return None
            corpus = Corpus(
                path,
                limit=limit,
                max_length=max_length,
                gold_preproc=gold_preproc,
                augmenter=augmenter,
            )
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
