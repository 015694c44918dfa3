"""The CRF in NumPy, held to the one that is trained."""

import numpy as np
import pytest
import torch

from spacy_bertcrf.layers import LinearChainCRF
from spacy_bertcrf.models.onnx.numpy_crf import NumpyCRF
from spacy_bertcrf.tagging import TagSet

LENGTHS = [3, 1, 7, 3, 12, 2]


class Both:
    """A CRF of torch and one of NumPy with the same random weights, and a random batch."""

    def __init__(self, scheme: str, seed: int = 0):
        torch.manual_seed(seed)
        self.tag_set = TagSet(["PER", "LOC", "ORG"], scheme)
        n_tags = len(self.tag_set)
        self.crf = LinearChainCRF(
            n_tags,
            True,
            self.tag_set.legal_start,
            self.tag_set.legal_transitions,
            self.tag_set.legal_end,
        )
        torch.nn.init.normal_(self.crf.transitions, std=2)
        weights = (self.crf.start_transitions, self.crf.transitions, self.crf.end_transitions)
        self.numpy = NumpyCRF(self.tag_set, *(weight.detach().numpy() for weight in weights))
        self.padded = 3 * torch.randn(len(LENGTHS), max(LENGTHS), n_tags)
        self.mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
        self.emissions = self.padded[self.mask].numpy()
        # Spans are given in two sequences, and some tags are ruled out elsewhere.
        allowed = np.random.default_rng(seed).random(self.padded.shape) > 0.2
        allowed[:, :, 0] = True
        allowed[4] = self.tag_set.allowed([(2, 5, "LOC")], [True] * 2 + [False] * 3 + [True] * 7)
        self.allowed = torch.tensor(allowed)

    def limits(self, is_limited: bool) -> tuple[torch.Tensor | None, np.ndarray | None]:
        if not is_limited:
            return None, None
        return self.allowed, self.allowed[self.mask].numpy()


@pytest.fixture(params=["BIO", "BIOES"])
def both(request: pytest.FixtureRequest) -> Both:
    return Both(request.param)


@pytest.mark.parametrize("is_limited", [False, True])
def test_the_best_paths_are_the_same(both, is_limited):
    """An exported pipeline would find other entities."""
    limits, rows = both.limits(is_limited)
    expected = both.crf.best_paths(both.padded, both.mask, limits)
    found = both.numpy.best_paths(both.emissions, LENGTHS, rows)
    assert [path.tolist() for path in found] == [path.tolist() for path in expected]


@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize("is_limited", [False, True])
def test_the_probabilities_are_the_same(both, is_limited, temperature):
    """The scores of an exported pipeline would not be those that were calibrated."""
    limits, rows = both.limits(is_limited)
    encode = both.tag_set.encode
    stretches = [
        (sequence, start, encode([(0, size, label)], size).tolist())
        for sequence, length in enumerate(LENGTHS)
        for start in range(length)
        for size in range(1, min(4, length - start + 1))
        for label in both.tag_set.labels
    ]
    closing = both.tag_set.legal_start
    expected = both.crf.path_marginals(
        both.padded, stretches, np.tile(closing, (len(stretches), 1)), both.mask, limits,
        temperature,
    ).numpy()  # fmt: skip
    found = both.numpy.stretch_probabilities(
        both.emissions, LENGTHS, stretches, closing, rows, temperature
    )
    assert found == pytest.approx(expected, abs=1e-6)
    assert expected.max() > 0.3


def test_scores_that_are_far_apart_leave_probabilities(both):
    """A pipeline that is very sure would say nothing at all."""
    sure = both.padded * 100
    paths = both.crf.best_paths(sure, both.mask)
    stretches = [(i, 0, path.tolist()) for i, path in enumerate(paths)]
    anything = np.ones(len(both.tag_set), dtype=bool)
    expected = both.crf.path_marginals(sure, stretches, None, both.mask).numpy()
    found = both.numpy.stretch_probabilities(sure[both.mask].numpy(), LENGTHS, stretches, anything)
    assert found == pytest.approx(expected, abs=1e-5)
    assert expected.max() > 0.9


def test_no_path_is_an_error(both):
    """Else a sequence that cannot be would come out as the best one."""
    nothing = both.allowed[both.mask].numpy().copy()
    nothing[1] = False
    with pytest.raises(ValueError, match="no legal path"):
        both.numpy.best_paths(both.emissions, LENGTHS, nothing)
    with pytest.raises(ValueError, match="no legal path"):
        both.numpy.stretch_probabilities(
            both.emissions, LENGTHS, [(0, 0, [0])], np.ones(len(both.tag_set), bool), nothing
        )
