"""`python -m spacy bertcrf convert`: an annotated corpus to spaCy's training format."""

import io
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from spacy_bertcrf.cli import bertcrf_app
from spacy_bertcrf.corpora.docbin import write_docbins
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.reading import FORMATS, Corpus, read_corpus
from spacy_bertcrf.corpora.split import parse_split, split_docs
from spacy_bertcrf.corpora.summary import CorpusSummary, summarize
from spacy_bertcrf.tagging.repair import FILE_SCHEMES

PLACES_SHOWN = 3

Format = Enum("Format", {name: name for name in FORMATS})  # type: ignore[misc]


@bertcrf_app.command("convert")
def convert_cli(
    input_path: Annotated[Path, typer.Argument(metavar="IN", help="The corpus, one file")],
    output_path: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="The .spacy file to write; with --split, the folder for its parts"
        ),
    ],
    format: Annotated[
        Format,
        typer.Option(
            help="cluener: JSON lines; columns: a token and its tag a line; msra: columns of "
            "Chinese characters; text-label, label-text: a text and its label a line, apart by a "
            "tab"
        ),
    ] = Format["auto"],
    lang: Annotated[
        str | None,
        typer.Option(help="Language code  [default: zh, and guessed for columns and texts]"),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Percentages of train/dev/test, e.g. 64/16/20, dealt out at random"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of --split")] = 0,
    scheme: Annotated[
        str | None,
        typer.Option(help=f"Tag scheme of columns: {', '.join(FILE_SCHEMES)}  [default: detected]"),
    ] = None,
    token_column: Annotated[
        int, typer.Option(help="Column of the tokens, from 1, or from -1 for the last")
    ] = 1,
    tag_column: Annotated[
        int, typer.Option(help="Column of the tags, from 1, or from -1 for the last")
    ] = -1,
    classes: Annotated[
        Path | None,
        typer.Option(help="Names of the classes whose numbers are the labels: 0 in the first line"),
    ] = None,
    encoding: Annotated[str, typer.Option(help="Text encoding, e.g. gb18030 for GBK")] = "utf8",
    strict: Annotated[
        bool, typer.Option("--strict", help="Write nothing if there is any problem")
    ] = False,
) -> None:
    """Convert a corpus to .spacy files; report what is in it and what is wrong with it."""
    _escape_what_the_terminal_cannot_show()
    try:
        shares = parse_split(split) if split is not None else None
        _check_output(output_path, is_folder=shares is not None)
        corpus = read_corpus(
            input_path,
            format.value,
            lang=lang,
            scheme=scheme,
            token_column=token_column,
            tag_column=tag_column,
            encoding=encoding,
            classes=classes,
        )
        _print_reading(corpus, lang, scheme)
        files = {output_path: corpus.docs}
        if shares is not None and corpus.docs:
            parts = split_docs(corpus.docs, shares, seed)
            files = {output_path / f"{name}.spacy": docs for name, docs in parts.items()}
        summaries = {path.name: summarize(docs) for path, docs in files.items()}
        _print_summary(summaries)
        _warn_of_unlearnable(summaries)
        _print_problems(corpus.problems)
        if not corpus.docs:
            raise ValueError(f"{input_path} holds no document that can be read.")
        if strict and len(corpus.problems):
            raise ValueError(f"--strict allows no problem, and there are {len(corpus.problems)}.")
        write_docbins(files)
    except (ValueError, ImportError, OSError) as err:
        msg.fail("Nothing was written", str(err), exits=1)
    for path, docs in files.items():
        msg.good(f"Wrote {len(docs):,} documents to {path}")


def _check_output(path: Path, is_folder: bool) -> None:
    if is_folder:
        if path.suffix == ".spacy" or (path.exists() and not path.is_dir()):
            raise ValueError(f"{path} is no folder. With --split, OUT is the folder for the parts.")
    elif path.is_dir():
        raise ValueError(f"{path} is a folder. Name the file, e.g. {path / 'train.spacy'}")
    elif path.suffix != ".spacy":
        raise ValueError(f"spaCy reads corpora from .spacy files. Name it {path}.spacy")


def _print_reading(corpus: Corpus, lang: str | None, scheme: str | None) -> None:
    msg.text(f"Format: {corpus.format}")
    msg.text(f"Language: {corpus.lang}{'' if lang else ' (--lang to change)'}")
    if corpus.scheme:
        detected = "" if scheme else " (detected; --scheme to change)"
        msg.text(f"Tag scheme: {corpus.scheme}{detected}")


def _print_summary(summaries: dict[str, CorpusSummary]) -> None:
    counts: dict[str, list[int]] = {
        "documents": [summary.documents for summary in summaries.values()],
        "tokens": [summary.tokens for summary in summaries.values()],
        "documents without annotation": [summary.unannotated for summary in summaries.values()],
        "tokens without annotation": [summary.missing for summary in summaries.values()],
    }
    if any(summary.entities for summary in summaries.values()) or not _categories(summaries):
        counts["entities"] = [summary.entities.total() for summary in summaries.values()]
    for label in sorted({label for summary in summaries.values() for label in summary.entities}):
        counts[f"  {label}"] = [summary.entities[label] for summary in summaries.values()]
    if _categories(summaries):
        counts["categories"] = [summary.categories.total() for summary in summaries.values()]
    for label in _categories(summaries):
        counts[f"  {label}"] = [summary.categories[label] for summary in summaries.values()]
    rows = [
        [name, *(f"{number:,}" for number in numbers)]
        for name, numbers in counts.items()
        if any(numbers) or not name.endswith("without annotation")
    ]
    aligns = ("l", *("r" for _ in summaries))
    msg.table(rows, header=("", *summaries), aligns=aligns, divider=True, max_col=200)


def _categories(summaries: dict[str, CorpusSummary]) -> list[str]:
    """All categories, in the order of the classes' file if there is one."""
    return list(dict.fromkeys(c for summary in summaries.values() for c in summary.categories))


def _warn_of_unlearnable(summaries: dict[str, CorpusSummary]) -> None:
    """Of categories without a document, and with --split of those that train has none of."""
    where, first = next(iter(summaries.items()))
    missing = [label for label in _categories(summaries) if not first.categories[label]]
    if missing:
        msg.warn(f"No document of {where} is in: {', '.join(missing)}")


def _print_problems(problems: ProblemLog) -> None:
    if not len(problems):
        msg.good("No problems")
        return
    rows = []
    for kind, found in problems.by_kind().items():
        shown = [[problem.place, problem.what] for problem in found[:PLACES_SHOWN]]
        if len(found) > PLACES_SHOWN:
            shown.append([f"… and {len(found) - PLACES_SHOWN:,} more", ""])
        heads = [[kind, f"{len(found):,}"], *(["", ""] for _ in shown[1:])]
        rows += [head + place for head, place in zip(heads, shown, strict=True)]
    msg.warn(f"{len(problems):,} problem(s)")
    header = ("problem", "count", "first places", "what")
    msg.table(rows, header=header, aligns=("l", "r", "l", "l"), divider=True, max_col=200)


def _escape_what_the_terminal_cannot_show() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
