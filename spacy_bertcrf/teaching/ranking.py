"""The order in which annotating texts teaches most."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from spacy_bertcrf.teaching.survey import Surveyed

DEFAULT = "entropy"
N_RECENT = 10  # texts that the next one should not be like
N_CANDIDATES = 200  # the most uncertain ones, among which likeness decides


def least_sure(text: Surveyed) -> float:
    """How improbable the least probable entity is; 0 without entities."""
    return 1 - min(text.uncertainty.entities.values(), default=1.0)


RANKINGS: Mapping[str, Callable[[Surveyed], float]] = {
    "entropy": lambda text: text.uncertainty.entropy,
    "entropy-per-token": lambda text: text.uncertainty.entropy / max(1, text.n_tokens),
    "wrong-tokens": lambda text: text.uncertainty.wrong_tokens,
    "least-sure-entity": least_sure,
}


def rank(
    texts: Sequence[Surveyed], by: str = DEFAULT, n: int | None = None, varied: bool = True
) -> list[int]:
    """The places of the texts in the order in which to annotate them, n of them at most.

    by: a key of RANKINGS.
    varied: whether a text like the N_RECENT before it comes later: of the N_CANDIDATES most
        uncertain ones that are left, the next is that with the highest value once this is weighed
        by how little it is like them, 1 less the mean cosine of the texts' mean vectors, as they
        deviate from the mean of all texts, cosines below 0 being 0. The vectors of a trained
        encoder tell labels as well as subjects apart.

    Raises ValueError for another ranking.
    """
    if by not in RANKINGS:
        raise ValueError(f"There is no ranking '{by}', only {', '.join(RANKINGS)}.")
    values = np.array([RANKINGS[by](text) for text in texts], dtype=np.float64)
    order = np.argsort(-values, kind="stable")
    n = len(order) if n is None else min(n, len(order))
    if not varied or n == 0:
        return [int(i) for i in order[:n]]
    return _varied(order, values, _directions(texts), n)


def _directions(texts: Sequence[Surveyed]) -> np.ndarray:
    """(n_texts, width), each of length 1, or 0 for a text like the mean."""
    width = max(len(text.vector) for text in texts)
    # A text without tokens may have none.
    empty = np.zeros(width, dtype=np.float32)
    vectors = np.stack([text.vector if len(text.vector) else empty for text in texts])
    vectors = vectors.astype(np.float64)
    vectors -= vectors.mean(0)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1.0)


def _varied(order: np.ndarray, values: np.ndarray, directions: np.ndarray, n: int) -> list[int]:
    candidates, rest = list(order[:N_CANDIDATES]), iter(order[N_CANDIDATES:])
    chosen: list[int] = []
    while len(chosen) < n:
        recent = directions[chosen[-N_RECENT:]]
        likeness = (directions[candidates] @ recent.T).clip(0).sum(1) / max(1, len(recent))
        place = int(np.argmax(values[candidates] * (1 - likeness)))
        chosen.append(int(candidates.pop(place)))
        candidates.extend(i for i in (next(rest, None),) if i is not None)
    return chosen
