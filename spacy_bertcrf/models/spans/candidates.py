"""The spans that may be probable enough, by what is known of their tokens."""

import numpy as np

from spacy_bertcrf.layers import Stretch
from spacy_bertcrf.models.types import Array

BEGIN, INSIDE, LAST, ONLY = range(1, 5)  # the tags of one label in BIOES; 0 is outside


def probable_stretches(tags: np.ndarray, lengths: Array, threshold: float) -> list[Stretch]:
    """All spans of a batch of texts none of whose tokens is less probably tagged so: a span is at
    most as probable as each of its tags, so that none that reaches the threshold is missing.

    tags: (n_tokens, 5), the probabilities of the tags of each token, text after text.
    lengths: (n_texts,), in tokens.
    threshold: above 0, so that no span runs on into the next text.
    """
    starts = np.cumsum(lengths) - lengths
    begins = np.flatnonzero(tags[:, BEGIN] >= threshold)
    ends = np.flatnonzero(tags[:, LAST] >= threshold)
    stops = np.append(np.flatnonzero(tags[:, INSIDE] < threshold), len(tags))
    # Up to the first token that cannot be inside of the span; that one may still be its last.
    stop = stops[np.searchsorted(stops, begins, side="right")]
    first = np.searchsorted(ends, begins, side="right")
    n_ends = np.maximum(np.searchsorted(ends, stop, side="right") - first, 0)
    of_begin = np.repeat(begins, n_ends)
    place = np.arange(len(of_begin)) - np.repeat(np.cumsum(n_ends) - n_ends, n_ends)
    of_end = ends[np.repeat(first, n_ends) + place]
    only = np.flatnonzero(tags[:, ONLY] >= threshold)
    rows = np.concatenate([of_begin, only])
    sizes = np.concatenate([of_end - of_begin, np.zeros_like(only)]) + 1
    texts = np.searchsorted(starts, rows, side="right") - 1
    places = rows - starts[texts]
    return [
        Stretch(text, place, tag_ids(size))
        for text, place, size in zip(texts.tolist(), places.tolist(), sizes.tolist(), strict=True)
    ]


def tag_ids(size: int) -> list[int]:
    """The tags of the tokens of a span."""
    return [ONLY] if size == 1 else [BEGIN, *[INSIDE] * (size - 2), LAST]
