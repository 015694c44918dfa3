"""The windows in which an encoder with a limited context reads long texts."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from spacy.tokens import Doc

from spacy_bertcrf.models.bert.wordpieces import Wordpieces, WordpieceTokenizer


class Windows(NamedTuple):
    """Ranges of wordpieces, ends exclusive; four int64 arrays (n_windows,).

    begins, ends: what the encoder reads at once.
    used_begins, used_ends: the wordpieces whose vectors are taken from this window. These
        ranges of all windows together hold every wordpiece once, in order.
    """

    begins: np.ndarray
    ends: np.ndarray
    used_begins: np.ndarray
    used_ends: np.ndarray


def read_in_windows(
    tokenizer: WordpieceTokenizer, docs: Sequence[Doc], window: int, overlap: int
) -> tuple[Wordpieces, Windows]:
    """The wordpieces of some Docs, and the windows in which an encoder reads them.

    window: the most wordpieces of one, special tokens counted.
    overlap: wordpieces that neighbouring windows share, at most half of one.
    """
    capacity = window - len(tokenizer.prefix) - len(tokenizer.suffix)
    wordpieces = tokenizer(docs)
    windows = plan_windows(
        wordpieces.doc_lengths,
        wordpieces.starts,
        wordpieces.ends,
        capacity,
        min(overlap, capacity // 2),
    )
    return wordpieces, windows


def plan_windows(
    doc_lengths: np.ndarray, starts: np.ndarray, ends: np.ndarray, capacity: int, overlap: int
) -> Windows:
    """Windows of at most `capacity` wordpieces; a Doc that is no longer has just one.

    Windows of longer Docs overlap by about `overlap` wordpieces, and every wordpiece is taken
    from the window where it has more context. They begin and end between tokens; only a token
    of more wordpieces than `capacity` is cut.

    doc_lengths: (n_docs,), wordpieces of each Doc.
    starts, ends: (n_tokens,), the range of wordpieces of each token.

    Raises ValueError if windows hold no wordpiece.
    """
    if capacity < 1:
        raise ValueError(
            f"A window has room for {capacity} wordpieces beside the special tokens; make the "
            "limit of the encoder's or the tokenizer's config greater."
        )
    bounds = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(doc_lengths)])
    if (doc_lengths <= capacity).all():
        has_pieces = doc_lengths > 0
        begins, ends = bounds[:-1][has_pieces], bounds[1:][has_pieces]
        return Windows(begins, ends, begins, ends)
    is_break = _breaks(starts, ends, int(bounds[-1]))
    rows: list[tuple[int, int, int, int]] = []
    for begin, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        if end > begin:
            rows += _plan_doc(begin, end, is_break, capacity, overlap)
    return Windows(*np.asarray(rows, dtype=np.int64).T)


def _breaks(starts: np.ndarray, ends: np.ndarray, n_pieces: int) -> np.ndarray:
    """(n_pieces + 1,) bool, whether no token has wordpieces on both sides of a place."""
    n_around = np.zeros(n_pieces + 2, dtype=np.int64)
    several = ends - starts > 1
    np.add.at(n_around, starts[several] + 1, 1)
    np.add.at(n_around, ends[several], -1)
    is_break: np.ndarray = np.cumsum(n_around)[:-1] == 0
    return is_break


def _plan_doc(
    doc_begin: int, doc_end: int, is_break: np.ndarray, capacity: int, overlap: int
) -> list[tuple[int, int, int, int]]:
    breaks = doc_begin + np.flatnonzero(is_break[doc_begin : doc_end + 1])
    windows: list[tuple[int, int]] = []
    begin = doc_begin
    while True:
        end = _last(breaks, begin + 1, begin + capacity) or min(begin + capacity, doc_end)
        windows.append((begin, end))
        if end == doc_end:
            break
        following = int(breaks[np.searchsorted(breaks, end, side="right")])
        # The next window overlaps this one, but has to hold what follows it.
        earliest = max(end - overlap, following - capacity)
        begin = end if earliest > end else _first(breaks, earliest, end) or earliest
    # Neighbours meet in the middle of what they share.
    meetings = [
        _nearest(breaks, begin, end, (begin + end) // 2)
        for (_, end), (begin, _) in pairwise(windows)
    ]
    used = zip([doc_begin, *meetings], [*meetings, doc_end], strict=True)
    return [window + of_window for window, of_window in zip(windows, used, strict=True)]


def _first(breaks: np.ndarray, low: int, high: int) -> int | None:
    """The first break from `low` to `high`, both included."""
    at = int(np.searchsorted(breaks, low))
    return int(breaks[at]) if at < len(breaks) and breaks[at] <= high else None


def _last(breaks: np.ndarray, low: int, high: int) -> int | None:
    at = int(np.searchsorted(breaks, high, side="right")) - 1
    return int(breaks[at]) if at >= 0 and breaks[at] >= low else None


def _nearest(breaks: np.ndarray, low: int, high: int, place: int) -> int:
    candidates = [
        found
        for found in (_last(breaks, low, place), _first(breaks, place, high))
        if found is not None
    ]
    return min(candidates, key=lambda found: abs(found - place), default=low)
