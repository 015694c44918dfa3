"""The plot of accuracy over confidence."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from spacy_bertcrf.evaluation.calibration import Calibration
from spacy_bertcrf.evaluation.figure_file import image, import_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANEL_INCHES = 3.6
COLOUR = "#2a6f97"


def plot_reliability(calibrations: Mapping[str, Calibration], format: str = "svg") -> bytes:
    """Reliability diagrams (Guo et al. 2017) side by side.

    calibrations: one or more, each with its title.
    format: "svg", its text as text, "png" or "pdf".

    Returns the content of the image file. Raises ImportError without matplotlib.
    """
    import_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(PANEL_INCHES * len(calibrations), PANEL_INCHES), layout="constrained")
    panels = figure.subplots(1, len(calibrations), sharey=True, squeeze=False)[0]
    for axes, (title, calibration) in zip(panels, calibrations.items(), strict=True):
        draw_reliability(axes, calibration, title)
    panels[0].set_ylabel("share that is right")
    return image(figure, format)


def draw_reliability(axes: "Axes", calibration: Calibration, title: str = "") -> None:
    """Draw a bar for every bin that has entities: how many of them are right, and above it their
    number. Where the scores say how often an entity is right, the bars end on the diagonal."""
    edges, counts = calibration.edges, calibration.counts
    width = edges[1] - edges[0]
    used = counts > 0
    axes.bar(
        edges[:-1][used],
        calibration.accuracy[used],
        width=width,
        align="edge",
        color=COLOUR,
        edgecolor="white",
        linewidth=0.8,
    )
    for i in np.flatnonzero(counts):
        at = (edges[i] + width / 2, calibration.accuracy[i] + 0.01)
        axes.text(*at, str(counts[i]), ha="center", va="bottom", fontsize=6, color="#555555")
    axes.plot([0, 1], [0, 1], color="#555555", linewidth=1, linestyle=(0, (4, 3)))
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="score")
    axes.spines[["top", "right"]].set_visible(False)
    error = f"calibration error {calibration.error:.1%} ({len(counts)} bins)"
    axes.set_title(f"{title}\n{error}" if title else error, fontsize=9, pad=14)
