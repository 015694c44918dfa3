"""What a model believes of the spans of texts, in the tags of who is to learn it."""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from spacy.tokens import Doc
from thinc.api import xp2torch

from spacy_bertcrf.layers import mask_of, pad
from spacy_bertcrf.layers.chains import TagChain
from spacy_bertcrf.models.bridge.torch_shim import torch_shim
from spacy_bertcrf.models.distillation.tag_names import check_labels, ids_in, in_bioes
from spacy_bertcrf.models.spans.label_crfs import TAGS, one_label_each
from spacy_bertcrf.models.types import CRFTaggerModel
from spacy_bertcrf.tagging import TagSet

Belief: TypeAlias = list[TagChain | None]
"""Of one text: one chain, or one for each label of who learns, None for labels that the teacher
does not know."""


class Tags(NamedTuple):
    """In what form a model tags.

    labels: in its order.
    scheme: None where each label has a CRF of its own.
    """

    labels: tuple[str, ...]
    scheme: str | None


def tags_of(model: CRFTaggerModel) -> Tags:
    """Raises ValueError if the model has no CRF."""
    if not model.has_ref("crf"):
        raise ValueError(
            "Its head scores spans without a CRF, so that there is no distribution over tag "
            "sequences to learn: take the head spacy-bertcrf.LabelCRFs.v1."
        )
    if model.has_ref("head"):
        return Tags(tuple(model.get_ref("head").attrs["labels"]), None)
    settings = torch_shim(model.get_ref("crf")).cfg
    return Tags(tuple(settings["labels"]), settings["scheme"])


def beliefs(
    model: CRFTaggerModel,
    docs: Sequence[Doc],
    learner: Tags,
    temperature: float = 1.0,
    floor: float = 0.0,
) -> list[Belief]:
    """The model's posteriors of some texts, of all tag sequences that there are: whatever a Doc
    has set already plays no part.

    temperature, floor: as of `LinearChainCRF.chains`.

    Raises ValueError if the model has a label that the learner does not have, if one of them has
    a CRF for each label and the other has not, and if the model has none.
    """
    own = tags_of(model)
    check_labels(own.labels, learner.labels)
    if (own.scheme is None) != (learner.scheme is None):
        raise ValueError(
            "One of teacher and student is a bertcrf, the other a bertcrf_spans: what one "
            "believes of sets of spans cannot be said in the tags of the other."
        )
    scores = model.predict(list(docs))
    crf = torch_shim(model.get_ref("crf")).module
    emissions = xp2torch(scores.dataXd, device=crf.transitions.device)
    lengths = np.asarray(scores.lengths)
    if own.scheme is None:
        emissions, lengths = one_label_each(emissions, lengths, len(own.labels))
        renamed = None
    else:
        tags = TagSet(own.labels, own.scheme)
        if own.scheme == "BIO" and learner.scheme == "BIOES":
            crf, tags, sources = in_bioes(crf, tags)
            emissions = emissions[:, sources]
        assert learner.scheme is not None
        wanted = TagSet(learner.labels, learner.scheme)
        renamed = None if tags.tags == wanted.tags else (ids_in(tags, wanted), len(wanted))
    on_cpu = torch.as_tensor(lengths, dtype=torch.int64)
    padded, _ = pad(emissions, on_cpu)
    chains = crf.chains(padded, mask_of(on_cpu), temperature, floor)
    if renamed is not None:
        chains = [chain.renamed(*renamed) for chain in chains]
    if own.scheme is not None:
        return [[chain] for chain in chains]
    numbers = {label: number for number, label in enumerate(own.labels)}
    return [
        [
            chains[numbers[label] * len(docs) + doc] if label in numbers else None
            for label in learner.labels
        ]
        for doc in range(len(docs))
    ]


def n_tags_of(learner: Tags) -> int:
    """How many tags its chains have."""
    if learner.scheme is None:
        return len(TAGS)
    return len(TagSet(learner.labels, learner.scheme))
