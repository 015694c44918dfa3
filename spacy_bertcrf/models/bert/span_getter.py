"""The windows in which a transformer reads a long Doc."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
from spacy.tokens import Doc, Span


def strided_spans(
    window: int = 128, stride: int = 96, max_characters: int = 500
) -> Callable[[Sequence[Doc]], list[list[Span]]]:
    """Overlapping windows that a BERT of 512 positions can read whole.

    Windows of tokens alone (`spacy-transformers.strided_spans.v1`) may hold more wordpieces than
    BERT has positions, and what exceeds them is cut off without a word. BERT's tokenizers make
    no more wordpieces than there are characters, so a limit on these keeps every token.

    window: the most tokens in a window.
    stride: tokens from the start of a full window to that of the next; windows that
        `max_characters` makes shorter overlap by the same share.
    max_characters: the most characters in a window. A longer token has a window to itself.

    Raises ValueError unless 1 <= stride <= window and max_characters >= 1.
    """
    if not 1 <= stride <= window or max_characters < 1:
        raise ValueError(
            f"window={window}, stride={stride}, max_characters={max_characters}: windows of at "
            "least one character must overlap or touch (1 <= stride <= window)."
        )

    # No closure, for it would not pickle.
    return partial(_get_spans, window=window, stride=stride, max_characters=max_characters)


def _get_spans(
    docs: Sequence[Doc], window: int, stride: int, max_characters: int
) -> list[list[Span]]:
    return [
        [doc[start:end] for start, end in _windows(doc, window, stride, max_characters)]
        for doc in docs
    ]


def _windows(doc: Doc, window: int, stride: int, max_characters: int) -> Iterator[tuple[int, int]]:
    begins = doc.to_array("IDX").astype(np.int64) if len(doc) else np.zeros(0, dtype=np.int64)
    ends = begins + (doc.to_array("LENGTH").astype(np.int64) if len(doc) else 0)
    start = covered = 0
    while covered < len(doc):
        fitting = int(np.searchsorted(ends, begins[start] + max_characters, side="right"))
        end = min(max(fitting, start + 1), start + window, len(doc))
        if end > covered:
            yield start, end
            covered = end
            start += max(1, (end - start) * stride // window)
        else:
            start += 1
