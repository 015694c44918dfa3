"""The best path and the k best paths through packed batches (Viterbi 1967; k best after
Seshadri and Sundberg 1994, list Viterbi)."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from spacy_bertcrf.layers.packing import Packing
from spacy_bertcrf.layers.scores import Scores
from spacy_bertcrf.layers.step_blocks import MAX_PAIRS, step_blocks

# Numbers of the largest temporary where all steps are followed back at once: 128 MB in float64.
MAX_SOURCES = 2**24


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
    arrivals = emissions.new_empty(min(tags * sizes[0] * tags, max(MAX_PAIRS, tags)))
    torch.add(local[0], start, out=now[0])
    size = 0
    for step in range(1, len(sizes)):
        if sizes[step] != size:
            size = sizes[step]
            blocks = list(step_blocks(size, tags))
        state = before[step - 1]
        for rows, to in blocks:
            best = now[step] if len(blocks) == 1 else now[step][rows, to]
            paths = arrivals[: tags * best.numel()].view(tags, *best.shape)
            torch.add(state[:, rows], moves[:, :, to], out=paths)
            torch.amax(paths, 0, out=best)
        now[step].add_(local[step])

    best, final = (states.index_select(0, packing.last) + end).max(1)
    if emissions.device.type != "cpu":
        return follow_back(states, final, transitions, packing), best
    path = torch.zeros_like(packing.rank).index_copy_(0, packing.last, final)
    _trace_back(path.split(sizes), now, transitions.T.contiguous())
    return path, best


def k_best_paths(scores: Scores, packing: Packing, k: int) -> tuple[Tensor, Tensor]:
    """Returns the tags of the k best paths of each sequence (n_rows, k) and their scores
    (n_running, k), best first; minus infinity where a sequence has fewer than k paths."""
    emissions, start, transitions, end = scores
    sizes = packing.batch_sizes
    tags = emissions.shape[1]
    into = transitions.T.contiguous()
    # A tag has one way to begin: the other k - 1 places of each tag are empty.
    state = emissions.new_full((sizes[0], tags, k), -math.inf)
    state[:, :, 0] = start + emissions[: sizes[0]]
    final = emissions.new_empty(sizes[0], tags, k)
    sources = []
    row = 0
    for step, size in enumerate(sizes):
        if step:
            best, source = _k_best_moves(state[:size], into)
            state = best + emissions[row : row + size].unsqueeze(2)
            sources.append(source)
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


def _k_best_moves(state: Tensor, into: Tensor) -> tuple[Tensor, Tensor]:
    """The k best ways to each tag, (size, tags, k), best first, and where they come from as tag ·
    k + place, int32. Of equal ways the one from the lower tag wins, and the better place.

    state: (size, tags, k) scores of the k best ways to each tag a step before, best first. into:
    as for `_trace_back`.
    """
    size, tags, k = state.shape
    best = torch.empty_like(state)
    source = torch.empty(state.shape, dtype=torch.int32, device=state.device)
    for rows, to in step_blocks(size, tags):
        before, moves = state[rows], into[to]
        # Of each tag the best way that is not taken yet: where the first is taken, the second.
        waiting = before[:, None, :, 0] + moves
        ranks = torch.arange(len(before), device=state.device)[:, None]
        targets = torch.arange(len(moves), device=state.device)
        taken = torch.full((*waiting.shape[:2], k), -1, device=state.device)
        for n in range(k):
            score, tag = waiting.max(2)
            place = (taken[:, :, :n] == tag.unsqueeze(2)).sum(2)
            best[rows, to, n] = score
            source[rows, to, n] = (tag * k + place).to(torch.int32)
            taken[:, :, n] = tag
            following = before[ranks, tag, (place + 1).clamp(max=k - 1)] + moves[targets, tag]
            following = following.masked_fill(place == k - 1, -math.inf)
            waiting.scatter_(2, tag.unsqueeze(2), following.unsqueeze(2))
    return best, source


def follow_back(states: Tensor, final: Tensor, transitions: Tensor, packing: Packing) -> Tensor:
    """The tags of the best paths, (n_rows,), as `best_path` finds them one step after the other,
    but in as many rounds as the number of steps can be halved: for a GPU, where each operation
    costs more than its work.

    states: (n_rows, tags), the score of the best way to each tag, its own emission included.
    final: (n_running,) the last tags.
    """
    n_rows, tags = states.shape
    into = transitions.T.contiguous()
    stays = torch.arange(tags, device=states.device)
    # For each row and each tag of the row after it, the tag that it comes from; at first of the
    # next row, then of the second after it, the fourth and so on. Behind the last row is one more,
    # to which the ends of all sequences lead, and where the tag stays.
    source = stays.repeat(n_rows + 1, 1)
    height = max(1, MAX_SOURCES // tags**2)
    for state, found in zip(states.split(height), source[:-1].split(height), strict=True):
        torch.argmax(state.unsqueeze(1) + into, 2, out=found)
    source.index_copy_(0, packing.last, stays.expand(packing.n_running, -1))
    for ahead in packing.rows_ahead():
        source = source.gather(1, source.index_select(0, ahead))
    ends = final.index_select(0, packing.rank).unsqueeze(1)
    return source[:-1].gather(1, ends).squeeze(1)


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
