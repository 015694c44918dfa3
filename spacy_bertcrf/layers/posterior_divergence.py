"""How far two CRFs' posteriors are apart, with a gradient."""

import torch
from torch import Tensor

from spacy_bertcrf.layers.crf import LinearChainCRF

FLOOR = 1e-6  # added to probabilities, for of those that vanish there is no logarithm
STEP = 1e-4  # of the largest emission's change, in the difference that gives the gradient


def posterior_divergence(
    crf: LinearChainCRF, first: Tensor, second: Tensor, mask: Tensor
) -> Tensor:
    """The symmetric Kullback-Leibler divergence of the tokens' posteriors, summed up over tokens:
    ½ Σ (p - q) · (log p - log q), p and q being the marginals of the CRF at two sets of emissions.

    crf: with batch_first.
    first, second: emissions (batch, length, tags).
    mask: (batch, length), bool; it may lie on the CPU.

    Returns one number, in float64. Its gradient is exact up to a difference quotient: with v the
    derivative by the marginals, the gradient by whatever these depend on is that of
    (log Z(e + hv) - log Z(e - hv)) / 2h (Domke 2010, Implicit Differentiation by Perturbation).
    """
    emissions = torch.cat([first, second]).double()
    masks = torch.cat([mask, mask])
    divergence, slope = _divergence(crf.marginals(emissions.detach(), masks))
    step = STEP / slope.abs().max().clamp(min=STEP)
    both = torch.cat([emissions + step * slope, emissions - step * slope])
    upper, lower = crf.log_partition(both, torch.cat([masks, masks])).chunk(2)
    surrogate = (upper - lower).sum() / (2 * step)
    return divergence + surrogate - surrogate.detach()


def _divergence(marginals: Tensor) -> tuple[Tensor, Tensor]:
    """The divergence of the two halves of the batch, and its derivative by all marginals."""
    p, q = (marginals + FLOOR).chunk(2)
    log_ratio = p.log() - q.log()
    by_p = (log_ratio + 1 - q / p) / 2
    by_q = (-log_ratio + 1 - p / q) / 2
    return ((p - q) * log_ratio).sum() / 2, torch.cat([by_p, by_q])
