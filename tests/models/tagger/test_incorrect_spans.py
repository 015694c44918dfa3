"""Paths without certain entities, against enumeration."""

from itertools import product

import pytest
import torch

from spacy_bertcrf.layers import LinearChainCRF
from spacy_bertcrf.models.tagger.incorrect_spans import log_partition_without
from spacy_bertcrf.tagging import EntitySpan, TagSet

INCORRECT = {
    "none": [],
    "one token": [(1, 2, "A")],
    "first token": [(0, 1, "A")],
    "two tokens": [(1, 3, "A")],
    "at the end": [(2, 4, "A")],
    "the whole": [(0, 4, "A")],
    "same start": [(0, 2, "A"), (0, 3, "A"), (0, 1, "A")],
    "overlapping": [(0, 2, "A"), (1, 3, "A"), (1, 2, "A")],
    "side by side": [(0, 2, "A"), (2, 4, "A"), (2, 3, "A")],
    "two labels": [(0, 2, "A"), (0, 2, "B"), (2, 3, "B")],
}


def make(scheme, labels):
    tag_set = TagSet(labels, scheme)
    legal = (tag_set.legal_start, tag_set.legal_transitions, tag_set.legal_end)
    return tag_set, LinearChainCRF(len(tag_set), True, *legal).double()


def by_enumeration(crf, tag_set, emissions, allowed, incorrect):
    logs = []
    for path in product(range(len(tag_set)), repeat=len(emissions)):
        if not all(allowed[i, tag] for i, tag in enumerate(path)):
            continue
        try:
            spans = tag_set.decode(path)
        except ValueError:
            continue
        if set(spans) & set(incorrect):
            continue
        tags = torch.tensor(path)
        logs.append(
            crf.start_transitions[tags[0]]
            + crf.end_transitions[tags[-1]]
            + crf.transitions[tags[:-1], tags[1:]].sum()
            + emissions[range(len(path)), tags].sum()
        )
    return torch.stack(logs).logsumexp(0)


@pytest.mark.slow
@pytest.mark.parametrize("incorrect", INCORRECT.values(), ids=INCORRECT.keys())
@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_sum_and_gradient_are_those_of_enumeration(scheme, incorrect):
    """Else training on wrong spans would push the scores somewhere else."""
    torch.manual_seed(0)
    labels = ["A", "B"] if scheme == "BIO" or "B" in str(incorrect) else ["A"]
    tag_set, crf = make(scheme, labels)
    emissions = torch.randn(3, 4, len(tag_set), dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[True] * 4, [True] * 4, [True, True, False, False]])
    allowed = torch.ones(3, 4, len(tag_set), dtype=torch.bool)
    if incorrect:
        allowed[1, 3] = torch.tensor(tag_set.legal_start)
    spans = [EntitySpan(*span) for span in incorrect]
    per_sequence = [spans, spans[:1], [EntitySpan(0, 1, "A")]]
    found = log_partition_without(crf, tag_set, emissions, mask, allowed, per_sequence)
    expected = torch.stack(
        [
            by_enumeration(crf, tag_set, emissions[i, :n], allowed[i], per_sequence[i])
            for i, n in enumerate([4, 4, 2])
        ]
    )
    torch.testing.assert_close(found, expected)
    parameters = [emissions, *crf.parameters()]
    gradients = torch.autograd.grad(found.sum(), parameters)
    torch.testing.assert_close(gradients, torch.autograd.grad(expected.sum(), parameters))
