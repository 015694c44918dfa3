"""Exact posterior probabilities of tags on consecutive tokens."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from spacy_bertcrf.layers.forward_backward import ForwardBackward
from spacy_bertcrf.layers.packing import Packing
from spacy_bertcrf.layers.scores import Scores


class Stretch(NamedTuple):
    """Tags on consecutive tokens of one sequence: `tags[i]` on token `start + i`."""

    sequence: int
    start: int
    tags: Sequence[int]


class Placed(NamedTuple):
    """Stretches laid out for a packed batch, one entry a token, stretch after stretch.

    rows, tags, owners: (n_tokens,) the row of each token, its tag and its stretch.
    firsts, lasts: (n_stretches,) the entries of the first and the last token of each stretch.
    """

    rows: Tensor
    tags: Tensor
    owners: Tensor
    firsts: Tensor
    lasts: Tensor


def place(
    stretches: Sequence[Stretch | tuple[int, int, Sequence[int]]],
    packing: Packing,
    num_tags: int,
) -> Placed:
    """Raises ValueError if a stretch is empty, does not lie in its sequence, or has a tag that
    does not exist."""
    for index, (sequence, start, tags) in enumerate(stretches):
        name = f"stretch {index} (sequence {sequence}, start {start}, {len(tags)} tags)"
        if not 0 <= sequence < packing.batch:
            raise ValueError(f"{name}: the batch has {packing.batch} sequences")
        length = packing.lengths[sequence]
        if not len(tags) or start < 0 or start + len(tags) > length:
            raise ValueError(f"{name}: it must lie in its sequence, which has {length} tokens")
        if not all(0 <= tag < num_tags for tag in tags):
            raise ValueError(f"{name}: its tags must be from 0 to {num_tags - 1}, got {tags}")
    sizes = np.array([len(tags) for _, _, tags in stretches])
    ends = np.cumsum(sizes)
    owners = np.repeat(np.arange(len(sizes)), sizes)
    sequences = np.array([sequence for sequence, _, _ in stretches])
    starts = np.array([start for _, start, _ in stretches])
    positions = starts[owners] + np.arange(len(owners)) - (ends - sizes)[owners]
    rows = packing.rows(sequences[owners], positions)
    flat = np.concatenate([np.asarray(tags) for _, _, tags in stretches])
    parts = [rows, flat, owners, ends - sizes, ends - 1]
    moved = torch.from_numpy(np.concatenate(parts).astype(np.int64)).to(packing.cells.device)
    return Placed(*moved.split([len(part) for part in parts]))


def log_probabilities(
    placed: Placed,
    closings: Any,
    scores: Scores,
    result: ForwardBackward,
    packing: Packing,
) -> Tensor:
    """(n_stretches,) log of the probability that each stretch occurs, followed by a tag of its
    closing (bool (n_stretches, tags); None: by any) or by the end of its sequence.

    By the chain rule: the posterior of the first tag, then each tag given the one before it
    and all emissions, which is proportional to exp(transition) times the weight of all that
    follows. Nothing large is ever subtracted from something large.
    """
    rows, tags, owners, firsts, lasts = placed
    log = result.posteriors()[rows[firsts], tags[firsts]].log()
    inner = torch.ones_like(rows).index_fill_(0, firsts, 0).nonzero().squeeze(1)
    steps = following(scores, result, tags[inner - 1], rows[inner])
    chain = steps.gather(1, tags[inner].unsqueeze(1)).squeeze(1)
    log = log.index_add(0, owners[inner], chain)
    if closings is None:
        return log
    if not isinstance(closings, Tensor):
        closings = torch.from_numpy(np.array(closings, dtype=bool))
    closings = closings.to(log.device).bool()
    expected = (len(firsts), scores.end.shape[0])
    if closings.shape != expected:
        raise ValueError(
            f"closings must have the shape {expected}, one row a stretch and one column a tag, "
            f"got {tuple(closings.shape)}"
        )
    after = packing.following().index_select(0, rows[lasts])
    open_ended = (after >= 0).nonzero().squeeze(1)
    steps = following(scores, result, tags[lasts[open_ended]], after[open_ended])
    closed = steps.masked_fill(~closings[open_ended], -math.inf).logsumexp(1)
    return log.index_add(0, open_ended, closed)


def following(scores: Scores, result: ForwardBackward, before: Tensor, rows: Tensor) -> Tensor:
    """(n, tags) log probability of each tag at `rows`, (n,), given the tag before it, (n,)."""
    weights = scores.transitions.index_select(0, before) + result.log_backward(rows)
    # Nothing follows a tag that cannot occur, and the probability of that tag is 0 already.
    return weights.log_softmax(1).nan_to_num(nan=0.0, neginf=-math.inf)
