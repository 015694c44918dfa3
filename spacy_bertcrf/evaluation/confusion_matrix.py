"""The plot of which classes are taken for which."""

import numpy as np

from spacy_bertcrf.evaluation.confusion import Confusion
from spacy_bertcrf.evaluation.figure_file import fonts_for, image, import_matplotlib

INCHES_A_CLASS = 0.42
MARGIN_INCHES = 2.2
MOST_WITH_NUMBERS = 40  # with more classes, numbers would run into each other


def plot_confusion(confusion: Confusion, format: str = "svg") -> tuple[bytes, str]:
    """A square for each pair of gold and predicted class: its colour is the share of the gold
    class, and its number how many texts.

    format: "svg", its text as text, "png" or "pdf".

    Returns the content of the image file, and the characters that no installed font has. Raises
    ImportError without matplotlib.
    """
    import_matplotlib()
    import matplotlib
    from matplotlib.figure import Figure

    labels, counts = confusion.labels, confusion.counts
    fonts, missing = fonts_for(labels)
    with matplotlib.rc_context({"font.family": fonts}):
        side = min(MARGIN_INCHES + INCHES_A_CLASS * len(labels), 24.0)
        figure = Figure(figsize=(side, side), layout="constrained")
        axes = figure.subplots()
        shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        ticks = range(len(labels))
        axes.set_xticks(ticks, labels, rotation=45, ha="right", rotation_mode="anchor", fontsize=8)
        axes.set_yticks(ticks, labels, fontsize=8)
        axes.set(xlabel="predicted", ylabel="gold")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        if len(labels) <= MOST_WITH_NUMBERS:
            for i, j in zip(*np.nonzero(counts), strict=True):
                colour = "white" if shares[i, j] > 0.6 else "#333333"
                axes.text(
                    j, i, str(counts[i, j]), ha="center", va="center", fontsize=7, color=colour
                )
        axes.set_title(
            f"accuracy {confusion.accuracy:.1%}, macro F1 {confusion.macro_f:.1%}", fontsize=9
        )
        return image(figure, format), missing
