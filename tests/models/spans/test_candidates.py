"""Which spans are looked at when those above a threshold are asked for."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spacy_bertcrf.models.spans.candidates import probable_stretches


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=5),
    st.integers(0, 2**16),
    st.sampled_from([0.001, 0.2, 0.5]),
)
def test_just_the_spans_are_candidates_all_of_whose_tags_are_probable(lengths, seed, threshold):
    """One that is missing would never be found, and more would cost time in long texts."""
    rng = np.random.default_rng(seed)
    tags = rng.dirichlet(np.full(5, 0.5), size=sum(lengths))
    starts = np.cumsum(lengths) - lengths
    # A text cannot begin inside of a span.
    tags[starts[np.asarray(lengths) > 0]] *= [1, 1, 0, 0, 1]
    expected = set()
    for text, (first, length) in enumerate(zip(starts, lengths, strict=True)):
        for start in range(length):
            for end in range(start + 1, length + 1):
                ids = [4] if end == start + 1 else [1, *[2] * (end - start - 2), 3]
                if (tags[range(first + start, first + end), ids] >= threshold).all():
                    expected.add((text, start, tuple(ids)))
    found = probable_stretches(tags, np.asarray(lengths), threshold)
    assert {(s.sequence, s.start, tuple(s.tags)) for s in found} == expected
    assert len(found) == len(expected)
