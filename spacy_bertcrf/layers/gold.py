"""The scores of given tag sequences."""

import torch
from torch import Tensor

from spacy_bertcrf.layers.packing import Packing


def gold_scores(
    emissions: Tensor,
    start: Tensor,
    transitions: Tensor,
    end: Tensor,
    gold: Tensor,
    packing: Packing,
) -> Tensor:
    """Score of the gold path of each sequence (batch,), float64, with gradient; 0 for an empty
    sequence.

    emissions: padded. gold: (n_rows,) the tags, all of which exist.
    """
    tags = end.shape[0]
    before, after = gold.index_select(0, packing.previous), gold[packing.n_running :]
    local = emissions.reshape(-1).index_select(0, packing.cells * tags + gold).double()
    moves = transitions.reshape(-1).index_select(0, before * tags + after).double()
    edges = (
        start.index_select(0, gold[: packing.n_running]).double()
        + end.index_select(0, gold.index_select(0, packing.last)).double()
    )
    scores = edges.index_add(0, packing.rank, local)
    scores = scores.index_add(0, packing.rank[packing.n_running :], moves)
    return scores.new_zeros(packing.batch).index_copy(0, packing.order, scores)


def check_gold(
    gold: Tensor, start: Tensor, transitions: Tensor, end: Tensor, packing: Packing
) -> None:
    """start, transitions, end: bool, what is legal. Raises ValueError, with sequence and
    position, if a tag does not exist or is not legal where it stands."""
    tags = end.shape[0]
    exists = (gold >= 0) & (gold < tags)
    inside = gold.clamp(0, tags - 1)
    before = inside.index_select(0, packing.previous)
    legal = torch.cat(
        [
            start.index_select(0, inside[: packing.n_running]),
            transitions.reshape(-1).index_select(0, before * tags + inside[packing.n_running :]),
        ]
    )
    ends = end.index_select(0, inside.index_select(0, packing.last))
    sound = exists & legal
    if bool(sound.all() & ends.all()):
        return
    faulty = torch.cat([(~sound).nonzero().squeeze(1), packing.last[~ends]])
    row = int(faulty[0])
    sequence, position = packing.where(row)
    tag = int(gold[row])
    place = f"tag {tag} of sequence {sequence} at position {position}"
    if not bool(exists[row]):
        raise ValueError(f"{place} does not exist: tags go from 0 to {tags - 1}")
    if position == 0 and not bool(start[tag]):
        raise ValueError(f"{place} is illegal: no sequence may start with it")
    if position and not bool(sound[row]):
        earlier = int(before[row - packing.n_running])
        raise ValueError(f"{place} is illegal: it may not follow tag {earlier}")
    raise ValueError(f"{place} is illegal: no sequence may end with it")
