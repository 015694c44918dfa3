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

    emissions: padded. gold: (n_rows,) the tags, all of which exist; they may lie on the CPU.
    """
    tags, n_running = end.shape[0], packing.n_running
    where = packing.at(gold.device)
    moves = gold.index_select(0, where.previous) * tags + gold[n_running:]
    first, last = gold[:n_running], gold.index_select(0, where.last)
    # One transfer for all that is looked up.
    parts = [where.cells * tags + gold, first, last + tags, moves + 2 * tags]
    indices = torch.cat(parts).to(emissions.device, non_blocking=True)
    cells, edges_and_moves = indices.tensor_split([len(gold)])
    local = emissions.reshape(-1).index_select(0, cells).double()
    parameters = torch.cat([start, end, transitions.reshape(-1)])
    weights = parameters.index_select(0, edges_and_moves).double()
    owners = torch.cat([packing.rank[:n_running], packing.rank])
    scores = weights.new_zeros(n_running).index_add(0, packing.rank, local)
    scores = scores.index_add(0, owners, weights)
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
