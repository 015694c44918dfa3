"""How undecided a CRF is between the paths of a sequence."""

import torch
from torch import Tensor

from spacy_bertcrf.layers.forward_backward import ForwardBackward
from spacy_bertcrf.layers.packing import Packing
from spacy_bertcrf.layers.scores import Scores
from spacy_bertcrf.layers.stretches import following

# Moves out of tags that are less probable would not change a sum in float64.
_LEAST = 1e-18
_BLOCK = 2**22  # elements of the largest temporary


def path_entropies(scores: Scores, result: ForwardBackward, packing: Packing) -> Tensor:
    """(n_running,) the Shannon entropy of the distribution over all paths, in nats.

    By the chain rule: the entropy of the first tag, and of each further tag given the one before
    it, weighed by how probable that one is. It is log Z less the expected score of a path
    (Hernando et al. 2005 have the recursion), without the difference of two large numbers.
    """
    posteriors = result.posteriors()
    entropies = torch.special.entr(posteriors[: packing.n_running]).sum(1)
    before = posteriors.index_select(0, packing.previous)
    places, tags = (before > _LEAST).nonzero(as_tuple=True)
    block = max(1, _BLOCK // posteriors.shape[1])
    for place, tag in zip(places.split(block), tags.split(block), strict=True):
        row = place + packing.n_running
        moves = following(scores, result, tag, row).exp()
        expected = torch.special.entr(moves).sum(1) * before[place, tag]
        entropies.index_add_(0, packing.rank[row], expected)
    return entropies
