"""How the losses of the Docs of a batch become one."""

import numpy as np

from spacy_bertcrf.models.types import Array

LOSS_REDUCTIONS = ("sum", "mean", "token_mean")


def loss_weight(reduction: str, lengths: Array) -> float:
    """What the sum over the Docs is multiplied by.

    reduction: one of LOSS_REDUCTIONS: the sum, the mean over Docs that are not empty, or the sum
        divided by the number of tokens.
    lengths: (n_docs,), in tokens; one of them at least is not 0.
    """
    if reduction == "sum":
        return 1.0
    if reduction == "mean":
        return 1.0 / int(np.count_nonzero(lengths))
    return 1.0 / int(lengths.sum())
