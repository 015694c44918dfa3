"""What a training minimises: the CRF's loss, and those that strategies add to it."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
import torch
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import torch2xp, xp2torch
from thinc.types import Ragged

from spacy_bertcrf.models.spans.label_crfs import one_label_each, tag_targets
from spacy_bertcrf.models.strategy import ScoredBatch, Strategy
from spacy_bertcrf.models.types import Array, CRFTaggerModel, SpanTargets, TagTargets

Known: TypeAlias = TagTargets | SpanTargets
"""What is known of the tags, or the spans, of a batch."""

Targets: TypeAlias = Callable[[list[Example]], Known]
"""Gives it for some examples."""


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
    head = model.get_ref("head" if model.has_ref("head") else "crf")
    crf_losses, backprop_crf = head.begin_update((emissions, known))
    scores = xp2torch(emissions.dataXd, requires_grad=True)
    docs = [example.predicted for example in examples]
    found = {}
    if strategies:
        batch = _as_tagged(model, docs, scores, emissions.lengths, known)
        found = {name: strategy.loss(batch) for name, strategy in strategies.items()}
    terms = {name: weight * loss for name, loss in found.items() if loss is not None}
    losses = _numbers({"crf": xp2torch(crf_losses.sum().reshape(1)), **terms})
    losses["crf"] *= weight
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


def _as_tagged(
    model: CRFTaggerModel, docs: list[Doc], scores: torch.Tensor, lengths: Array, known: Known
) -> ScoredBatch:
    """The batch as strategies see it: texts with a CRF, as many for each Doc as it has labels where
    each has its own. Where there is none, they see no more of the targets than that nothing is
    known."""
    n_samples = len(lengths) // len(docs)
    if not isinstance(known, TagTargets):
        if model.has_ref("crf"):
            labels = model.get_ref("head").attrs["labels"]
            known = tag_targets(known, lengths, labels)
            scores, lengths = one_label_each(scores, lengths, len(labels))
        else:
            known = TagTargets(np.zeros(0, dtype=np.int64))
    return ScoredBatch(model, docs, scores, lengths, known, n_samples)


def _numbers(tensors: Mapping[str, torch.Tensor]) -> dict[str, float]:
    """Tensors of one number each, as numbers, for all of which a GPU is waited for once."""
    together = torch.cat([tensor.detach().reshape(1).double() for tensor in tensors.values()])
    return dict(zip(tensors, together.tolist(), strict=True))
