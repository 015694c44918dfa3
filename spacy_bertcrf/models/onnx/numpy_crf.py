"""The best paths of a trained CRF and the probabilities of what it finds, in NumPy."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from spacy_bertcrf.tagging import TagSet


class NumpyCRF:
    """What `layers.LinearChainCRF` computes, without torch, for weights that do not change.

    tag_set: its tags, which say what is legal.
    start, transitions, end: (tags,), (tags, tags) as from × to, (tags,): its weights.

    Arguments that its methods share:
    emissions: (n_tokens, tags), those of all sequences one after the other.
    lengths: tokens of each sequence, at least 1.
    allowed: (n_tokens, tags), bool: the tags that each token may have; None: every tag.

    Both methods raise ValueError if a sequence has no legal path.
    """

    def __init__(
        self, tag_set: TagSet, start: np.ndarray, transitions: np.ndarray, end: np.ndarray
    ):
        self._start, self._transitions, self._end = (
            np.where(legal, weights.astype(np.float64), -np.inf)
            for legal, weights in (
                (tag_set.legal_start, start),
                (tag_set.legal_transitions, transitions),
                (tag_set.legal_end, end),
            )
        )

    def best_paths(
        self, emissions: np.ndarray, lengths: Sequence[int], allowed: np.ndarray | None = None
    ) -> list[np.ndarray]:
        """The best legal path of each sequence inside `allowed` (Viterbi 1967), int64 arrays."""
        layout = _Layout.of(lengths)
        scores = layout.padded(_limited(emissions, allowed))
        best = np.empty_like(scores)
        best[0] = self._start + scores[0]
        for t, n in layout.later_steps():
            before = best[t - 1, :n, :, None] + self._transitions
            best[t, :n] = before.max(axis=1) + scores[t, :n]
        tags = np.zeros(best.shape[:2], dtype=np.int64)
        for t, n, n_going_on in layout.steps_back():
            onward = best[t, :n] + self._end  # of those that end here
            if n_going_on:
                after = tags[t + 1, :n_going_on]
                onward[:n_going_on] = best[t, :n_going_on] + self._transitions.T[after]
            tags[t, :n] = onward.argmax(axis=1)
            if not np.isfinite(onward.max(axis=1)).all():
                raise ValueError(_NO_PATH)
        return layout.unpadded(tags)

    def stretch_probabilities(
        self,
        emissions: np.ndarray,
        lengths: Sequence[int],
        stretches: Sequence[tuple[int, int, Sequence[int]]],
        closing: np.ndarray,
        allowed: np.ndarray | None = None,
        temperature: float = 1.0,
    ) -> np.ndarray:
        """The exact posterior probability of each stretch of tags, (n_stretches,), by one
        forward-backward (Rabiner 1989).

        stretches: (sequence, start, tags) each: `tags[i]` on token `start + i`.
        closing: (tags,) bool, the tags that the token after a stretch may have.
        temperature: what all scores are divided by.
        """
        if not stretches:
            return np.zeros(0)
        layout = _Layout.of(lengths)
        chain = self._chain(layout, _limited(emissions, allowed), temperature)
        places = np.argsort(layout.order)
        return np.asarray(
            [
                chain.probability(int(places[sequence]), start, tags, closing, lengths[sequence])
                for sequence, start, tags in stretches
            ]
        )

    def _chain(self, layout: "_Layout", scores: np.ndarray, temperature: float) -> "_Chain":
        emissions = layout.padded(scores / temperature)
        moves, end = self._transitions / temperature, self._end / temperature
        forward, backward = np.empty_like(emissions), np.empty_like(emissions)
        forward[0] = self._start / temperature + emissions[0]
        for t, n in layout.later_steps():
            forward[t, :n] = _summed(forward[t - 1, :n], moves) + emissions[t, :n]
        for t, n, n_going_on in layout.steps_back():
            backward[t, n_going_on:n] = end
            if n_going_on:
                after = emissions[t + 1, :n_going_on] + backward[t + 1, :n_going_on]
                backward[t, :n_going_on] = _summed(after, moves.T)
        partitions = _log_sum(forward[0] + backward[0])
        if not np.isfinite(partitions).all():
            raise ValueError(_NO_PATH)
        return _Chain(emissions, moves, forward, backward, partitions)


class _Layout(NamedTuple):
    """Sequences sorted by length, the longest first, one step after the other.

    order: which sequence is in each place. lengths: by place.
    """

    order: np.ndarray
    lengths: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, lengths: Sequence[int]) -> "_Layout":
        given = np.asarray(lengths, dtype=np.int64)
        order = np.argsort(-given, kind="stable")
        return cls(order, given[order], (np.cumsum(given) - given)[order])

    def padded(self, rows: np.ndarray) -> np.ndarray:
        """(n_tokens, tags) to (longest, sequences, tags), 0 in padding."""
        steps = np.arange(self.lengths[0])[:, None]
        is_token = steps < self.lengths
        found = np.zeros((*is_token.shape, rows.shape[1]))
        found[is_token] = rows[(steps + self.starts)[is_token]]
        return found

    def unpadded(self, values: np.ndarray) -> list[np.ndarray]:
        """(longest, sequences) to an array for each sequence, in the order in which they came."""
        places = np.argsort(self.order)
        return [values[: self.lengths[place], place].copy() for place in places]

    def later_steps(self) -> list[tuple[int, int]]:
        """Each step but the first, with how many sequences are so long."""
        counts = self._counts()
        return [(t, counts[t]) for t in range(1, len(counts) - 1)]

    def steps_back(self) -> list[tuple[int, int, int]]:
        """Each step from the last on, with how many sequences reach it and how many go on."""
        counts = self._counts()
        return [(t, counts[t], counts[t + 1]) for t in range(len(counts) - 2, -1, -1)]

    def _counts(self) -> list[int]:
        steps = np.arange(self.lengths[0] + 1)[:, None]
        counts: list[int] = (steps < self.lengths).sum(axis=1).tolist()
        return counts


class _Chain(NamedTuple):
    """emissions, forward, backward: (longest, sequences, tags), log weights: of the tokens, of all
    that comes before with them, and of all that comes after without them. moves: (tags, tags).
    partitions: (sequences,), of all paths."""

    emissions: np.ndarray
    moves: np.ndarray
    forward: np.ndarray
    backward: np.ndarray
    partitions: np.ndarray

    def probability(
        self, place: int, start: int, tags: Sequence[int], closing: np.ndarray, length: int
    ) -> float:
        """Of a stretch, by the chain rule: its first tag, then each given the one before it, so
        that nothing large is subtracted from something large."""
        last = tags[0]
        joint = self.forward[start, place, last] + self.backward[start, place, last]
        found = np.exp(joint - self.partitions[place])
        for t, tag in enumerate(tags[1:], start + 1):
            found *= self._following(t, place, last)[tag]
            last = tag
        after = start + len(tags)
        if after < length:
            found *= self._following(after, place, last)[closing].sum()
        return float(found)

    def _following(self, t: int, place: int, before: int) -> np.ndarray:
        """(tags,), the probability of each at a token, given that of the token before it."""
        of_all = self.backward[t - 1, place, before]
        if of_all == -np.inf:
            return np.zeros(len(self.moves))
        after = self.emissions[t, place] + self.backward[t, place]
        following: np.ndarray = np.exp(self.moves[before] + after - of_all)
        return following


def _summed(before: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Log of the sum over tags of exp(before + move): (n, tags) by (tags, tags) as from × to."""
    highest = before.max(axis=1, keepdims=True)
    highest[highest == -np.inf] = 0.0
    with np.errstate(divide="ignore"):
        found = np.log(np.exp(before - highest) @ np.exp(moves)) + highest
    # Where nothing is left of the weights that count here, they are added up by themselves.
    lost = (found == -np.inf).any(axis=1)
    if lost.any():
        found[lost] = _log_sum(before[lost, :, None] + moves, axis=1)
    return found


def _log_sum(logs: np.ndarray, axis: int = -1) -> np.ndarray:
    highest = logs.max(axis=axis, keepdims=True)
    highest[highest == -np.inf] = 0.0
    with np.errstate(divide="ignore"):
        total: np.ndarray = np.log(np.exp(logs - highest).sum(axis=axis)) + highest.squeeze(axis)
    return total


_NO_PATH = (
    "A sequence has no legal path: look for tokens whose allowed tags cannot follow one another."
)


def _limited(emissions: np.ndarray, allowed: np.ndarray | None) -> np.ndarray:
    scores = emissions.astype(np.float64)
    return scores if allowed is None else np.where(allowed, scores, -np.inf)
