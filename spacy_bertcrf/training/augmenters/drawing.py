"""Which documents are changed and where: the settings that all augmenters share."""

import random
from collections.abc import Callable, Iterator

import numpy as np
from spacy.tokens import Doc
from spacy.training import Example

PLACES = ("all", "entities", "outside")
MISSING = 0  # of ENT_IOB


def check_draws(level: float, share: float, copies: int) -> None:
    """Raises ValueError for a probability that is none, or a negative number of copies."""
    for name, value in (("level", level), ("share", share)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} is {value}; it is a share and must be from 0 to 1.")
    if copies < 0:
        raise ValueError(f"copies is {copies}; it must be 0 (change in place) or more.")


def check_place(where: str) -> None:
    """Raises ValueError for a place that is not one of PLACES."""
    if where not in PLACES:
        raise ValueError(f"where is '{where}'; it can be {', '.join(PLACES)}.")


def variants(
    example: Example, change: Callable[[Example], Example | None], level: float, copies: int
) -> Iterator[Example]:
    """The example and its changed copies, or a changed one in its place.

    change: draws a changed example, or None if it leaves all as it is.
    level: how likely each copy is to be drawn.
    copies: how often a copy is drawn; 0 for one that takes the example's place.
    """
    if copies:
        yield example
    for _ in range(copies or 1):
        changed = change(example) if random.random() < level else None
        if changed is not None:
            yield changed
        elif not copies:
            yield example


def tokens_in(doc: Doc, where: str) -> np.ndarray:
    """The tokens that may be changed, (n_tokens,) bool; never spaces.

    where: "entities", "outside" (known to be in none), or "all", those without annotation too.
    """
    chosen: np.ndarray = doc.to_array("IS_SPACE") == 0
    in_entity = doc.to_array("ENT_TYPE") != 0
    if where == "entities":
        chosen &= in_entity
    elif where == "outside":
        chosen &= ~in_entity & (doc.to_array("ENT_IOB") != MISSING)
    return chosen
