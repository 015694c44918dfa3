"""What is wrong with a training's config, and spaCy takes without a word."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from spacy.language import DEFAULT_CONFIG

SECTIONS = ("nlp", "initialize", "training")
LEAST = {
    "eval_frequency": (1, "the steps from one evaluation to the next"),
    "accumulate_gradient": (1, "the parts that a batch is learned in"),
    "patience": (0, "the steps without a better score after which it ends, or 0 for no such end"),
    "max_steps": (0, "the number of the last step, or 0 for no such end"),
    "max_epochs": (-1, "the epochs, or 0 for no such end, or -1 to stream the corpus"),
}


def check_config(config: Mapping[str, Any]) -> None:
    """Check that the settings of [nlp], [initialize] and [training] are ones that spaCy knows, for
    it drops all others, and the numbers in [training] ones that a training can have.

    config: of a pipeline, with all variables replaced.

    Raises ValueError with everything that is wrong, and the nearest name for each that is unknown.
    """
    training = config.get("training", {})
    wrong = [*_unknown_names(config), *_impossible_numbers(training)]
    if wrong:
        raise ValueError(" ".join(wrong))


def _unknown_names(config: Mapping[str, Any]) -> Iterator[str]:
    for section in SECTIONS:
        known = list(DEFAULT_CONFIG[section])
        for name in config.get(section, {}):
            if name in known:
                continue
            near = get_close_matches(name, known, n=1)
            advice = f"Did you mean '{near[0]}'?" if near else f"It can be {', '.join(known)}."
            yield f"[{section}] has no setting '{name}'. {advice}"


def _impossible_numbers(training: Mapping[str, Any]) -> Iterator[str]:
    for name, (least, meaning) in LEAST.items():
        value = training.get(name)
        if isinstance(value, int) and value < least:
            yield f"training.{name} is {value}; it must be at least {least}: {meaning}."
    dropout = training.get("dropout")
    if isinstance(dropout, int | float) and not 0 <= dropout < 1:
        yield f"training.dropout is {dropout}; it must be from 0 to below 1."
