"""`python -m spacy bertcrf mean-scores`: the scores of several trainings in one table."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from wasabi import msg

from spacy_bertcrf.cli import bertcrf_app

if TYPE_CHECKING:
    from spacy_bertcrf.evaluation.mean_scores import ScoreKey, Spread

COLUMNS = ("p", "r", "f")


@bertcrf_app.command("mean-scores")
def mean_scores_cli(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="SCORES.json...",
            help="What `spacy evaluate --output` wrote, or a pipeline's meta.json; one a training",
        ),
    ],
) -> None:
    """Print the mean and the standard deviation of scores over several trainings: the folds of a
    cross-validation, or seeds.

    The deviation is that of the sample, over n - 1. A score that not all files have, as that of a
    rare label, says how many do.
    """
    from spacy_bertcrf.evaluation.mean_scores import mean_scores, read_scores

    try:
        samples = [read_scores(path) for path in files]
    except (ValueError, OSError) as err:
        msg.fail("No scores were read", str(err), exits=1)
    if len(samples) < 2:
        msg.warn("There is one file alone, and no spread: give those of all folds.")
    found = mean_scores(samples)
    header, rows = ["", "P", "R", "F", "score"], _rows(found, len(samples))
    if not any(row[-1] for row in rows):
        header, rows = header[:-1], [row[:-1] for row in rows]
    aligns = ["l", *"rrrr"][: len(header)]
    msg.table(rows, header=header, aligns=aligns, divider=True)
    msg.text(f"Mean ± standard deviation of {len(samples)} files, in percent")


def _rows(found: "Mapping[ScoreKey, Spread]", n: int) -> list[tuple[str, ...]]:
    """A row for all that has P, R and F in common."""
    rows: dict[tuple[str, str | None], dict[str, str]] = {}
    for (name, label), spread in found.items():
        stem, _, part = name.rpartition("_")
        if part not in COLUMNS:
            stem, part = name, "score"
        text = f"{spread.mean:.2%} ± {spread.deviation:.2%}".replace("%", "")
        if spread.n < n:
            text += f" ({spread.n} of {n})"
        rows.setdefault((stem, label), {})[part] = text
    return [
        (
            stem if label is None else f"{stem} {label}",
            *(row.get(part, "") for part in (*COLUMNS, "score")),
        )
        for (stem, label), row in rows.items()
    ]
