"""The plot of accuracy over confidence."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .calibration import Calibration

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SUFFIXES = (".svg", ".png")
PANEL_INCHES = 3.6
COLOUR = "#2a6f97"


def check_plot(path: Path) -> None:
    """Raise ValueError if a plot cannot be written there, and ImportError without matplotlib."""
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"A plot is written as {' or '.join(SUFFIXES)}, not as {path}.")
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(f"{path} cannot be written: name a file in a folder that exists.")
    _import_matplotlib()


def plot_reliability(calibrations: Mapping[str, Calibration], format: str = "svg") -> bytes:
    """Reliability diagrams (Guo et al. 2017) side by side.

    calibrations: one or more, each with its title.
    format: "svg", its text as text, or "png".

    Returns the content of the image file. Raises ImportError without matplotlib.
    """
    _import_matplotlib()
    import matplotlib
    from matplotlib.figure import Figure

    image = io.BytesIO()
    # The same figures give the same file.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "reliability"}):
        figure = Figure(
            figsize=(PANEL_INCHES * len(calibrations), PANEL_INCHES), layout="constrained"
        )
        panels = figure.subplots(1, len(calibrations), sharey=True, squeeze=False)[0]
        for axes, (title, calibration) in zip(panels, calibrations.items(), strict=True):
            draw_reliability(axes, calibration, title)
        panels[0].set_ylabel("share that is right")
        metadata = {"Date": None} if format == "svg" else None
        figure.savefig(image, format=format, dpi=150, metadata=metadata)
    return image.getvalue()


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


def _import_matplotlib() -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError as err:
        raise ImportError(
            "Plots are drawn by matplotlib. Install it: pip install 'spacy-bertcrf[plot]'"
        ) from err
