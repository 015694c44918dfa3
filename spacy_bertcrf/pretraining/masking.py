"""Which wordpieces of a sequence are masked, and what stands in their place."""

from typing import NamedTuple

import numpy as np

MASKINGS = ("words", "ngrams", "pieces")
NGRAM_SHARES = (0.4, 0.3, 0.2, 0.1)
IGNORED = -100  # no loss where the label is this, to torch and transformers


class Sequence(NamedTuple):
    """Wordpieces as the model reads them, special tokens among them.

    ids: (n_pieces,) int64.
    begins: (n_pieces,) bool, whether a word begins with the piece.
    is_text: (n_pieces,) bool, false for special tokens.
    """

    ids: np.ndarray
    begins: np.ndarray
    is_text: np.ndarray


class Masking:
    """Draws masks for masked-language modelling (Devlin et al. 2019).

    kind: "words" masks all wordpieces of a word together (Cui et al. 2019,
        https://arxiv.org/abs/1906.08101), "ngrams" one to four words in a row, with probabilities
        of 40, 30, 20 and 10 % (Cui et al. 2020, https://arxiv.org/abs/2004.13922; with [MASK] in
        the place of similar words), "pieces" every wordpiece for itself.
    share: of the wordpieces of a sequence, how many are predicted; at least one is. Of these
        80 % become [MASK], 10 % a random wordpiece, and 10 % stay.
    mask_id: of [MASK].
    random_ids: (n,) int64, the wordpieces from which random ones are drawn.

    Raises ValueError for another kind, or a share that is not between 0 and 1.
    """

    def __init__(self, kind: str, share: float, mask_id: int, random_ids: np.ndarray):
        if kind not in MASKINGS:
            raise ValueError(f"masking is '{kind}'; it can be {', '.join(MASKINGS)}.")
        if not 0 < share < 1:
            raise ValueError(f"The share of masked wordpieces is {share}; it is between 0 and 1.")
        self.kind = kind
        self.share = share
        self.mask_id = mask_id
        self.random_ids = random_ids

    def __call__(
        self, sequence: Sequence, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """The ids that the model reads and its labels, both (n_pieces,) int64; a label is
        `IGNORED` where nothing is to be predicted."""
        chosen = np.flatnonzero(self.choose(sequence, rng))
        labels = np.full(len(sequence.ids), IGNORED, dtype=np.int64)
        labels[chosen] = sequence.ids[chosen]
        ids = sequence.ids.copy()
        fate = rng.random(len(chosen))
        ids[chosen[fate < 0.8]] = self.mask_id
        replaced = chosen[(fate >= 0.8) & (fate < 0.9)]
        ids[replaced] = rng.choice(self.random_ids, len(replaced))
        return ids, labels

    def choose(self, sequence: Sequence, rng: np.random.Generator) -> np.ndarray:
        """(n_pieces,) bool, the pieces that are to be predicted: whole words, or n-grams of whole
        words, as many as fit into the share."""
        is_text = sequence.is_text
        chosen = np.zeros(len(is_text), dtype=bool)
        n_text = int(is_text.sum())
        budget = max(1, round(self.share * n_text))
        if self.kind == "pieces":
            chosen[rng.permutation(np.flatnonzero(is_text))[:budget]] = True
            return chosen
        starts = np.flatnonzero(sequence.begins)
        bounds = np.append(starts, len(is_text)).tolist()
        free = is_text[starts].tolist()
        order = rng.permutation(np.flatnonzero(free)).tolist()
        lengths = self._lengths(len(order), rng)
        for first, length in zip(order, lengths, strict=True):
            last = first
            while last < len(free) and last - first < length and free[last]:
                last += 1
            # Shorter n-grams and words may still fit where this one does not.
            while last > first and bounds[last] - bounds[first] > budget:
                last -= 1
            if last == first:
                continue
            free[first:last] = [False] * (last - first)
            chosen[bounds[first] : bounds[last]] = True
            budget -= bounds[last] - bounds[first]
            if not budget:
                break
        if n_text and not chosen.any():  # the only word is longer than the budget
            chosen[rng.choice(np.flatnonzero(is_text))] = True
        return chosen

    def _lengths(self, n: int, rng: np.random.Generator) -> list[int]:
        if self.kind == "words":
            return [1] * n
        lengths: list[int] = rng.choice(len(NGRAM_SHARES), n, p=NGRAM_SHARES).tolist()
        return [length + 1 for length in lengths]
