"""A report as one HTML file that needs nothing else."""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from spacy_bertcrf.evaluation.judged import Kind
from spacy_bertcrf.evaluation.report.excerpts import Excerpt, excerpts
from spacy_bertcrf.evaluation.report.tables import ALL, NOTHING, Report, tables

if TYPE_CHECKING:
    from jinja2 import Environment

N_COLOURS = 12  # of labels, in report.css; more labels share them


def report_page(report: Report, limit: int | None = None) -> str:
    """The report as HTML: the same for the same judged texts.

    limit: how many parts of texts with errors are shown at most, those the model is surest of
        first; None for all. What is left out is said.
    """
    content = tables(report)
    found = excerpts(report)
    shown: Sequence[Excerpt] = found if limit is None else found[:limit]
    labels = [row["label"] for row in content["scores"] if row["label"] != ALL]
    script = file("report.js")
    return (
        environment()
        .get_template("report.html")
        .render(
            content=content,
            report=report,
            excerpts=shown,
            n_left_out=len(found) - len(shown),
            labels=labels,
            colours={label: i % N_COLOURS for i, label in enumerate(labels)},
            kinds=[kind.value for kind in Kind if kind is not Kind.RIGHT],
            ALL=ALL,
            NOTHING=NOTHING,
            style=file("report.css"),
            script=script,
            script_hash=script_hash(script),
        )
    )


def script_hash(script: str) -> str:
    """What the page's policy allows to run: the SHA-256 of a script, in base64."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@cache
def environment() -> "Environment":
    """The templates of the pages."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=PackageLoader("spacy_bertcrf.evaluation.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(percent=_percent, probability=_probability, points=_points)
    return found


def file(name: str) -> str:
    """The content of a file beside the templates."""
    return files("spacy_bertcrf.evaluation.report").joinpath(name).read_text(encoding="utf8")


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def _points(value: float | None) -> str:
    return "" if value is None else f"{100 * value:+.1f}"


def _probability(value: float | None) -> str:
    """Rounded to where it still differs from 0 and 1."""
    if value is None:
        return ""
    text = f"{value:.2f}"
    if text == "0.00" and value > 0:
        return "< 0.01"
    return "> 0.99" if text == "1.00" and value < 1 else text
