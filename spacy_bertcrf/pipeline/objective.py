"""What a training minimises: the CRF's loss, and those that strategies add to it."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch
from spacy.training import Example
from thinc.api import torch2xp, xp2torch
from thinc.types import Ragged

from spacy_bertcrf.models.strategy import ScoredBatch, Strategy
from spacy_bertcrf.models.types import CRFTaggerModel, TagTargets

Targets: TypeAlias = Callable[[list[Example]], TagTargets]
"""Gives what is known of the tags of a batch."""


def objective(
    model: CRFTaggerModel,
    examples: list[Example],
    emissions: Ragged,
    targets: Targets,
    strategies: Mapping[str, Strategy],
    weight: float,
    share: float,
) -> tuple[dict[str, float], Ragged]:
    """The losses of a batch by part, and the gradient of their sum by the emissions. Gradients of
    parameters are added up in these, as in any backward pass.

    examples: the model has read their predicted Docs; the emissions have each of them as often as
        it is sampled.
    weight: what the sum over the Docs is multiplied by.
    share: what the gradients are multiplied by, beside it.

    Returns the losses as "crf", and by the strategies' names.
    """
    n_samples = len(emissions.lengths) // len(examples)
    known = targets(examples * n_samples)
    crf_losses, backprop_crf = model.get_ref("crf").begin_update((emissions, known))
    scores = xp2torch(emissions.dataXd, requires_grad=True)
    docs = [example.predicted for example in examples]
    batch = ScoredBatch(model, docs, scores, emissions.lengths, known)
    found = {name: strategy.loss(batch) for name, strategy in strategies.items()}
    terms = {name: weight * loss for name, loss in found.items() if loss is not None}
    losses = {"crf": weight * float(crf_losses.sum())}
    losses.update({name: float(term.detach()) for name, term in terms.items()})
    factors = dict.fromkeys(losses, 1.0)
    for strategy in strategies.values():
        factors.update(strategy.factors(losses))
    d_losses = model.ops.xp.full_like(crf_losses, share * weight * factors["crf"])
    gradient = backprop_crf(d_losses)
    if terms:
        weighted = [share * factors[name] * term for name, term in terms.items()]
        total = torch.stack(weighted).sum()
        # Not where a strategy has found nothing to learn, in a batch of a few short texts.
        if total.requires_grad:
            total.backward()
    if scores.grad is not None:
        gradient = Ragged(gradient.dataXd + torch2xp(scores.grad), gradient.lengths)
    return {name: factors[name] * loss for name, loss in losses.items()}, gradient
