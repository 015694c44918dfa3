"""A distribution over the tag sequences of one text, and what another CRF makes of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from spacy_bertcrf.layers.forward_backward import ForwardBackward
from spacy_bertcrf.layers.packing import Packing

if TYPE_CHECKING:
    from spacy_bertcrf.layers.crf import LinearChainCRF

# Numbers of the largest temporary: pairs of tags are looked at in blocks of tokens.
_BLOCK = 2**22


class TagChain(NamedTuple):
    """The Markov chain that a linear-chain CRF's posterior is: for each token, the probabilities
    of the tag before it together with its own. What has none is left out.

    n_tags: how many tags there are.
    bounds: (n_tokens + 1,) int64; the entries of token t are those from bounds[t] to bounds[t + 1].
    entries: int64; before · n_tags + own, of the first token the tag alone.
    probabilities: float64; those of a token add up to 1.
    """

    n_tags: int
    bounds: np.ndarray
    entries: np.ndarray
    probabilities: np.ndarray

    @classmethod
    def of_nothing(cls, n_tags: int) -> TagChain:
        """That of a text without tokens."""
        return cls(n_tags, np.zeros(1, np.int64), np.zeros(0, np.int64), np.zeros(0))

    @classmethod
    def of_entries(
        cls, n_tags: int, tokens: np.ndarray, entries: np.ndarray, weights: np.ndarray, n: int
    ) -> TagChain:
        """From weights that need not add up to 1, in any order and more than one of an entry.

        tokens: which of the n tokens each entry is of.
        """
        ids, place = np.unique(tokens * n_tags**2 + entries, return_inverse=True)
        sums = np.bincount(place, weights, len(ids))
        tokens, entries = np.divmod(ids, n_tags**2)
        totals = np.bincount(tokens, sums, n)
        bounds = np.searchsorted(tokens, np.arange(n + 1))
        return cls(n_tags, bounds, entries, sums / totals[tokens])

    def __len__(self) -> int:
        """The number of tokens."""
        return len(self.bounds) - 1

    @property
    def tokens(self) -> np.ndarray:
        """Which token each entry is of."""
        return np.repeat(np.arange(len(self)), np.diff(self.bounds))

    def tag_probabilities(self) -> np.ndarray:
        """(n_tokens, n_tags), those of each token's own tag."""
        cells = self.tokens * self.n_tags + self.entries % self.n_tags
        size = len(self) * self.n_tags
        return np.bincount(cells, self.probabilities, size).reshape(len(self), self.n_tags)

    def transition_counts(self) -> np.ndarray:
        """(n_tags, n_tags), how often one tag follows another, as an expected value."""
        first = self.bounds[min(1, len(self))]
        counts = np.bincount(self.entries[first:], self.probabilities[first:], self.n_tags**2)
        return counts.reshape(self.n_tags, self.n_tags)

    def entropy(self) -> float:
        """In nats, of the distribution over whole sequences."""
        before = self.tag_probabilities()[:-1]
        of_pairs = _plogp(self.probabilities).sum()
        return float(_plogp(before).sum() - of_pairs)

    def sample(self, random: np.random.Generator) -> tuple[np.ndarray, float]:
        """A tag sequence drawn from it, (n_tokens,) int64, and the log of its probability."""
        path, log = np.zeros(len(self), dtype=np.int64), 0.0
        for t in range(len(self)):
            part = slice(self.bounds[t], self.bounds[t + 1])
            before, own = np.divmod(self.entries[part], self.n_tags)
            weights = self.probabilities[part]
            if t > 0:
                following = weights * (before == path[t - 1])
                # Not where what was left out has broken the chain off: the token alone goes on.
                weights = following if following.any() else weights
            ends = weights.cumsum()
            drawn = np.searchsorted(ends, random.random() * ends[-1], side="right")
            path[t] = own[drawn]
            log += float(np.log(weights[drawn] / ends[-1]))
        return path, log

    def renamed(self, ids: np.ndarray, n_tags: int) -> TagChain:
        """With other tags in place of its own; several may become one.

        ids: (n_tags,) what each tag becomes. n_tags: how many tags there are then.
        """
        before, own = np.divmod(self.entries, self.n_tags)
        is_first = self.tokens == 0
        entries = np.where(is_first, ids[own], ids[before] * n_tags + ids[own])
        return TagChain.of_entries(n_tags, self.tokens, entries, self.probabilities, len(self))


def mixture(chains: Sequence[TagChain]) -> TagChain:
    """The chain with the mean probabilities of several of the same text: with respect to tags and
    transitions it is the mixture of their distributions."""
    if len(chains) == 1:
        return chains[0]
    return TagChain.of_entries(
        chains[0].n_tags,
        np.concatenate([chain.tokens for chain in chains]),
        np.concatenate([chain.entries for chain in chains]),
        np.concatenate([chain.probabilities for chain in chains]),
        len(chains[0]),
    )


def chains_of(
    result: ForwardBackward, packing: Packing, n_tags: int, floor: float
) -> list[TagChain]:
    """Those of a batch; for the arguments see `LinearChainCRF.chains`."""
    firsts = result.posteriors()[: packing.n_running]
    places = [_above(firsts, 0, floor)]
    block = max(1, _BLOCK // n_tags**2)
    n_rows = len(packing.cells) - packing.n_running
    for start in range(0, n_rows, block):
        pairs = result.pair_posteriors(start, min(start + block, n_rows)).flatten(1)
        places.append(_above(pairs, start + packing.n_running, floor))
    rows, entries, weights = (np.concatenate(parts) for parts in zip(*places, strict=True))
    on_cpu = packing.on_cpu
    sequences = on_cpu.order[on_cpu.rank].numpy()[rows]
    steps = np.repeat(np.arange(len(packing.batch_sizes)), packing.batch_sizes)[rows]
    found = [TagChain.of_nothing(n_tags) for _ in range(packing.batch)]
    by_sequence = np.argsort(sequences, kind="stable")
    ends = np.searchsorted(sequences[by_sequence], np.arange(packing.batch + 1))
    for sequence, length in enumerate(packing.lengths.tolist()):
        if length:
            own = by_sequence[ends[sequence] : ends[sequence + 1]]
            found[sequence] = TagChain.of_entries(
                n_tags, steps[own], entries[own], weights[own], length
            )
    return found


def cross_entropy(
    crf: LinearChainCRF,
    emissions: Tensor,
    mask: Tensor,
    chains: Iterable[TagChain],
    temperature: float = 1.0,
) -> Tensor:
    """-Σ p(y) log q(y) over all tag sequences y of each text, summed up over texts, with p that of
    a chain and q the CRF's: by expected counts of tags and transitions, of which the score of a
    CRF is a linear function (Wang et al. 2021, https://arxiv.org/abs/2010.05010).

    crf: with batch_first.
    emissions: (batch, length, tags). mask: (batch, length), on the CPU.
    chains: one for each sequence, of its length.
    temperature: what all scores of the CRF are divided by.

    Returns one number, in float64, with gradient.
    """
    n_tags, longest = crf.num_tags, emissions.shape[1]
    counts = np.zeros((n_tags, n_tags))
    tags = np.zeros((*emissions.shape[:2], n_tags))
    edges = np.zeros((2, n_tags))
    for row, chain in zip(tags, chains, strict=True):
        if len(chain):
            row[: len(chain)] = own = chain.tag_probabilities()
            counts += chain.transition_counts()
            edges += own[[0, -1]]
    assert tags.shape[1] == longest

    def expected(weights: np.ndarray, scores: Tensor) -> Tensor:
        placed = torch.from_numpy(weights).to(scores.device, non_blocking=True)
        # What has no weight may have a score of minus infinity.
        return (placed * scores.double().where(placed != 0, 0.0)).sum()

    score = (
        expected(tags, emissions)
        + expected(counts, crf.transitions)
        + expected(edges[0], crf.start_transitions)
        + expected(edges[1], crf.end_transitions)
    )
    partition = crf.log_partition(emissions.double(), mask, temperature=temperature)
    return partition.sum() - score / temperature


def _above(probabilities: Tensor, first_row: int, floor: float) -> tuple[np.ndarray, ...]:
    """The rows, columns and values of what lies above the floor, and of the largest of each row."""
    keep = probabilities > floor
    keep.scatter_(1, probabilities.argmax(1, keepdim=True), True)
    rows, columns = keep.nonzero(as_tuple=True)
    values = probabilities[rows, columns]
    return rows.cpu().numpy() + first_row, columns.cpu().numpy(), values.cpu().numpy()


def _plogp(p: np.ndarray) -> np.ndarray:
    return p * np.log(np.where(p > 0, p, 1.0))
