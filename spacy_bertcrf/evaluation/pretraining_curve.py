"""The plot of a pretraining: the loss of masked words over the steps."""

from collections.abc import Mapping, Sequence
from typing import Any

from spacy_bertcrf.evaluation.figure_file import image, import_matplotlib
from spacy_bertcrf.evaluation.training_curves import COLOURS, LEGEND, LINES, PANEL_INCHES

SERIES = (("loss", "training"), ("eval_loss", "held out"))


def plot_pretraining(log: Sequence[Mapping[str, Any]], format: str = "svg") -> bytes:
    """Draw the loss in training, and on held-out text where there is some.

    log: records with "step" and "loss" or "eval_loss", as transformers' Trainer keeps them.
    format: "svg", its text as text, "png" or "pdf".

    Returns the content of the image file. Raises ImportError without matplotlib, and ValueError
    if there is no loss in the log.
    """
    import_matplotlib()
    import matplotlib
    from matplotlib.figure import Figure

    curves = {
        said: [(record["step"], record[name]) for record in log if name in record]
        for name, said in SERIES
    }
    if not any(curves.values()):
        raise ValueError("There is no loss to draw.")
    with matplotlib.rc_context({"font.size": 9}):
        figure = Figure(layout="constrained")
        figure.set_size_inches(PANEL_INCHES[0], 1.2 * PANEL_INCHES[1])
        axes = figure.subplots()
        styles = zip(COLOURS, LINES, ("", "o"), strict=False)
        for (said, points), (colour, line, marker) in zip(curves.items(), styles, strict=False):
            if points:
                steps, losses = zip(*points, strict=True)
                axes.plot(
                    steps, losses, color=colour, linestyle=line, marker=marker, markersize=3,
                    linewidth=1.4, label=said,
                )  # fmt: skip
        axes.set_xlabel("step")
        axes.set_ylabel("loss a masked wordpiece (nats)")
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.set_xlim(left=0)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
        axes.legend(**LEGEND)
        return image(figure, format)
