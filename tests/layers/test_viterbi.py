"""The best path as GPUs follow it back, beside the CPU's way."""

import pytest
import torch

from spacy_bertcrf.layers import LinearChainCRF
from spacy_bertcrf.layers.viterbi import best_path, follow_back


@pytest.mark.parametrize("tags", [2, 5])
@pytest.mark.parametrize("longest", [1, 2, 3, 8, 17])
def test_a_path_is_followed_back_the_same_in_few_rounds(tags, longest):
    """GPUs would tag other than the CPU does, most of all where paths tie."""
    torch.manual_seed(longest)
    crf = LinearChainCRF(tags, batch_first=True)
    with torch.no_grad():
        crf.transitions.round_()  # so that many paths are equal
    emissions = torch.randint(-1, 2, (6, longest, tags)).float()
    lengths = torch.tensor([longest, 1, 0, longest, 2, 1]).clamp(max=longest)
    packing = crf._pack(emissions, torch.arange(longest) < lengths[:, None])
    scores, _ = crf._scores(emissions, packing, None)
    path, _ = best_path(scores, packing)
    states = forward_states(scores, packing)
    final = (states.index_select(0, packing.last) + scores.end).argmax(1)
    assert torch.equal(follow_back(states, final, scores.transitions, packing), path)


def test_a_path_is_followed_back_in_parts(monkeypatch):
    """Of many labels all moves of a batch at once would not fit into memory."""
    torch.manual_seed(0)
    crf = LinearChainCRF(4, batch_first=True)
    emissions = torch.randn(3, 9, 4)
    packing = crf._pack(emissions, None)
    scores, _ = crf._scores(emissions, packing, None)
    states = forward_states(scores, packing)
    final = (states.index_select(0, packing.last) + scores.end).argmax(1)
    expected, _ = best_path(scores, packing)
    monkeypatch.setattr("spacy_bertcrf.layers.viterbi.MAX_SOURCES", 5 * 4**2)
    assert torch.equal(follow_back(states, final, scores.transitions, packing), expected)


def forward_states(scores, packing):
    """The score of the best way to each tag of each row."""
    states = scores.emissions.clone()
    states[: packing.n_running] += scores.start
    for row, before in enumerate(packing.previous.tolist(), packing.n_running):
        states[row] += (states[before][:, None] + scores.transitions).amax(0)
    return states
