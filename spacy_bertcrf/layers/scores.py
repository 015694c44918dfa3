"""The scores that a scan over a packed batch adds up: checked, in float64, with minus infinity
for all that is ruled out."""

import math
from typing import NamedTuple, NoReturn

import torch
from torch import Tensor

from spacy_bertcrf.layers.packing import Packing


class Scores(NamedTuple):
    """emissions: (n_rows, tags). start, end: (tags,). transitions: (tags, tags), from × to.
    All float64."""

    emissions: Tensor
    start: Tensor
    transitions: Tensor
    end: Tensor


def rows_of(padded: Tensor, packing: Packing) -> Tensor:
    """(n_rows, …): the tokens of a padded tensor whose first two axes are batch and time, where
    that tensor is."""
    cells = packing.at(padded.device).cells
    return padded.reshape(-1, *padded.shape[2:]).index_select(0, cells)


def packed_emissions(emissions: Tensor, packing: Packing) -> tuple[Tensor, Tensor]:
    """(n_rows, tags) float64, and which of them, (n_rows,) bool, hold neither NaN nor infinity;
    minus infinity is legal. Who waits for the device has to look at that, and to call
    `raise_unsound` if it is not so for all."""
    local = rows_of(emissions, packing).double()
    return local, local.amax(1) < math.inf


def raise_unsound(sound: Tensor, packing: Packing) -> NoReturn:
    """The ValueError, with sequence and position, of emissions that are not sound."""
    sequence, position = packing.where(int((~sound).nonzero()[0]))
    raise ValueError(
        f"the emissions of sequence {sequence} hold NaN or infinity at position {position}: "
        "look for what diverged in the model that makes them (a lower learning rate may mend "
        "it)"
    )


def soften(scores: Scores, n_steps: int) -> Scores:
    """Put a penalty in place of each infinite emission, so large that paths are compared by the
    number of these first and by all else after: the limit of ever lower emissions."""
    emissions, start, transitions, end = (
        part.masked_fill(part == -math.inf, 0.0) for part in scores
    )
    largest = emissions.abs().amax() + transitions.abs().amax()
    penalty = 1 + 2 * ((n_steps + 1) * largest + start.abs().amax() + end.abs().amax())
    return scores._replace(
        emissions=torch.where(scores.emissions == -math.inf, -penalty, scores.emissions)
    )
