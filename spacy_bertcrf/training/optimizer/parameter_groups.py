"""Which learning rate and weight decay each parameter has."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import torch

from spacy_bertcrf.models.types import Array
from spacy_bertcrf.training.optimizer.learn_rates import Rate

DEFAULT = "default"
SETTINGS = ("pattern", "learn_rate", "learn_rate_scale", "weight_decay")


class Group(NamedTuple):
    """Parameters with settings of their own.

    rate: None for the optimizer's.
    scale: what the rate is multiplied by.
    """

    name: str
    pattern: str
    rate: Rate | None
    scale: float
    weight_decay: float


def read_groups(blocks: Mapping[str, Mapping[str, Any]], weight_decay: float) -> list[Group]:
    """The groups of a config.

    blocks: by name, each with a "pattern" and any of "learn_rate" (a number or a schedule) or
        "learn_rate_scale", and "weight_decay".
    weight_decay: of groups that have none.

    Raises ValueError for other settings.
    """
    groups = []
    for name, block in blocks.items():
        unknown = [setting for setting in block if setting not in SETTINGS]
        if unknown or "pattern" not in block:
            raise ValueError(
                f"The parameter group '{name}' has the settings {', '.join(block) or 'none'}; it "
                f"needs a pattern and may have {', '.join(SETTINGS[1:])}."
            )
        if name == DEFAULT:
            raise ValueError(
                f"No parameter group can be called '{DEFAULT}', for so is the one that the "
                "optimizer's own settings are for. Choose another name."
            )
        own = block.get("learn_rate")
        if own is not None and block.get("learn_rate_scale") is not None:
            raise ValueError(
                f"The parameter group '{name}' has a learn_rate, which is its own, and a "
                "learn_rate_scale, which is for the optimizer's. Keep one of them."
            )
        scale, decay = block.get("learn_rate_scale"), block.get("weight_decay")
        for setting in (own, scale, decay):
            if isinstance(setting, int | float) and setting < 0:
                raise ValueError(f"A setting of the parameter group '{name}' is negative.")
        groups.append(
            Group(
                name,
                block["pattern"],
                None if own is None else Rate(own),
                1.0 if scale is None else float(scale),
                weight_decay if decay is None else float(decay),
            )
        )
    return groups


def best_match(groups: list[Group], name: str) -> Group | None:
    """The group that a parameter belongs to, by its qualified name: of those whose pattern
    matches, that with the longest, for a config does not keep the order of its blocks."""
    matching = [group for group in groups if fnmatchcase(name, group.pattern)]
    return max(matching, key=lambda group: (len(group.pattern), group.pattern), default=None)


def is_bias_or_norm(name: str, weights: torch.Tensor | Array) -> bool:
    """Whether a parameter is a bias, or belongs to a normalisation, by its qualified name and
    shape: these are vectors, also where they are kept with dimensions of 1."""
    *path, last = name.split(".")
    return (
        sum(size > 1 for size in weights.shape) <= 1
        or last == "b"
        or last.startswith("bias")
        or any("norm" in part.lower() for part in path[-1:])
    )
