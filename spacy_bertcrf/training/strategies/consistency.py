"""Strategies that look at a batch under several dropouts."""

import torch
from spacy.training import Example
from thinc.api import Model
from torch import Tensor

from spacy_bertcrf.layers import mask_of, pad
from spacy_bertcrf.layers.posterior_divergence import posterior_divergence
from spacy_bertcrf.models.strategy import Learn, ScoredBatch, Strategy
from spacy_bertcrf.models.types import CRFTaggerModel


class RDrop(Strategy):
    """R-Drop (Liang et al. 2021, https://arxiv.org/abs/2106.14448), with the CRF's posteriors.

    Every Doc is read twice, under two dropouts. Beside the mean of the two likelihoods, the loss
    has alpha · ½ · [KL(p ‖ q) + KL(q ‖ p)], summed up over tokens, with p and q the posteriors of
    a token's tags by forward-backward in the two readings. Takes twice the time.

    Raises ValueError if alpha is not positive.
    """

    kind = "consistency"
    has_loss = True

    def __init__(self, alpha: float = 1.0):
        if not alpha > 0:
            raise ValueError(f"alpha is {alpha}; it must be positive.")
        self.alpha = alpha

    def check(self, model: CRFTaggerModel) -> None:
        if any(hasattr(node, "upstream_name") for node in model.walk()):
            raise ValueError(
                "R-Drop reads every text twice, and what a shared component gives was read once. "
                "Use a tok2vec inside the component."
            )

    def around(self, learn: Learn, model: CRFTaggerModel) -> Learn:
        def learn_twofold(examples: list[Example]) -> dict[str, float]:
            return learn([*examples, *examples])

        return learn_twofold

    def loss(self, batch: ScoredBatch) -> Tensor:
        n_docs = len(batch.docs) // 2
        n_readings = len(batch.lengths) // (2 * n_docs)
        lengths = torch.as_tensor(batch.lengths[:n_docs])
        emissions = batch.emissions.view(n_readings, 2, -1, batch.emissions.shape[1])
        total = batch.emissions.new_zeros(())
        for reading in emissions:
            (first, _), (second, _) = (pad(half, lengths) for half in reading)
            divergence = posterior_divergence(batch.crf, first, second, mask_of(lengths))
            total = total + divergence
        # The loss of a batch is that of 2 · n_docs · n_readings Docs, and these are half as many.
        return 2 * self.alpha * total


class MultiSampleDropout(Strategy):
    """Multi-sample dropout (Inoue 2019, https://arxiv.org/abs/1905.09788): the mean of the losses
    under several dropouts before the projection. What lies below is computed only once.

    Raises ValueError for less than two samples.
    """

    kind = "samples"

    def __init__(self, samples: int = 4):
        if samples < 2:
            raise ValueError(f"samples is {samples}; it must be at least 2.")
        self.samples = samples

    def around(self, learn: Learn, model: CRFTaggerModel) -> Learn:
        tagger = model.get_ref("sequence_tagger")
        return _with_setting(learn, tagger, "dropout_samples", self.samples)


class TokenDropout(Strategy):
    """Token-level dropout: the vectors of random tokens are set to zero as a whole, and the others
    divided by 1 - rate, before the sequence layer.

    Raises ValueError if the rate is not between 0 and 1.
    """

    kind = "token dropout"

    def __init__(self, rate: float = 0.1):
        if not 0 < rate < 1:
            raise ValueError(f"rate is {rate}; it must be between 0 and 1.")
        self.rate = rate

    def around(self, learn: Learn, model: CRFTaggerModel) -> Learn:
        return _with_setting(learn, model, "token_dropout", self.rate)


def _with_setting(learn: Learn, layer: Model, name: str, value: float) -> Learn:
    """Set an attribute of a layer for as long as a batch is learned. It does not stay, for it
    would be saved, and come back with the pipeline in a training without the strategy."""

    def learn_with(examples: list[Example]) -> dict[str, float]:
        usual = layer.attrs[name]
        layer.attrs[name] = value
        try:
            return learn(examples)
        finally:
            layer.attrs[name] = usual

    return learn_with
