"""Scores of several trainings as means and deviations, as of the folds of a cross-validation."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

import srsly

NOT_SCORES = ("speed", "token_", "_loss")
PER_TYPE = "_per_type"


class ScoreKey(NamedTuple):
    """What was scored: such as ents_f of all labels, or of one.

    name: as spaCy has it; for one label as if it were of all.
    label: None for all.
    """

    name: str
    label: str | None = None


class Spread(NamedTuple):
    """mean, deviation: of the samples; the standard deviation, over n - 1; 0 for one sample.
    n: how many there are."""

    mean: float
    deviation: float
    n: int


def read_scores(path: Path) -> dict[ScoreKey, float]:
    """The scores in a file that `spacy evaluate --output` wrote, or in a pipeline's meta.json.

    Raises ValueError, with the file, if there are none; OSError if it cannot be read.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        content = srsly.read_json(path)
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if isinstance(content, dict):
        content = content.get("performance", content)
    scores = dict(_flat(content)) if isinstance(content, dict) else {}
    if not scores:
        raise ValueError(
            f"{path} has no scores. Give files that `python -m spacy evaluate … --output` wrote, "
            "or the meta.json of trained pipelines."
        )
    return scores


def mean_scores(samples: Sequence[Mapping[ScoreKey, float]]) -> dict[ScoreKey, Spread]:
    """The mean and deviation of each score over the samples that have it, in their order."""
    keys = dict.fromkeys(key for sample in samples for key in sample)
    found = {key: [sample[key] for sample in samples if key in sample] for key in keys}
    return {
        key: Spread(mean(values), stdev(values) if len(values) > 1 else 0.0, len(values))
        for key, values in found.items()
    }


def _flat(scores: Mapping[str, Any]) -> Iterator[tuple[ScoreKey, float]]:
    for name, value in scores.items():
        if name.startswith(NOT_SCORES) or name.endswith(NOT_SCORES):
            continue
        if isinstance(value, int | float):
            yield ScoreKey(name), float(value)
        if not name.endswith(PER_TYPE) or not isinstance(value, dict):
            continue
        stem = name.removesuffix(PER_TYPE).removesuffix("_f")
        for label, of_label in value.items():
            # spaCy's cats_auc_per_type has one number a label.
            parts = of_label if isinstance(of_label, dict) else {"": of_label}
            for part, number in parts.items():
                if isinstance(number, int | float):
                    yield ScoreKey(f"{stem}_{part}".rstrip("_"), label), float(number)
