"""How likely each token's tag is after those before it, with a gradient."""

import torch
from torch import Tensor

from spacy_bertcrf.layers.crf import LinearChainCRF

NEVER = -1e30  # a score without a probability, which has no infinite differences
TINY = 1e-300


def token_log_likelihoods(
    crf: LinearChainCRF, emissions: Tensor, allowed: Tensor, mask: Tensor
) -> Tensor:
    """log P(the tag of token t is allowed | the tags of all tokens before it are), for each token.
    By the chain rule they add up to `crf.partial_log_likelihood`.

    crf: with batch_first.
    emissions: (batch, length, tags).
    allowed: (batch, length, tags), bool: the tags that each token may have; one alone where it is
        known.
    mask: (batch, length), bool.

    Returns (batch, length), in float64, 0 in padding; without meaning for a sequence that has no
    legal path inside `allowed`.
    """
    scores = emissions.double()
    start = crf.start_transitions.double().masked_fill(~crf.legal_start, NEVER)
    moves = crf.transitions.double().masked_fill(~crf.legal_transitions, NEVER).exp()
    ahead = _ahead(crf, scores, moves, mask)
    inside = start + scores[:, 0]
    before = (inside + ahead[0]).logsumexp(1)
    found = []
    for t in range(scores.shape[1]):
        if t > 0:
            inside = _one_move(inside, moves) + scores[:, t]
        inside = inside.masked_fill(~allowed[:, t], NEVER)
        now = (inside + ahead[t]).logsumexp(1)
        found.append((now - before).where(mask[:, t], 0.0))
        before = now
    return torch.stack(found, 1)


def _ahead(crf: LinearChainCRF, scores: Tensor, moves: Tensor, mask: Tensor) -> list[Tensor]:
    """For each token and tag, (batch, tags), the sum over all that may come behind it."""
    end = crf.end_transitions.double().masked_fill(~crf.legal_end, NEVER)
    last = end.expand(len(scores), -1)
    found = [last]
    for t in range(scores.shape[1] - 1, 0, -1):
        sums = _one_move(scores[:, t] + found[-1], moves.T)
        found.append(sums.where(mask[:, t, None], last))
    return found[::-1]


def _one_move(logs: Tensor, moves: Tensor) -> Tensor:
    """log (exp(logs) @ moves), without overflow."""
    highest = logs.detach().max(1, keepdim=True).values
    return ((logs - highest).exp() @ moves).clamp(min=TINY).log() + highest
