"""The head that pools the vectors of texts and scores classes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_bertcrf.layers import TextClassifier


def by_hand(module: TextClassifier, text: torch.Tensor) -> torch.Tensor:
    """The logits of one text, as the docstring has them."""
    if not len(text):
        pooled = torch.zeros(text.shape[1])
    elif module.attention is None:
        pooled = text.mean(0)
    else:
        pooled = (module.attention(text).softmax(0) * text).sum(0)
    return module.projection(pooled)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6), st.booleans())
@settings(max_examples=40, deadline=None)
def test_every_text_is_pooled_by_itself(lengths: list[int], attention: bool) -> None:
    """Else the class of a text would depend on the others of its batch."""
    torch.manual_seed(sum(lengths))
    module = TextClassifier(4, 3, attention)
    texts = [torch.randn(length, 4) * 30 for length in lengths]
    logits = module(torch.cat(texts), torch.tensor(lengths))
    expected = torch.stack([by_hand(module, text) for text in texts])
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)


def test_attention_is_learned() -> None:
    """Else "attention" would be a mean with random weights."""
    module = TextClassifier(4, 3, attention=True)
    module(torch.randn(5, 4), torch.tensor([2, 3])).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())


def test_lengths_that_do_not_fit_are_refused() -> None:
    """Else texts would silently be classified by parts of their neighbours."""
    with pytest.raises(ValueError, match="4 vectors together, and there are 5"):
        TextClassifier(4, 3)(torch.zeros(5, 4), torch.tensor([1, 3]))
