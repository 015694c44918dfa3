"""What a WordpieceEncoder reads: padded batches, and where in them the tokens are."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from spacy_bertcrf.models.bert.length_groups import length_groups
from spacy_bertcrf.models.bert.windows import Windows
from spacy_bertcrf.models.bert.wordpieces import Wordpieces

POOLINGS = ("first", "mean", "last")


class EncoderInput(NamedTuple):
    """The arguments of `layers.WordpieceEncoder.forward`, as NumPy arrays."""

    input_ids: list[np.ndarray]
    attention_masks: list[np.ndarray | None]
    pieces: np.ndarray
    bags: np.ndarray | None
    n_recomputed: int


def encoder_input(
    wordpieces: Wordpieces,
    windows: Windows,
    *,
    prefix: Sequence[int],
    suffix: Sequence[int],
    pad_id: int,
    pooling: str,
    max_batch_pieces: int,
    batch_cost: int,
    of_texts: bool = False,
    is_train: bool = False,
) -> EncoderInput:
    """Lay windows out in batches of similar length.

    prefix, suffix: the special tokens before and after a window.
    pad_id: what the rows are filled up with.
    pooling: which of its wordpieces a token's vector comes from: "first", "mean" (of all) or
        "last".
    max_batch_pieces, batch_cost: as in `length_groups`, special tokens counted.
    of_texts: instead of a vector for every token, one for every Doc: that of the first special
        token, the mean of those of its windows.
    is_train: whether there will be a backward pass, for which no more than `max_batch_pieces` are
        kept: of the batches beyond, all is computed again.
    """
    lengths = windows.ends - windows.begins
    n_special = len(prefix) + len(suffix)
    input_ids: list[np.ndarray] = []
    masks: list[np.ndarray | None] = []
    positions = np.zeros(len(wordpieces.ids), dtype=np.int64)
    row_starts = np.zeros(len(lengths), dtype=np.int64)
    n_before = 1  # position 0 is no wordpiece's
    for group in length_groups(lengths + n_special, max_batch_pieces, batch_cost):
        widths = lengths[group]
        columns = np.arange(widths[-1] + n_special)
        ids = np.full((len(group), len(columns)), pad_id, dtype=np.int64)
        ids[:, : len(prefix)] = prefix
        is_piece = (columns >= len(prefix)) & (columns < (len(prefix) + widths)[:, None])
        ids[is_piece] = wordpieces.ids[_ranges(windows.begins[group], widths)]
        after = (np.arange(len(group))[:, None], (len(prefix) + widths)[:, None])
        ids[after[0], after[1] + np.arange(len(suffix))] = suffix
        input_ids.append(ids)
        is_padded = widths[0] < widths[-1]
        mask = (columns < (widths + n_special)[:, None]).astype(np.int64) if is_padded else None
        masks.append(mask)
        used = windows.used_ends[group] - windows.used_begins[group]
        row_starts[group] = n_before + np.arange(len(group)) * len(columns)
        # Where wordpiece 0 would be if it were in the row.
        origins = row_starts[group] + len(prefix) - windows.begins[group]
        of_group = _ranges(windows.used_begins[group], used)
        positions[of_group] = of_group + np.repeat(origins, used)
        n_before += ids.size
    if of_texts:
        starts, ends = _windows_of_docs(wordpieces, windows)
        pieces, bags = _pool(starts, ends, row_starts, "mean")
    else:
        pieces, bags = _pool(wordpieces.starts, wordpieces.ends, positions, pooling)
    n_recomputed = _n_beyond(input_ids, max_batch_pieces) if is_train else 0
    return EncoderInput(input_ids, masks, pieces, bags, n_recomputed)


def _n_beyond(batches: Sequence[np.ndarray], max_pieces: int) -> int:
    """How many batches, the first ones, are beyond `max_pieces` together with those after them.

    The last is never: while it is computed it takes its memory anyway.
    """
    sizes = [ids.size for ids in batches]
    are_within = np.cumsum(sizes[::-1]) <= max_pieces
    return max(0, len(sizes) - max(1, int(are_within.sum())))


def _windows_of_docs(wordpieces: Wordpieces, windows: Windows) -> tuple[np.ndarray, np.ndarray]:
    """The range of windows of each Doc, end exclusive."""
    doc_ends = np.cumsum(wordpieces.doc_lengths)
    of_windows = np.searchsorted(doc_ends, windows.begins, side="right")
    counts = np.bincount(of_windows, minlength=len(doc_ends))
    ends = np.cumsum(counts)
    return ends - counts, ends


def _pool(
    starts: np.ndarray, ends: np.ndarray, positions: np.ndarray, pooling: str
) -> tuple[np.ndarray, np.ndarray | None]:
    """starts, ends: for each vector that is asked for, the range in `positions` of what it is
    pooled from; empty for the learned one."""
    counts = ends - starts
    is_pieceless = counts == 0
    if pooling == "mean" and counts.max(initial=0) > 1:
        sizes = np.maximum(counts, 1)
        bags = np.cumsum(sizes) - sizes
        pieces = np.zeros(sizes.sum(), dtype=np.int64)
        pieces[_ranges(bags, counts)] = positions[_ranges(starts, counts)]
        return pieces, bags
    chosen = ends - 1 if pooling == "last" else starts
    pieces = np.zeros(len(starts), dtype=np.int64)
    pieces[~is_pieceless] = positions[chosen[~is_pieceless]]
    return pieces, None


def _ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """All the numbers of some ranges, one range after the other."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    shifts: np.ndarray = np.repeat(starts - (ends - lengths), lengths)
    return shifts + np.arange(total)
