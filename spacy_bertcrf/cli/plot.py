"""`python -m spacy bertcrf plot`: the curves of a training, as a figure."""

import os
from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from spacy_bertcrf.cli import bertcrf_app
from spacy_bertcrf.cli.missing_characters import warn_of_missing
from spacy_bertcrf.cli.progress import working


@bertcrf_app.command("plot")
def plot_cli(
    logs: Annotated[
        list[Path],
        typer.Argument(metavar="LOG.jsonl...", help="Logs of the logger spacy-bertcrf.JSONL.v1"),
    ],
    output: Annotated[
        Path, typer.Argument(metavar="FIGURE", help="A .svg, .png or .pdf file to write")
    ],
    component: Annotated[str, typer.Option(help="Whose loss to draw")] = "bertcrf",
    score: Annotated[str, typer.Option(help="Which score to draw")] = "ents_f",
    by_label: Annotated[
        bool, typer.Option("--by-label", help="Draw the score of each label too, of one log")
    ] = False,
) -> None:
    """Draw the loss in training, and the loss and F1 on the development corpus, over the steps.

    Several logs are drawn in one figure, to be compared.
    """
    from spacy_bertcrf.evaluation.figure_file import check_plot, write_whole
    from spacy_bertcrf.evaluation.training_curves import plot_training
    from spacy_bertcrf.evaluation.training_log import read_training_log

    try:
        check_plot(output)
        with working("Drawing"):
            read = {name: read_training_log(path) for name, path in named(logs).items()}
            content, missing = plot_training(
                read, output.suffix[1:].lower(), component=component, score=score, by_label=by_label
            )
        write_whole(output, content)
    except (ValueError, ImportError, OSError) as err:
        msg.fail("No figure was written", str(err), exits=1)
    warn_of_missing(missing)
    for name, log in read.items():
        if log.best_step is not None:
            msg.text(f"{name}: best at step {log.best_step:,} of {log.records[-1]['step']:,}")
    msg.good(f"Wrote the figure to {output}")


def named(logs: list[Path]) -> dict[str, Path]:
    """The logs by short names: the parts of their paths in which they differ.

    Raises ValueError if two do not differ.
    """
    parts = [list(Path(os.path.abspath(path)).with_suffix("").parts) for path in logs]
    if len(logs) == 1:
        return {parts[0][-1]: logs[0]}
    if len(set(map(tuple, parts))) < len(logs):
        raise ValueError("A log is given twice, or two logs differ in their ending alone.")
    for end in (-1, 0):
        while len({part[end] for part in parts}) == 1 and all(len(part) > 1 for part in parts):
            for part in parts:
                part.pop(end)
    return {"/".join(part): path for part, path in zip(parts, logs, strict=True)}
