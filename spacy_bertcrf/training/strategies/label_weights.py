"""Labels that count more than others in the CRF's loss."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from spacy_bertcrf.layers import pad, unpad
from spacy_bertcrf.layers.token_likelihoods import token_log_likelihoods
from spacy_bertcrf.models.strategy import ScoredBatch, Strategy
from spacy_bertcrf.models.types import CRFTaggerModel

OUTSIDE = "O"


class LabelWeights(Strategy):
    """Weights of labels in the CRF's loss.

    By the chain rule, the CRF's loss is the sum of -log p(yₜ | y₁ … yₜ₋₁) over all tokens, yₜ
    being the gold tag of token t. With this strategy each of these has the weight of the label of
    yₜ, so that a label of weight 3 is learned as if its tokens were there three times. The
    probabilities of predicted entities are higher by it: calibrate them, if you use them.

    What is reported as the strategy's loss is the difference to the CRF's, and is negative where
    weights below 1 prevail. A token has the weight 1 if its tag is not known and those that fit
    have different weights.

    weights: by label, and by "O" of tokens without an entity; 1 if not given.

    Raises ValueError if a weight is negative or infinite, or there is none; in the first update
    if a label is unknown.
    """

    kind = "weights"
    has_loss = True

    def __init__(self, weights: Mapping[str, float]):
        wrong = {label: w for label, w in weights.items() if not 0 <= w < math.inf}
        if wrong or not weights:
            raise ValueError(
                f"The label weights are {dict(weights)}. Give at least one, and each as a number "
                "that is not negative and not infinite."
            )
        self.weights = dict(weights)

    def check(self, model: CRFTaggerModel) -> None:
        if model.has_ref("head"):
            raise ValueError(
                "LabelWeights weights the tags of one CRF for all labels, and in bertcrf_spans "
                "each label has its own. Take the strategy out of the config."
            )

    def loss(self, batch: ScoredBatch) -> Tensor:
        fits = batch.fitting_tags()
        of_tags = self._of_tags(batch).expand_as(fits)
        highest = of_tags.masked_fill(~fits, -torch.inf).amax(1)
        lowest = of_tags.masked_fill(~fits, torch.inf).amin(1)
        weights = torch.where(highest == lowest, highest, 1.0)
        lengths = torch.as_tensor(batch.lengths)
        emissions, mask = pad(batch.emissions, lengths)
        allowed, _ = pad(fits, lengths)
        likelihoods = token_log_likelihoods(batch.crf, emissions, allowed, mask)
        of_tokens = unpad(likelihoods.unsqueeze(2), lengths).squeeze(1)
        return ((1 - weights) * of_tokens).sum()

    def _of_tags(self, batch: ScoredBatch) -> Tensor:
        """(n_tags,)"""
        tag_set = batch.tag_set
        unknown = [label for label in self.weights if label not in (OUTSIDE, *tag_set.labels)]
        if unknown:
            raise ValueError(
                f"The label weights name {', '.join(unknown)}, and the labels are "
                f"{', '.join(tag_set.labels)}. Name these, or {OUTSIDE} for no entity."
            )
        labels = [tag.partition("-")[2] or OUTSIDE for tag in tag_set.tags]
        weights = [self.weights.get(label, 1.0) for label in labels]
        return torch.tensor(weights, dtype=torch.float64, device=batch.emissions.device)
