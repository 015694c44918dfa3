"""A text shaded by what an entity in it rests on."""

from typing import NamedTuple

from spacy_bertcrf.evaluation.explained import Explained

LEAST = 0.05  # of the strongest value, so that a token is shaded


class Shade(NamedTuple):
    """A part of a text.

    share: of the strongest value in it, from -1 (it speaks against) to 1; 0 for no shading.
    value: in nats.
    """

    text: str
    share: float = 0.0
    value: float = 0.0


def shaded(explained: Explained, text: str, start: int, end: int) -> list[Shade]:
    """The part of a text from `start` to `end`, in characters."""
    strongest = max((abs(value) for _, _, value in explained.values), default=0.0)
    parts: list[Shade] = []
    at = start
    for first, last, value in explained.values:
        if abs(value) < LEAST * strongest or first < at or last > end:
            continue
        if first > at:
            parts.append(Shade(text[at:first]))
        parts.append(Shade(text[first:last], value / strongest, value))
        at = last
    if at < end:
        parts.append(Shade(text[at:end]))
    return parts
