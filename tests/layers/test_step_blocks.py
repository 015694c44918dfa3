"""Scans in parts, which many labels need: the same results, whatever the parts are."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spacy_bertcrf.layers import LinearChainCRF, step_blocks


@pytest.mark.slow
@given(st.integers(1, 40), st.integers(1, 60), st.integers(1, 2), st.integers(1, 4000))
def test_parts_hold_everything_once_and_are_bounded(n_sequences, n_tags, ways, most):
    """Else tags would be left out of a scan, or memory would grow with the labels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step_blocks, "MAX_PAIRS", most)
        seen = torch.zeros(n_sequences, n_tags)
        for rows, to in step_blocks.step_blocks(n_sequences, n_tags, ways):
            seen[rows, to] += 1
            assert ways * seen[rows, to].numel() * n_tags <= max(most, ways * n_tags)
    assert (seen == 1).all()


@pytest.mark.slow
@pytest.mark.parametrize("most", [1, 30, 100, 400])
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_parts_change_no_result(most, scale, monkeypatch):
    """Rounded scores give many equal paths, of which the same must win. The larger ones are
    scanned in log space."""
    torch.manual_seed(0)
    crf = LinearChainCRF(7, batch_first=True, legal_transitions=torch.rand(7, 7) < 0.7)
    crf.transitions.data.mul_(20).round_()
    emissions = (torch.randn(9, 11, 7) * 2).round() * scale
    mask = torch.arange(11) < torch.randint(0, 12, (9, 1))

    def results() -> tuple[object, ...]:
        marginals = crf.marginals(emissions, mask)
        return crf.decode(emissions, mask), crf.k_best(emissions, mask, 6), marginals.tolist()

    whole = results()
    monkeypatch.setattr(step_blocks, "MAX_PAIRS", most)
    assert results() == whole


@pytest.mark.slow
def test_hundreds_of_labels_take_bounded_memory():
    """Else a batch that can be learned could not be predicted: pairs of tags of all texts at once
    would be 80 times as much as is held here."""
    crf = LinearChainCRF(401, batch_first=True)
    emissions = torch.randn(100, 2, 401)
    largest = 0

    class Largest(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            nonlocal largest
            found = function(*args, **(kwargs or {}))
            for part in found if isinstance(found, tuple | list) else [found]:
                if isinstance(part, torch.Tensor):
                    largest = max(largest, part.untyped_storage().nbytes())
            return found

    with Largest():
        crf.decode(emissions)
        crf.k_best(emissions, k=3)
        crf.marginals(emissions * 1e5)
    assert largest <= 8 * step_blocks.MAX_PAIRS
