"""How often a training is evaluated: model-best is the best of what was evaluated."""

import warnings
from collections.abc import Callable
from weakref import WeakKeyDictionary

from spacy.language import Language
from spacy.util import logger

from spacy_bertcrf.models.current_training import evaluates_last_step
from spacy_bertcrf.models.step_count import steps_of

FEW = 3  # evaluations
ENOUGH = 10


def evaluate_often(evaluations: int = ENOUGH) -> Callable[[Language], None]:
    """A callback for `[initialize.after_init]`: where the training is so short that
    `eval_frequency` would give fewer evaluations than that, it is lowered, so that model-best is
    not chosen from the first step alone. It is never raised. The config that is saved with the
    pipeline keeps what was written.

    evaluations: how many there are at least, as far as there are steps.

    Returns the callback. Raises ValueError if they are fewer than 1; the callback does if
    `eval_frequency` is.
    """
    if evaluations < 1:
        raise ValueError(f"evaluations is {evaluations}; it must be at least 1.")

    def lower_frequency(nlp: Language) -> None:
        training = nlp.config["training"]
        frequency = training["eval_frequency"]
        if frequency < 1:
            raise ValueError(
                f"training.eval_frequency is {frequency}; it must be at least 1: the steps from "
                "one evaluation to the next."
            )
        try:
            n_steps = steps_of(nlp)
        except (OSError, ValueError):
            # In a script, the corpus of the config need not be there.
            return
        if n_steps is None or len(range(0, n_steps, frequency)) >= min(evaluations, n_steps):
            return
        suitable = suitable_frequency(n_steps, evaluations)
        logger.info(
            "eval_frequency is %d instead of %d, for the training has only %d steps",
            suitable,
            frequency,
            n_steps,
        )
        training["eval_frequency"] = suitable
        _WRITTEN[nlp] = frequency

    return lower_frequency


def restore_frequency(nlp: Language) -> None:
    """Put the `eval_frequency` that was written back into the config of a pipeline. The loop that
    trains it has taken the lower one already."""
    if nlp in _WRITTEN:
        nlp.config["training"]["eval_frequency"] = _WRITTEN.pop(nlp)


def suitable_frequency(n_steps: int, evaluations: int = ENOUGH) -> int:
    """The largest `eval_frequency` that gives so many evaluations, as far as there are steps."""
    if evaluations == 1:
        return n_steps
    return max(1, (n_steps - 1) // (evaluations - 1))


def warn_of_few_evaluations(nlp: Language) -> None:
    """Warn if the training that is going on will be evaluated too seldom to choose a model-best."""
    n_steps = steps_of(nlp)
    if n_steps is None:
        return
    frequency = nlp.config["training"]["eval_frequency"]
    evaluated = {*range(0, n_steps, frequency)}
    if evaluates_last_step():
        evaluated.add(n_steps - 1)
    if len(evaluated) >= min(FEW, n_steps):
        return
    after = " and ".join(str(step) for step in sorted(evaluated))
    warnings.warn(
        f"The training has {n_steps:,} steps, counted from 0, and with eval_frequency = "
        f"{frequency} it is evaluated after step {after} alone: no other can become model-best. "
        f"Set training.eval_frequency to {suitable_frequency(n_steps)} or less.",
        stacklevel=2,
    )


_WRITTEN: WeakKeyDictionary[Language, int] = WeakKeyDictionary()
