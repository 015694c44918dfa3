"""Windows: every wordpiece once, whole tokens, and as much context as there is."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_bertcrf.models.bert.windows import plan_windows

capacities = st.integers(1, 24)
token_docs = st.lists(st.lists(st.integers(0, 7), max_size=40), max_size=4)
giant_docs = st.lists(st.lists(st.sampled_from([0, 1, 1, 2, 5, 30, 77]), max_size=15), max_size=4)


def token_ranges(docs: list[list[int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """doc_lengths, starts and ends of tokens of so many wordpieces."""
    counts = np.array([count for doc in docs for count in doc], dtype=np.int64)
    ends = np.cumsum(counts)
    return np.array([sum(doc) for doc in docs], dtype=np.int64), ends - counts, ends


def plan(docs: list[list[int]], capacity: int, overlap: int) -> list[tuple[int, int, int, int]]:
    windows = plan_windows(*token_ranges(docs), capacity, min(overlap, capacity // 2))
    assert all(array.dtype == np.int64 for array in windows)
    return list(zip(*(array.tolist() for array in windows), strict=True))


def doc_bounds(docs: list[list[int]]) -> list[tuple[int, int]]:
    ends = np.cumsum([0, *map(sum, docs)]).tolist()
    return list(pairwise(ends))


@given(token_docs | giant_docs, capacities, st.integers(0, 12))
def test_every_wordpiece_is_used_once_and_in_order(docs, capacity, overlap):
    """Else a token would have no vector, or that of another."""
    used = [range(begin, end) for _, _, begin, end in plan(docs, capacity, overlap)]
    assert [piece for pieces in used for piece in pieces] == list(range(sum(map(sum, docs))))


@pytest.mark.slow
@given(token_docs | giant_docs, capacities, st.integers(0, 12))
def test_windows_fit_the_encoder_and_hold_what_is_used_of_them(docs, capacity, overlap):
    """Else the encoder would fail on positions that it does not have."""
    bounds = doc_bounds(docs)
    for begin, end, used_begin, used_end in plan(docs, capacity, overlap):
        assert 0 < end - begin <= capacity
        assert begin <= used_begin <= used_end <= end
        assert any(doc_begin <= begin and end <= doc_end for doc_begin, doc_end in bounds)


@pytest.mark.slow
@given(token_docs | giant_docs, capacities, st.integers(0, 12))
def test_only_a_token_that_no_window_holds_is_cut(docs, capacity, overlap):
    """Else half a word would be read as a word, or a token pooled from two readings."""
    windows = plan(docs, capacity, overlap)
    edges = {edge for window in windows for edge in window}
    _, starts, ends = token_ranges(docs)
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        if end - start <= capacity:
            assert not edges & set(range(start + 1, end))


@pytest.mark.slow
@given(token_docs, capacities, st.integers(0, 12))
def test_a_doc_that_fits_has_one_window(docs, capacity, overlap):
    """Else short texts would be read twice, and without their context."""
    windows = plan(docs, capacity, overlap)
    for begin, end in doc_bounds(docs):
        if begin < end <= begin + capacity:
            assert [w for w in windows if begin <= w[0] < end] == [(begin, end, begin, end)]


@pytest.mark.slow
@given(st.lists(st.integers(0, 150), max_size=3), st.integers(2, 24), st.integers(0, 12))
def test_every_wordpiece_is_read_where_it_has_most_context(lengths, capacity, overlap):
    """Else entities near a window's edge would be tagged worse than the others."""
    docs = [[1] * length for length in lengths]
    overlap = min(overlap, capacity // 2)
    windows = plan(docs, capacity, overlap)
    for doc_begin, doc_end in doc_bounds(docs):
        own = [window for window in windows if doc_begin <= window[0] < doc_end]
        for begin, end, used_begin, used_end in own:
            for piece in range(used_begin, used_end):
                context = _context(piece, begin, end, doc_begin, doc_end)
                assert context >= overlap // 2
                others = [_context(piece, b, e, doc_begin, doc_end) for b, e, _, _ in own]
                assert context >= max(others) - 1


@given(
    st.integers(2, 24), st.integers(0, 12), st.lists(st.integers(1, 6), min_size=1, max_size=150)
)
def test_neighbours_share_what_was_asked_for_up_to_a_token(capacity, overlap, counts):
    """Else the context would be lost that the config promises."""
    overlap = min(overlap, capacity // 2)
    longest = max(counts)
    windows = plan([counts], capacity, overlap)
    for (_, end, _, _), (begin, _, _, _) in pairwise(windows):
        assert end - begin <= overlap + (longest if longest > capacity else 0)
        if longest <= capacity - overlap:
            assert end - begin > overlap - longest


@pytest.mark.parametrize("overlap", [0, 1, 2])
@pytest.mark.parametrize(
    "counts", [[50], [1, 50], [50, 1], [3, 50, 2], [5, 5, 50, 50, 5], [0, 50, 0]]
)
def test_giant_tokens_are_cut_into_full_windows(counts, overlap):
    """A link of a thousand characters would otherwise stop training, or be cut off in silence."""
    windows = plan([counts], 5, overlap)
    assert len(windows) <= 2 + sum(counts) // (5 - overlap) + len(counts)
    assert windows[-1][1] == sum(counts)


def test_wordpieces_that_tokens_share_hold_them_together():
    """With alignment by text, a wordpiece can belong to two tokens: neither is cut."""
    starts, ends = np.array([0, 3, 5, 9]), np.array([4, 6, 9, 12])
    windows = plan_windows(np.array([12]), starts, ends, capacity=9, overlap=4)
    edges = {int(edge) for array in windows for edge in array}
    assert edges <= {0, 6, 9, 12}
    assert windows.used_ends[-1] == 12


def test_long_docs_have_the_windows_of_the_config():
    """As the documentation of `window` and `overlap` says."""
    windows = plan([[1] * 20], 10, 4)
    assert windows == [(0, 10, 0, 8), (6, 16, 8, 14), (12, 20, 14, 20)]


@pytest.mark.parametrize("docs", [[], [[]], [[], [0, 0], []]])
def test_docs_without_wordpieces_have_no_window(docs):
    """Else an empty text would go through the encoder as padding alone."""
    assert plan(docs, 4, 2) == []


def test_a_long_doc_between_short_and_empty_ones():
    """Else the windows of one text would reach into the next."""
    assert plan([[], [1, 1], [1] * 5, [], [1]], 4, 2) == [
        *[(0, 2, 0, 2), (2, 6, 2, 5), (4, 7, 5, 7), (7, 8, 7, 8)]
    ]


def _context(piece: int, begin: int, end: int, doc_begin: int, doc_end: int) -> float:
    """Wordpieces between a wordpiece and the nearer place where the text is cut off."""
    if not begin <= piece < end:
        return -1
    left = float("inf") if begin == doc_begin else piece - begin
    right = float("inf") if end == doc_end else end - 1 - piece
    return min(left, right)


@pytest.mark.parametrize("capacity", [0, -3])
def test_windows_without_room_are_refused(capacity):
    """Else a wrong limit in a model's config would be an endless loop."""
    with pytest.raises(ValueError, match=f"room for {capacity} wordpieces"):
        plan_windows(*token_ranges([[1, 1]]), capacity, 0)
