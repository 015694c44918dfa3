"""The best path and the k best paths through packed batches (Viterbi 1967; k best after
Seshadri and Sundberg 1994, list Viterbi)."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from spacy_bertcrf.layers.packing import Packing
from spacy_bertcrf.layers.scores import Scores


def best_path(scores: Scores, packing: Packing) -> tuple[Tensor, Tensor]:
    """Returns the tags of the best path of each sequence (n_rows,) and its score (n_running,),
    which is minus infinity where no path has a finite one. Of equal paths the one wins whose
    tag ids are lower, compared from the end."""
    emissions, start, transitions, end = scores
    sizes, tags = packing.batch_sizes, emissions.shape[1]
    states = torch.empty_like(emissions)
    # The same numbers seen twice: as what a step writes, and as what the next one reads, with
    # the tag that a path comes from in front, for that axis is the fastest to reduce.
    now = states.split(sizes)
    before = states.T.unsqueeze(2).split(sizes, 1)
    local = emissions.split(sizes)
    moves = transitions.unsqueeze(1)
    arrivals = emissions.new_empty(tags * sizes[0] * tags)
    torch.add(local[0], start, out=now[0])
    size = 0
    for step in range(1, len(sizes)):
        if sizes[step] != size:
            size = sizes[step]
            paths = arrivals[: tags * size * tags].view(tags, size, tags)
        state = before[step - 1]
        if sizes[step - 1] != size:
            state = state[:, :size]
        torch.add(state, moves, out=paths)
        torch.amax(paths, 0, out=now[step])
        now[step].add_(local[step])

    best, final = (states.index_select(0, packing.last) + end).max(1)
    path = torch.zeros_like(packing.rank).index_copy_(0, packing.last, final)
    _trace_back(path.split(sizes), now, transitions.T.contiguous())
    return path, best


def k_best_paths(scores: Scores, packing: Packing, k: int) -> tuple[Tensor, Tensor]:
    """Returns the tags of the k best paths of each sequence (n_rows, k) and their scores
    (n_running, k), best first; minus infinity where a sequence has fewer than k paths."""
    emissions, start, transitions, end = scores
    sizes = packing.batch_sizes
    tags = emissions.shape[1]
    into = transitions.T.unsqueeze(2)
    # A tag has one way to begin: the other k - 1 places of each tag are empty.
    state = emissions.new_full((sizes[0], tags, k), -math.inf)
    state[:, :, 0] = start + emissions[: sizes[0]]
    final = emissions.new_empty(sizes[0], tags, k)
    sources = []
    row = 0
    for step, size in enumerate(sizes):
        if step:
            arrivals = (state[:size].unsqueeze(1) + into).flatten(2)
            best, source = arrivals.sort(dim=2, descending=True, stable=True)
            state = best[:, :, :k] + emissions[row : row + size].unsqueeze(2)
            sources.append(source[:, :, :k].to(torch.int32))
        final[:size] = state
        row += size

    ends, place = (final + end.unsqueeze(1)).flatten(1).sort(dim=1, descending=True, stable=True)
    ends, place = ends[:, :k], place[:, :k]
    paths = place.new_empty(row, k)
    for step in range(len(sizes) - 1, -1, -1):
        size = sizes[step]
        row -= size
        paths[row : row + size] = place[:size] // k
        if step:
            came_from = sources[step - 1].flatten(1).gather(1, place[:size]).long()
            place = torch.cat([came_from, place[size:]])
    return paths, ends


def _trace_back(path: Sequence[Tensor], states: Sequence[Tensor], into: Tensor) -> None:
    """Fill in the tags before the final ones, in place. Where a tag came from is found again
    from the same sums, for the best path alone: cheaper than keeping it for every tag.

    path, states: (size of the step,) and (size of the step, tags) for each step. into:
    transitions (tags, tags), to × from.
    """
    sizes = [len(tags) for tags in path]
    size = 0
    for step in range(len(path) - 1, 0, -1):
        came_from, state = path[step - 1], states[step - 1]
        if sizes[step] != size:
            size = sizes[step]
            arrivals = torch.empty_like(states[step])
        if sizes[step - 1] != size:
            came_from, state = came_from[:size], state[:size]
        torch.index_select(into, 0, path[step], out=arrivals)
        arrivals.add_(state)
        torch.argmax(arrivals, 1, out=came_from)
