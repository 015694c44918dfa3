"""How a batch is shared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_bertcrf.training.distributed.parts import balanced_parts

lengths = st.lists(st.integers(0, 200), max_size=30)


@given(lengths, st.integers(1, 9))
def test_each_doc_is_in_one_part(lengths, n):
    """A lost Doc would never be learned, one in two parts twice."""
    parts = balanced_parts(lengths, n)
    assert len(parts) == n
    assert sorted(i for part in parts for i in part) == list(range(len(lengths)))
    assert all(part == sorted(part) for part in parts)


@given(lengths, st.integers(1, 9))
def test_parts_are_balanced(lengths, n):
    """Else all would wait for the process with the most text."""
    sizes = [sum(lengths[i] for i in part) for part in balanced_parts(lengths, n)]
    assert max(sizes) - min(sizes) <= max(lengths, default=0)


@pytest.mark.slow
@given(lengths.filter(any), st.integers(1, 9))
def test_the_first_part_is_not_empty(lengths, n):
    """The first process draws and logs for all."""
    assert any(lengths[i] for i in balanced_parts(lengths, n)[0])
