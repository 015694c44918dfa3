"""Losses on each token's scores, beside the CRF's on whole sequences."""

from collections.abc import Iterator

import torch
from thinc.api import Optimizer
from torch import Tensor

from spacy_bertcrf.models.resumable import State
from spacy_bertcrf.models.strategy import ScoredBatch, Strategy
from spacy_bertcrf.training.strategies.loss_weights import LossWeight


class TokenCrossEntropy(Strategy):
    """Cross-entropy of the tag of each token, as if there were no CRF.

    With p the softmax of a token's emissions, y its tag and K the number of tags, the loss is

        weight · Σ (1 - p[y])^focal · [-(1 - smoothing) · log p[y] - smoothing · Σₖ log p[k] / K]

    over all tokens. focal > 0 gives tokens that are learned already less weight (Lin et al. 2017,
    https://arxiv.org/abs/1708.02002), smoothing > 0 keeps the model from being too sure (Szegedy
    et al. 2016, https://arxiv.org/abs/1512.00567). Where only a set of tags is known, p[y] is
    the sum over it, and nothing is smoothed.

    weight: a number, or a schedule over the optimizer's steps.

    Raises ValueError if weight or focal is negative, and if smoothing is not from 0 to below 1.
    """

    has_loss = True

    def __init__(
        self, weight: float | Iterator[float] = 0.5, focal: float = 0.0, smoothing: float = 0.0
    ):
        if focal < 0:
            raise ValueError(f"focal is {focal}; it must not be negative.")
        if not 0 <= smoothing < 1:
            raise ValueError(f"smoothing is {smoothing}; it must be from 0 to below 1.")
        self.weight = LossWeight(weight)
        self.focal = focal
        self.smoothing = smoothing

    def loss(self, batch: ScoredBatch) -> Tensor:
        logs = batch.emissions.log_softmax(1)
        fits = batch.fitting_tags()
        of_gold = logs.masked_fill(~fits, -torch.inf).logsumexp(1)
        loss = -of_gold
        if self.smoothing:
            is_known = fits.sum(1) == 1
            share = self.smoothing * is_known
            loss = (1 - share) * loss - share * logs.mean(1)
        if self.focal:
            # What is left over is 0 where every tag fits, and no root has a gradient there.
            rest = (1 - of_gold.exp()).clamp(min=1e-6)
            loss = rest**self.focal * loss
        return self.weight.value * loss.sum()

    def after_step(self, optimizer: Optimizer) -> None:
        self.weight.step()

    def training_state(self) -> State:
        return self.weight.training_state()

    def restore_training_state(self, state: State) -> None:
        self.weight.restore_training_state(state)


class EntityBoundaries(Strategy):
    """Cross-entropy of whether an entity, of any label, starts at a token, and of whether one
    ends there.

    With p the softmax of a token's emissions and S the tags that start an entity, the loss has
    for each token -log Σ p[k], over k in S where an entity starts and over the other tags where
    none does; and the same for the tags that end one, which are there in BIOES alone. A token of
    which neither is known has none.

    weight: a number, or a schedule over the optimizer's steps.

    Raises ValueError if the weight is negative.
    """

    has_loss = True

    def __init__(self, weight: float | Iterator[float] = 0.5):
        self.weight = LossWeight(weight)

    def loss(self, batch: ScoredBatch) -> Tensor:
        logs = batch.emissions.log_softmax(1)
        fits = batch.fitting_tags()
        total = logs.new_zeros(())
        for prefixes in ("BS", "ES"):
            inside = torch.tensor([tag[0] in prefixes for tag in batch.tag_set.tags])
            # In BIO no tag ends an entity, and this has nothing to tell.
            if not inside.any() or (prefixes == "ES" and batch.tag_set.scheme == "BIO"):
                continue
            inside = inside.to(logs.device, non_blocking=True)
            may = torch.stack([(fits & ~inside).any(1), (fits & inside).any(1)], 1)
            both = torch.stack(
                [
                    logs.masked_fill(inside, -torch.inf).logsumexp(1),
                    logs.masked_fill(~inside, -torch.inf).logsumexp(1),
                ],
                1,
            )
            is_known = may.sum(1) == 1
            total = total - both.where(may & is_known.unsqueeze(1), 0.0).sum()
        return self.weight.value * total

    def after_step(self, optimizer: Optimizer) -> None:
        self.weight.step()

    def training_state(self) -> State:
        return self.weight.training_state()

    def restore_training_state(self, state: State) -> None:
        self.weight.restore_training_state(state)
