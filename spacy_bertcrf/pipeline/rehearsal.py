"""Learning to believe what an earlier model believed."""

from collections.abc import Sequence

import numpy as np
from spacy.tokens import Doc
from thinc.api import torch2xp, xp2torch
from thinc.types import Ragged

from spacy_bertcrf.models.bridge.torch_shim import torch_shim
from spacy_bertcrf.models.distillation.beliefs import beliefs, tags_of
from spacy_bertcrf.models.distillation.divergence import divergence
from spacy_bertcrf.models.spans.label_crfs import one_label_each
from spacy_bertcrf.models.types import CRFTaggerModel


def rehearse(
    model: CRFTaggerModel, earlier: CRFTaggerModel, docs: Sequence[Doc], weight: float
) -> float:
    """Add the gradients of `models.distillation.divergence` from an earlier model to this one.

    weight: what the sum over the Docs is multiplied by.

    Returns the loss. Raises ValueError if the model has no CRF, or listens to a shared component,
    which is another one by now than the earlier model learned to listen to.
    """
    if any(hasattr(node, "upstream_name") for node in model.walk()):
        raise ValueError(
            "Rehearsal asks a copy of the earlier model, and of a shared tok2vec or transformer "
            "there is none. Put it inside the component: nlp.replace_listeners does so."
        )
    learner = tags_of(model)
    believed = beliefs(earlier, docs, learner)
    emissions, backprop = model.begin_update(list(docs))
    crf = torch_shim(model.get_ref("crf")).module
    scores = xp2torch(emissions.dataXd, requires_grad=True)
    rows, lengths = scores, np.asarray(emissions.lengths)
    if learner.scheme is None:
        rows, lengths = one_label_each(scores, lengths, len(learner.labels))
    loss = weight * divergence(
        crf,
        rows,
        lengths,
        believed,
        learner,
        tags_of(earlier).labels,
        1.0,
        np.random.default_rng(np.random.randint(2**31)),
    )
    loss.backward()
    assert scores.grad is not None
    backprop(Ragged(torch2xp(scores.grad), emissions.lengths))
    return float(loss.detach())
