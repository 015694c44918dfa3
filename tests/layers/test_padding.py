import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spacy_bertcrf.layers import pad, unpad

LENGTHS = st.lists(st.integers(0, 5), max_size=6)


@given(LENGTHS)
def test_what_is_padded_comes_back(lengths):
    """A token that padding lost or moved would get another token's tag."""
    data = torch.randn(sum(lengths), 3)
    padded, mask = pad(data, torch.tensor(lengths, dtype=torch.int64))
    assert padded.shape == (len(lengths), max(lengths, default=0), 3)
    assert mask.sum(1).tolist() == lengths
    assert torch.equal(unpad(padded, torch.tensor(lengths, dtype=torch.int64)), data)
    assert not padded[~mask].any()


def test_gradients_go_through_padding():
    data = torch.randn(5, 2, requires_grad=True)
    lengths = torch.tensor([2, 0, 3])
    padded, _ = pad(data, lengths)
    (unpad(padded, lengths) * torch.arange(5.0)[:, None]).sum().backward()
    assert torch.equal(data.grad, torch.arange(5.0)[:, None].expand(5, 2))


def test_lengths_that_do_not_add_up_are_refused():
    """Otherwise every token after the first wrong length would move to another sequence."""
    with pytest.raises(ValueError, match="one row for each token"):
        pad(torch.zeros(4, 2), torch.tensor([2, 1]))
