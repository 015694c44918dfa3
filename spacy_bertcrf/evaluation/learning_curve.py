"""Scores by the size of the training corpus, and what more of it would give."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from spacy_bertcrf.evaluation.figure_file import image, import_matplotlib

LEAST_SIZES = 3
N_ASYMPTOTES = 400
INCHES = (6.0, 3.8)
COLOUR, GREY = "#0072b2", "#555555"


class PowerLaw(NamedTuple):
    """What is missing to a score of 1 as a function of the number of documents n:
    `rest + scale * n ** -power` (Cortes et al. 1993; Hestness et al. 2017,
    https://arxiv.org/abs/1712.00409)."""

    rest: float
    scale: float
    power: float

    def score(self, n: float | np.ndarray) -> np.ndarray:
        """The score expected of n documents."""
        n = np.asarray(n, dtype=np.float64)
        score: np.ndarray = 1 - self.rest - self.scale * n**-self.power
        return score


def fit_power_law(scores: Mapping[int, Sequence[float]]) -> PowerLaw | None:
    """The power law nearest to the mean scores, by least squares.

    scores: by the number of documents, from 0 to 1, of one seed or several.

    Returns None with fewer than LEAST_SIZES sizes, and if the scores do not grow: no law of this
    kind says anything of them then.
    """
    sizes = np.asarray(sorted(scores), dtype=np.float64)
    missing = np.asarray([1 - np.mean(scores[int(n)]) for n in sizes])
    if len(sizes) < LEAST_SIZES or missing[-1] >= missing[0] or missing.min() <= 0:
        return None
    best, law = np.inf, None
    # Given what is left for ever, the rest is a line in logarithms.
    for rest in np.linspace(0, missing.min(), N_ASYMPTOTES, endpoint=False):
        slope, intercept = np.polyfit(np.log(sizes), np.log(missing - rest), 1)
        found = PowerLaw(float(rest), float(np.exp(intercept)), float(-slope))
        error = float(((1 - found.score(sizes) - missing) ** 2).sum())
        if slope < 0 and error < best:
            best, law = error, found
    return law


def plot_learning_curve(
    scores: Mapping[int, Sequence[float]], score: str, format: str = "svg"
) -> bytes:
    """The scores over the number of documents, each seed as a point, the mean as a line, and the
    power law as far as twice the corpus.

    score: its name.
    format: "svg", "png" or "pdf".

    Returns the content of the image file. Raises ImportError without matplotlib.
    """
    import_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=INCHES, layout="constrained")
    axes = figure.subplots()
    sizes = sorted(scores)
    for n in sizes:
        axes.plot([n] * len(scores[n]), scores[n], "o", color=COLOUR, alpha=0.5, markersize=4)
    means = [float(np.mean(scores[n])) for n in sizes]
    axes.plot(sizes, means, "-", color=COLOUR, linewidth=1.5, label="mean")
    law = fit_power_law(scores)
    if law is not None:
        grid = np.geomspace(sizes[0], 2 * sizes[-1], 100)
        axes.plot(grid, law.score(grid), "--", color=GREY, linewidth=1, label="power law")
    axes.set(xscale="log", xlabel="training documents", ylabel=score)
    axes.set_xticks(sizes, [f"{n:,}" for n in sizes])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, edgecolor="none")
    return image(figure, format)
