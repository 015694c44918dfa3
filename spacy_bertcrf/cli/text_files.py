"""What commands that read files with texts ask and say of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

KINDS = ".jsonl, .csv, .tsv, .txt (also .gz or .zst) or .parquet files, folders or globs"
SHOWN = 3  # of what is not read

TextField = Annotated[str, typer.Option(help="Column or key of the texts")]
IdField = Annotated[
    str | None,
    typer.Option(help="Column or key of the ids  [default: id; else made of file and line]"),
]
Keep = Annotated[
    list[str] | None,
    typer.Option(help="A column that is written too; may be given several times"),
]
WholeFiles = Annotated[
    bool, typer.Option("--whole-files", help="Each .txt file is one text, not each line")
]
Delimiter = Annotated[
    str | None, typer.Option(help="Between the columns of .csv files  [default: a comma]")
]

Quotes = Annotated[
    bool,
    typer.Option(help="Fields of .csv and .tsv files may stand in quotes; else these are text"),
]


def warn_of_left_out(files: Sequence[Path]) -> None:
    """Warn of files that are not read, if there are any."""
    if files:
        shown = ", ".join(map(str, files[:SHOWN])) + (", …" if files[SHOWN:] else "")
        msg.warn(f"{len(files):,} files are of no kind that is read", shown)


def warn_of_failed(failed: Sequence[tuple[str, str]], what_then: str = "are left out") -> None:
    """Warn of texts that cannot be read: place and reason of each."""
    if failed:
        shown = "\n".join(f"{place}: {reason}" for place, reason in failed[:SHOWN])
        msg.warn(f"{len(failed):,} texts cannot be read and {what_then}", shown)
