import pytest

from spacy_bertcrf.tagging import EntitySpan


@pytest.fixture
def all_span_sets():
    """Lists every set of non-overlapping spans of a short text, found without any tags."""
    return lambda length, labels: list(_span_sets(0, length, labels))


def _span_sets(start, length, labels):
    if start == length:
        yield []
        return
    yield from _span_sets(start + 1, length, labels)
    for end in range(start + 1, length + 1):
        for label in labels:
            for rest in _span_sets(end, length, labels):
                yield [EntitySpan(start, end, label), *rest]
