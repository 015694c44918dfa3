"""The same distribution over sets of spans in the tags of another model."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from spacy_bertcrf.layers import LinearChainCRF
from spacy_bertcrf.tagging import TagSet

COARSER = {"O": "O", "B": "B", "S": "B", "I": "I", "E": "I"}  # BIOES as BIO


def ids_in(own: TagSet, other: TagSet) -> np.ndarray:
    """(n_tags,) for each of the tags the id that it has in another set: in BIO, B for both B and S,
    I for both I and E.

    Raises ValueError for a label that the other set does not have, and if the other set makes
    more differences than this one.
    """
    check_labels(own.labels, other.labels)
    if own.scheme == "BIO" and other.scheme == "BIOES":
        raise ValueError("What BIO's tags become in BIOES depends on the tag that follows.")
    ids = {tag: number for number, tag in enumerate(other.tags)}
    found = []
    for tag in own.tags:
        prefix = tag[0] if own.scheme == other.scheme else COARSER[tag[0]]
        found.append(ids[prefix + tag[1:]])
    return np.asarray(found)


def check_labels(known: Sequence[str], learned: Sequence[str]) -> None:
    """Raises ValueError if a teacher has labels that who learns from it does not have."""
    unknown = [label for label in known if label not in learned]
    if unknown:
        raise ValueError(
            f"The teacher has labels that the model which learns from it does not have: "
            f"{', '.join(unknown)}; it has {', '.join(learned)}. Give it these labels too, as "
            "`labels` in [initialize.components.NAME] of its config."
        )


def in_bioes(crf: LinearChainCRF, own: TagSet) -> tuple[LinearChainCRF, TagSet, Tensor]:
    """A BIO CRF as one over BIOES tags with the same distribution over sets of spans.

    A legal BIOES sequence becomes BIO tag by tag, and no two become the same: with the scores of
    the BIO tags, each has the score that it has in BIO.

    Returns the CRF, its tags, and (n_tags,) the BIO tag whose emission each has.
    """
    tags = TagSet(own.labels, "BIOES")
    sources = torch.from_numpy(ids_in(tags, own)).to(crf.transitions.device)
    finer = LinearChainCRF(
        len(tags),
        batch_first=True,
        legal_start=tags.legal_start,
        legal_transitions=tags.legal_transitions,
        legal_end=tags.legal_end,
    ).to(crf.transitions)
    with torch.no_grad():
        finer.start_transitions.copy_(crf.start_transitions[sources])
        finer.end_transitions.copy_(crf.end_transitions[sources])
        finer.transitions.copy_(crf.transitions[sources][:, sources])
    return finer, tags, sources
