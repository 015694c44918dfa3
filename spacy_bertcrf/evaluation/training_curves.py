"""The plot of a training: losses and F1 over the steps."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_bertcrf.evaluation.figure_file import fonts_for, image, import_matplotlib
from spacy_bertcrf.evaluation.training_log import TrainingLog

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_INCHES = (7.0, 2.6)
GREY = "#555555"
LEGEND: dict[str, Any] = {"fontsize": 8, "edgecolor": "none", "framealpha": 0.9}
LOG_SCALE_FROM = 20.0  # times the smallest loss
# Okabe and Ito's, that most colour-blind people can tell apart, the yellow left out.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
LINES = ("-", (0, (5, 1.5)), (0, (1, 1.2)))


def check_curves(
    logs: Mapping[str, TrainingLog], component: str, score: str, by_label: bool
) -> None:
    """Raise ValueError if what is to be drawn is not in the logs."""
    if by_label and len(logs) > 1:
        raise ValueError("The scores by label are drawn of one log alone.")
    for name, log in logs.items():
        for keys, option in ((("losses", component), "component"), (("scores", score), "score")):
            if not len(log.series(*keys)[0]):
                numbers = [n for n in log.names(keys[0]) if len(log.series(keys[0], n)[0])]
                found = ", ".join(numbers) or "none"
                raise ValueError(
                    f"The log {name} has no {keys[0]} of '{keys[1]}'; it has: {found}. "
                    f"Name one with --{option}."
                )
        if by_label and not log.names("scores", _per_type(score)):
            raise ValueError(f"The log {name} has no scores by label ({_per_type(score)}).")


def plot_training(
    logs: Mapping[str, TrainingLog],
    format: str = "svg",
    *,
    component: str = "bertcrf",
    score: str = "ents_f",
    by_label: bool = False,
) -> tuple[bytes, str]:
    """Panels one above the other over the steps: the loss in training and on the development
    corpus; the score there, its best step marked; and the same by label.

    logs: one or more, each with its name.
    format: "svg", its text as text, "png" or "pdf".
    component: whose losses are drawn.
    score: as components' scorers name it: precision (_p), recall (_r) or F1 (_f).
    by_label: draw the score of each label too, of one log alone.

    Returns the content of the image file, and the characters that no installed font has: in a
    PNG or PDF they are drawn as boxes. Raises ImportError without matplotlib, and ValueError as
    `check_curves`.
    """
    import_matplotlib()
    import matplotlib
    from matplotlib.figure import Figure

    check_curves(logs, component, score, by_label)
    labels = next(iter(logs.values())).names("scores", _per_type(score)) if by_label else []
    names = logs if len(logs) > 1 else ()  # the name of one log is not drawn
    fonts, missing = fonts_for([*names, *labels, score])
    with matplotlib.rc_context({"font.family": fonts, "font.size": 9}):
        figure = Figure(layout="constrained")
        heights = [1.0, 1.0, 1.3][: 3 if by_label else 2]
        figure.set_size_inches(PANEL_INCHES[0], PANEL_INCHES[1] * sum(heights))
        panels = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
        _draw_losses(panels[0], logs, component)
        _draw_scores(panels[1], logs, score)
        if by_label:
            log = next(iter(logs.values()))
            _draw_labels(panels[2], log, labels, score)
        _finish(figure, panels)
        return image(figure, format), "" if format == "svg" else missing


def _draw_losses(axes: "Axes", logs: Mapping[str, TrainingLog], component: str) -> None:
    from matplotlib.ticker import LogLocator

    several = len(logs) > 1
    drawn: list[np.ndarray] = []
    for colour, (name, log) in zip(_colours(len(logs)), logs.items(), strict=True):
        steps, losses = log.series("losses", component)
        dev_steps, dev_losses = log.series("dev_losses", component)
        means = interval_means(log.series("score")[0], steps, losses)
        axes.plot(steps, losses, color=colour, linewidth=0.6, alpha=0.35)
        label = f"{name}, training" if several else "training (mean between evaluations)"
        axes.plot(*means, color=colour, linewidth=1.4, label=label)
        if len(dev_steps):
            label = f"{name}, development" if several else "development"
            dev_colour = colour if several else COLOURS[1]
            axes.plot(
                dev_steps,
                dev_losses,
                color=dev_colour,
                linewidth=1.4,
                linestyle=LINES[1],
                marker="o",
                markersize=2.5,
                label=label,
            )
        drawn += [means[1], dev_losses]
    values = np.concatenate(drawn)
    values = values[np.isfinite(values)]
    if len(values) and values.min() > 0 and values.max() > LOG_SCALE_FROM * values.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
    axes.set_ylabel("loss")
    axes.legend(**LEGEND)


def _draw_scores(axes: "Axes", logs: Mapping[str, TrainingLog], score: str) -> None:
    for colour, (name, log) in zip(_colours(len(logs)), logs.items(), strict=True):
        steps, scores = log.series("scores", score)
        axes.plot(steps, 100 * scores, color=colour, linewidth=1.4, marker="o", markersize=2.5)
        best = log.best_step
        at_best = np.flatnonzero(steps == best)
        said = name
        if best is not None and len(at_best):
            height = 100 * scores[at_best[0]]
            axes.plot([best], [height], marker="*", markersize=11, color=colour, zorder=3)
            axes.axvline(best, color=colour, linewidth=0.7, linestyle=LINES[2])
            said = f"best: {height:.1f} at step {best:,}"
            said = f"{name}, {said}" if len(logs) > 1 else said
        axes.plot([], [], color=colour, marker="*", markersize=8, linewidth=1.4, label=said)
    axes.set_ylabel(f"{_score_name(score)} on development (%)")
    axes.legend(**LEGEND, loc="lower right")


def _draw_labels(axes: "Axes", log: TrainingLog, labels: Sequence[str], score: str) -> None:
    letter = score.rsplit("_", 1)[-1]
    curves = {label: log.series("scores", _per_type(score), label, letter) for label in labels}
    best = log.best_step
    at_best = {
        label: float(scores[steps == best][-1]) if (steps == best).any() else 0.0
        for label, (steps, scores) in curves.items()
    }
    # In the legend's order, the lines lie at the best step.
    for i, label in enumerate(sorted(labels, key=lambda label: -at_best[label])):
        steps, scores = curves[label]
        axes.plot(
            steps,
            100 * scores,
            color=COLOURS[i % len(COLOURS)],
            linestyle=LINES[i // len(COLOURS) % len(LINES)],
            linewidth=1.2,
            label=f"{label}  {100 * at_best[label]:.1f}",
        )
    if best is not None:
        axes.axvline(best, color=GREY, linewidth=0.7, linestyle=LINES[2])
    axes.set_ylabel(f"{_score_name(score)} by label (%)")
    axes.legend(
        **LEGEND,
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        title=f"at step {best:,}" if best is not None else None,
        title_fontsize=8,
    )


def _finish(figure: "Figure", panels: Sequence["Axes"]) -> None:
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
    panels[-1].set_xlabel("step")
    panels[-1].xaxis.set_major_formatter("{x:,.0f}")
    panels[-1].set_xlim(left=0)
    figure.align_ylabels(list(panels))


def interval_means(
    evaluated: np.ndarray, steps: np.ndarray, losses: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The mean loss of the steps up to each evaluation since the one before, and the middle of
    these steps. Each loss is itself a mean, of the steps since the loss before."""
    n_steps = np.diff(steps, prepend=-1)
    groups = np.searchsorted(evaluated, steps)
    kept = groups < len(evaluated)
    weights = np.bincount(groups[kept], n_steps[kept], len(evaluated))
    sums = np.bincount(groups[kept], (losses * n_steps)[kept], len(evaluated))
    used = weights > 0
    return (evaluated - (weights - 1) / 2)[used], sums[used] / weights[used]


def _colours(n: int) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(n)]


def _per_type(score: str) -> str:
    return f"{score.rsplit('_', 1)[0]}_per_type"


def _score_name(score: str) -> str:
    return {"ents_f": "F1", "ents_p": "precision", "ents_r": "recall"}.get(score, score)
