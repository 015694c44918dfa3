"""Groups of sequences of similar length, so that little of a batch is padding."""

from collections.abc import Sequence

import numpy as np


def length_groups(
    lengths: Sequence[int] | np.ndarray, max_padded: int, batch_cost: int
) -> list[np.ndarray]:
    """Sort sequences by length and cut them into the batches that cost least altogether.

    A batch costs its positions with padding, and `batch_cost` for being a batch. Exact, by
    dynamic programming over the places to cut.

    lengths: (n,), positive.
    max_padded: the most positions with padding in a batch; a longer sequence has one to itself.
    batch_cost: what starting a batch costs, in positions.

    Returns for each batch the indices of its sequences, the shortest first.
    """
    order = np.argsort(lengths, kind="stable")
    ascending = np.asarray(lengths, dtype=np.int64)[order]
    best = np.zeros(len(order) + 1, dtype=np.int64)
    cut_before = np.zeros(len(order) + 1, dtype=np.int64)
    for end in range(1, len(order) + 1):
        longest = ascending[end - 1]
        first = max(0, min(end - 1, end - max_padded // longest))
        costs = best[first:end] + np.arange(end - first, 0, -1) * longest
        at = int(costs.argmin())
        cut_before[end] = first + at
        best[end] = costs[at] + batch_cost
    groups = []
    end = len(order)
    while end:
        groups.append(order[cut_before[end] : end])
        end = int(cut_before[end])
    return groups[::-1]
