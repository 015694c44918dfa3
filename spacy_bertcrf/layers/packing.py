"""Time-major packing of ragged batches: where each token of a batch lies in a scan over time.

A scan over time goes through the batch step by step. Sequences are sorted by length, longest
first, so that those still running at a step are always the first ones; the rows of all steps
lie one after another, without any padding between them.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Packing(NamedTuple):
    """Rows are the tokens of the batch in the order of the scan; n_rows of them.

    batch: number of sequences, empty ones included.
    lengths: (batch,) their lengths, on the CPU, in the batch's own order.
    order: (n_running,) the sequences that are not empty, longest first.
    batch_sizes: for each step the number of sequences that reach it.
    cells: (n_rows,) where each row lies in the flattened emissions.
    rank: (n_rows,) the place in `order` of the row's sequence.
    previous: (n_rows - n_running,) for each row after the first step the row before it.
    forth, back: (n_rows,) where a scan that reads every sequence from both ends at once has
        each row: the lanes of its steps are those of the rows read forwards, then those of as
        many rows read backwards.
    lanes: (2 * n_rows,) the row in each of these lanes.
    last: (n_running,) the row of the last token of each sequence of `order`.
    host: the same on the CPU, where this is on another device.
    """

    batch: int
    lengths: np.ndarray
    order: Tensor
    batch_sizes: list[int]
    cells: Tensor
    rank: Tensor
    previous: Tensor
    last: Tensor
    forth: Tensor
    back: Tensor
    lanes: Tensor
    host: "Packing | None" = None

    @property
    def on_cpu(self) -> "Packing":
        """The same on the CPU, where reading it keeps nobody waiting."""
        return self if self.host is None else self.host

    def at(self, device: torch.device) -> "Packing":
        """The same where a tensor lies that comes with a batch: on the batch's device, or on the
        CPU."""
        return self.on_cpu if device.type == "cpu" else self

    @property
    def n_running(self) -> int:
        return self.order.shape[0]

    def where(self, row: int) -> tuple[int, int]:
        """The (sequence, position) of a row, for messages."""
        position = int((self._first_rows() <= row).sum()) - 1
        return int(self.on_cpu.order[self.on_cpu.rank[row]]), position

    def rows(self, sequences: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """The rows of tokens that exist."""
        ranks = np.empty(self.batch, dtype=np.int64)
        ranks[self.on_cpu.order.numpy()] = np.arange(self.n_running)
        return self._first_rows()[positions] + ranks[sequences]

    def following(self) -> Tensor:
        """(n_rows,) the row after each row in its sequence, -1 after the last token."""
        later = torch.arange(self.n_running, self.cells.shape[0], device=self.cells.device)
        return torch.full_like(self.cells, -1).index_copy_(0, self.previous, later)

    def rows_ahead(self) -> list[Tensor]:
        """(n_rows + 1,) for 1, 2, 4, … tokens, up to the longest sequence, the rows that lie so
        many tokens behind each row; n_rows for those behind the last token, and for itself."""
        n_rows = len(self.on_cpu.cells)
        ahead = np.full(n_rows + 1, n_rows, dtype=np.int64)
        ahead[self.on_cpu.previous.numpy()] = np.arange(self.n_running, n_rows)
        found: list[np.ndarray] = []
        while 2 ** len(found) < len(self.batch_sizes):
            found.append(ahead)
            ahead = ahead[ahead]
        if not found:
            return []
        moved = torch.from_numpy(np.stack(found)).to(self.cells.device, non_blocking=True)
        return list(moved.unbind())

    def steps(self, lanes: Tensor, ways: int) -> list[Tensor]:
        """One view (ways, size of the step, width) a step. lanes: (ways * n_rows, width)."""
        parts = lanes.split([ways * size for size in self.batch_sizes])
        return [part.view(ways, -1, lanes.shape[1]) for part in parts]

    def scatter(self, rows: Tensor, padded: Tensor) -> Tensor:
        """Write (n_rows, …) to its cells in the flattened first two axes of `padded`."""
        flat = padded.view(-1, *padded.shape[2:])
        return flat.index_copy_(0, self.cells, rows).view_as(padded)

    def unpack(self, rows: np.ndarray) -> list[np.ndarray]:
        """The rows (n_rows, …) as one array a sequence, in the order of the batch."""
        by_sequence = rows[self._in_reading_order()]
        ends = np.cumsum(self.lengths).tolist()
        return [
            by_sequence[end - length : end]
            for end, length in zip(ends, self.lengths.tolist(), strict=True)
        ]

    def _in_reading_order(self) -> np.ndarray:
        """The rows, sequence after sequence."""
        sequences = np.repeat(np.arange(self.batch), self.lengths)
        starts = np.cumsum(self.lengths) - self.lengths
        return self.rows(sequences, np.arange(len(sequences)) - starts[sequences])

    def _first_rows(self) -> np.ndarray:
        return np.cumsum(self.batch_sizes) - self.batch_sizes


def lengths_of(mask: Tensor, axis: int) -> np.ndarray:
    """The lengths (batch,) that a mask tells. axis: its time axis. Raises ValueError if tokens
    stand after padding."""
    counts = mask.sum(axis)
    positions = torch.arange(mask.shape[axis], device=mask.device).unsqueeze(1 - axis)
    gapless = (mask == (positions < counts.unsqueeze(axis))).all()
    *lengths, sound = torch.cat([counts, gapless.view(1)]).tolist()
    if not sound:
        raise ValueError(
            "a mask must be true for the tokens of each sequence and false only behind them: "
            "move the padding to the end"
        )
    return np.array(lengths, dtype=np.int64)


class TimeMajor(NamedTuple):
    """The tokens of a batch in the order of the scan, as NumPy arrays.

    order: (n_running,) as in `Packing`. batch_sizes: (n_steps,).
    rank, sequence, position: (n_rows,) of each row the place of its sequence in `order`, the
        sequence, and the place in it.
    first_rows: (n_steps,) where each step begins.
    tokens: (n_rows,) where each row's token is if the sequences come one after the other.
    """

    order: np.ndarray
    batch_sizes: np.ndarray
    rank: np.ndarray
    sequence: np.ndarray
    position: np.ndarray
    first_rows: np.ndarray
    tokens: np.ndarray


def time_major(lengths: np.ndarray) -> TimeMajor:
    """lengths: (batch,) int64."""
    order = np.argsort(-lengths, kind="stable")[: np.count_nonzero(lengths)]
    sorted_lengths = lengths[order]
    n_steps = int(sorted_lengths[0]) if len(order) else 0
    steps = np.arange(n_steps)
    batch_sizes = np.searchsorted(-sorted_lengths, -steps, side="left")
    first_rows = np.cumsum(batch_sizes) - batch_sizes
    position = np.repeat(steps, batch_sizes)
    rank = np.arange(len(position)) - first_rows[position]
    sequence = order[rank]
    tokens = (np.cumsum(lengths) - lengths)[sequence] + position
    return TimeMajor(order, batch_sizes, rank, sequence, position, first_rows, tokens)


def pack(lengths: np.ndarray, longest: int, batch_first: bool, device: torch.device) -> Packing:
    """lengths: (batch,) int64. longest: size of the padded time axis. batch_first: how the
    padded tensors lie, (batch, longest, …) or (longest, batch, …)."""
    batch = len(lengths)
    order, batch_sizes, rank, sequence, position, first_rows, _ = time_major(lengths)
    cells = sequence * longest + position if batch_first else position * batch + sequence
    step_of_last = lengths[order] - 1
    # Read backwards, a token comes as many steps after the start as it stands before the end.
    mirrored = step_of_last[rank] - position
    forth = 2 * first_rows[position] + rank
    back = 2 * first_rows[mirrored] + batch_sizes[mirrored] + rank
    lanes = np.empty(2 * len(rank), dtype=np.int64)
    lanes[forth] = lanes[back] = np.arange(len(rank))
    parts = {
        "order": order,
        "cells": cells,
        "rank": rank,
        "previous": (first_rows[position - 1] + rank)[len(order) :],
        "last": first_rows[step_of_last] + np.arange(len(order)),
        "forth": forth,
        "back": back,
        "lanes": lanes,
    }
    whole = torch.from_numpy(np.concatenate(list(parts.values())))

    def packing(tensor: Tensor, host: Packing | None) -> Packing:
        pieces = tensor.split([len(part) for part in parts.values()])
        named = dict(zip(parts, pieces, strict=True))
        return Packing(batch, lengths, batch_sizes=batch_sizes.tolist(), host=host, **named)

    on_cpu = packing(whole, None)
    if device.type == "cpu":
        return on_cpu
    # One transfer for all of them.
    return packing(whole.to(device, non_blocking=True), on_cpu)
