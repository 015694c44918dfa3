"""`python -m spacy bertcrf select`: the texts whose annotation teaches most, first."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from wasabi import msg

from spacy_bertcrf.cli import bertcrf_app
from spacy_bertcrf.cli.devices import use_device
from spacy_bertcrf.cli.text_files import (
    KINDS,
    Delimiter,
    IdField,
    Keep,
    Quotes,
    TextField,
    WholeFiles,
    warn_of_failed,
    warn_of_left_out,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from spacy_bertcrf.annotation.rows import Row
    from spacy_bertcrf.annotation.settings import Settings
    from spacy_bertcrf.teaching.survey import Surveyed

RANKINGS = ("entropy", "entropy-per-token", "wrong-tokens", "least-sure-entity")
Ranking = Enum("Ranking", {name: name for name in RANKINGS})  # type: ignore[misc]


@bertcrf_app.command("select")
def select_cli(
    pipeline: Annotated[str, typer.Argument(help="A trained pipeline: its folder or package")],
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="RAW... OUT.jsonl",
            help=f"{KINDS}; at last, the file to write",
        ),
    ],
    n: Annotated[int | None, typer.Option(help="So many texts  [default: all]", min=1)] = None,
    by: Annotated[Ranking, typer.Option(help="What the most uncertain text is")] = Ranking[
        "entropy"
    ],
    varied: Annotated[
        bool, typer.Option("--varied/--plain", help="Keep texts that are alike apart")
    ] = True,
    exclude: Annotated[
        list[Path] | None,
        typer.Option(help="A .jsonl file with texts to leave out; may be given several times"),
    ] = None,
    text_field: TextField = "text",
    id_field: IdField = None,
    keep: Keep = None,
    whole_files: WholeFiles = False,
    delimiter: Delimiter = None,
    quotes: Quotes = True,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """Choose the texts whose annotation teaches a pipeline most: a JSON line a text, the most
    instructive first, with its entropy.

    The measure is exact: the entropy of the CRF's distribution over all readings of a text. What
    the pipeline finds in a text is not written, for nobody has looked at it yet.
    """
    from spacy import load

    from spacy_bertcrf.annotation.settings import Settings
    from spacy_bertcrf.teaching.ordering import in_teaching_order

    if len(paths) < 2:
        msg.fail("Give the files with texts, and at last the file to write", exits=1)
    output = Path(paths[-1])
    try:
        settings = Settings(
            text_field=text_field,
            id_field=id_field,
            keep=tuple(keep or ()),
            save_texts=True,
            whole_files=whole_files,
            delimiter=delimiter,
            quotes=quotes,
        )
        rows = raw_rows(paths[:-1], output, settings, exclude or [])
        use_device(gpu_id)
        with reading_bar(len(rows)) as tell:
            ordered = in_teaching_order(
                load(pipeline), rows, by=by.value, n=n, varied=varied, tell=tell
            )
        warn_of_failed([(row.place, reason) for row, reason in ordered.failed])
        _write(output, ordered.rows, ordered.surveyed)
    except (ValueError, OSError, ImportError) as error:
        msg.fail("No texts were selected", str(error), exits=1)
    msg.good(f"Wrote {len(ordered.rows):,} of {len(rows):,} texts to {output}")


def raw_rows(
    names: "Sequence[str]", output: Path, settings: "Settings", exclude: "Sequence[Path]"
) -> "list[Row]":
    """The texts of files, after telling what is left out. Raises ValueError if there is none, and
    if the output is one of the files."""
    from spacy_bertcrf.teaching.raw_texts import read_raw_texts, without

    if any(Path(name).resolve() == output.resolve() for name in names):
        raise ValueError(f"{output} would be written over while it is read. Write to another file.")
    raw = read_raw_texts(names, output, settings)
    warn_of_left_out(raw.left_out)
    warn_of_failed([(row.place, row.fault or "") for row in raw.faulty])
    if raw.n_blank or raw.n_equal:
        msg.info(f"Left out: {raw.n_blank:,} blank texts, {raw.n_equal:,} that were there already")
    rows = raw.rows
    for path in exclude:
        known = read_raw_texts([str(path)], output, settings)
        rows = without(rows, [row.text for row in known.rows if row.text is not None])
    if exclude:
        msg.info(f"Left out: {len(raw.rows) - len(rows):,} texts that are to be excluded")
    if not rows:
        raise ValueError("There is no text to choose from.")
    return rows


@contextmanager
def reading_bar(n_texts: int) -> "Iterator[Callable[[int], Any]]":
    """A progress bar of texts for a with block, and what moves it."""
    from tqdm import tqdm

    with tqdm(total=n_texts, unit=" texts", smoothing=0.1, file=sys.stderr) as bar:
        yield bar.update


def _write(path: Path, rows: "Sequence[Row]", surveyed: "Sequence[Surveyed]") -> None:
    from spacy_bertcrf.annotation.results import json_line
    from spacy_bertcrf.annotation.whole_file import whole_file

    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        for row, of_text in zip(rows, surveyed, strict=True):
            entropy = round(of_text.uncertainty.entropy, 4)
            file.write(json_line({"id": row.id, "text": row.text, **row.kept, "entropy": entropy}))
