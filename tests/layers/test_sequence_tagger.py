import pytest
import torch

from spacy_bertcrf.layers import TCN, BiLSTM, SequenceTagger

ENCODERS = {"none": lambda: None, "bilstm": lambda: BiLSTM(5, 6), "tcn": lambda: TCN(5, 6, 2)}


@pytest.mark.parametrize("name", ENCODERS)
def test_each_token_gets_its_own_emissions(name):
    """Emissions in another order than the tokens would tag the wrong words."""
    torch.manual_seed(0)
    tagger = SequenceTagger(ENCODERS[name](), 5, 7, dropout=0.5).eval()
    lengths = [3, 0, 5]
    vectors = torch.randn(8, 5)
    emissions = tagger(vectors, torch.tensor(lengths))
    assert emissions.shape == (8, 7)
    for own, expected in zip(vectors.split(lengths), emissions.split(lengths), strict=True):
        alone = tagger(own, torch.tensor([len(own)]))
        torch.testing.assert_close(alone, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ENCODERS)
def test_dropout_and_gradients_reach_the_token_vectors(name):
    torch.manual_seed(0)
    tagger = SequenceTagger(ENCODERS[name](), 5, 7, dropout=0.5)
    vectors = torch.randn(4, 5, requires_grad=True)
    first, second = (tagger(vectors, torch.tensor([4])) for _ in range(2))
    assert not torch.equal(first, second)
    first.sum().backward()
    assert vectors.grad.abs().sum() > 0
