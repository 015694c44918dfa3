"""`python -m spacy bertcrf convert`: an annotated corpus to spaCy's training format."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from itertools import accumulate, chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from wasabi import msg

from spacy_bertcrf.cli import bertcrf_app
from spacy_bertcrf.cli.convert_report import (
    print_explanations,
    print_problems,
    print_reading,
    print_summary,
    warn_of_few_entities,
    warn_of_unlearnable,
)
from spacy_bertcrf.cli.progress import counting, working
from spacy_bertcrf.corpora.corpus_files import sources_of
from spacy_bertcrf.corpora.docbin import write_docbins
from spacy_bertcrf.corpora.documents import with_all_categories
from spacy_bertcrf.corpora.formats import all_formats
from spacy_bertcrf.corpora.formats.labelled_texts import read_classes
from spacy_bertcrf.corpora.joining import Joining
from spacy_bertcrf.corpora.lines import read_lines
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.packing import PackedDocs
from spacy_bertcrf.corpora.reading import CorpusReader
from spacy_bertcrf.corpora.split import deal_folds, parse_split, split_docs
from spacy_bertcrf.corpora.summary import summarize
from spacy_bertcrf.tagging.repair import FILE_SCHEMES

if TYPE_CHECKING:
    from tqdm import tqdm

ANNOTATIONS = ("first", "agreed", "union")
ENDS = ("inclusive", "exclusive")
PLACES = ("all", "first")

_NAMES = "; ".join(f"{name}: {format.description}" for name, format in all_formats().items())


@bertcrf_app.command("convert")
def convert_cli(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="IN... OUT",
            help="The corpus: files, folders, globs. Last, the .spacy file to write; with --split "
            "or --folds, the folder for its parts",
            show_default=False,
        ),
    ],
    format: Annotated[
        str, typer.Option(help=f"auto: by what each file shows, which is printed; {_NAMES}")
    ] = "auto",
    lang: Annotated[
        str | None, typer.Option(help="Language code  [default: the format's, or guessed]")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Percentages of train/dev/test, e.g. 64/16/20, dealt out at random"),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            help="Write that many train and dev parts for cross-validation, by document, with each "
            "label's share in every fold"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of --split and --folds")] = 0,
    documents: Annotated[
        bool, typer.Option("--documents", help="Join the sentences of each document to one Doc")
    ] = False,
    sentences: Annotated[
        int | None, typer.Option(min=1, help="Join up to so many sentences of a document to a Doc")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Tokens of a joined Doc at most")
    ] = None,
    scheme: Annotated[
        str | None,
        typer.Option(help=f"Tag scheme: {', '.join(FILE_SCHEMES)}  [default: detected]"),
    ] = None,
    token_column: Annotated[
        int | None, typer.Option(help="Column of the tokens, from 1, or from -1 for the last")
    ] = None,
    tag_column: Annotated[
        int | None, typer.Option(help="Column of the tags, from 1, or from -1 for the last")
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="Label of the entities where the file names none")
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="Names of numbered tags, from 0: apart by commas, or a file with one a line"
        ),
    ] = None,
    classes: Annotated[
        Path | None,
        typer.Option(help="Names of the classes whose numbers are the labels: 0 in the first line"),
    ] = None,
    annotations: Annotated[
        str | None,
        typer.Option(help=f"Of several annotations of a text: {', '.join(ANNOTATIONS)}"),
    ] = None,
    text_key: Annotated[
        str | None,
        typer.Option(help="Key of the text, where a JSON file has several that could be it"),
    ] = None,
    ends: Annotated[
        str | None,
        typer.Option(help=f"How a JSON file counts the ends of entities: {', '.join(ENDS)}"),
    ] = None,
    locate: Annotated[
        str | None,
        typer.Option(
            help="Of entities without offsets whose text is in several places, those that count: "
            f"{', '.join(PLACES)}"
        ),
    ] = None,
    labels_annotated: Annotated[
        str | None,
        typer.Option(help="The labels that the corpus is annotated for, apart by commas"),
    ] = None,
    spans_key: Annotated[
        str | None,
        typer.Option(help="Write all entities, overlapping ones too, to doc.spans under this key"),
    ] = None,
    encoding: Annotated[
        str, typer.Option(help="Text encoding, e.g. gb18030; utf8 gives way to what the bytes show")
    ] = "utf8",
    strict: Annotated[
        bool, typer.Option("--strict", help="Write nothing if there is any problem")
    ] = False,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Say what speaks for each format of IN; write nothing"),
    ] = False,
) -> None:
    """Convert a corpus to .spacy files; report what is in it and what is wrong with it."""
    _escape_what_the_terminal_cannot_show()
    try:
        names = None if classes is None else read_classes(classes, read_lines(classes, encoding))
        if annotations not in (None, *ANNOTATIONS):
            raise ValueError(f"--annotations is one of {', '.join(ANNOTATIONS)}.")
        if ends not in (None, *ENDS):
            raise ValueError(f"--ends is one of {', '.join(ENDS)}.")
        if locate not in (None, *PLACES):
            raise ValueError(f"--locate is one of {', '.join(PLACES)}.")
        options = Options(
            lang=lang,
            scheme=scheme,
            token_column=token_column,
            tag_column=tag_column,
            label=label,
            labels=None if labels is None else names_given(labels, encoding),
            classes=names,
            annotations=annotations,
            text_key=text_key,
            ends=ends,
            locate=locate,
        )
        if explain:
            print_explanations(sources_of(paths, format, encoding), options)
            return
        inputs, output = paths[:-1], paths[-1]
        if not inputs:
            raise ValueError(f"Name the file to write after {output}, e.g. train.spacy")
        shares = parse_split(split) if split is not None else None
        if shares is not None and folds is not None:
            raise ValueError("--split and --folds are two ways to part a corpus. Use one.")
        if max_tokens is not None and not (documents or sentences):
            raise ValueError("--max-tokens is for --documents or --sentences.")
        _check_output(output, is_folder=bool(shares or folds))
        with counting("Reading") as bar:
            reader = CorpusReader(
                inputs,
                format,
                options,
                encoding=encoding,
                spans_key=spans_key,
                annotated_labels=names_given(labels_annotated, encoding)
                if labels_annotated
                else None,
                joining=Joining(documents, sentences, max_tokens),
                without=output,
            )
            packed, groups = _pack(reader, names, bar)
        print_reading(reader, lang)
        files: dict[Path, Sequence[int]] = {output: range(len(packed))}
        if shares is not None and len(packed):
            parts = split_docs(range(len(packed)), shares, seed)
            files = {output / f"{name}.spacy": docs for name, docs in parts.items()}
        elif folds is not None and len(packed):
            files = _folds(packed, groups, folds, seed, output)
        counts = list(packed.counts())
        summaries = {
            str(path.relative_to(output) if folds else path.name): summarize(
                counts[index] for index in indices
            )
            for path, indices in files.items()
        }
        doubtful = warn_of_few_entities(summarize(counts))
        print_summary(summaries)
        warn_of_unlearnable(summaries)
        print_problems(reader.problems, doubtful)
        if not len(packed):
            raise ValueError(f"{', '.join(map(str, inputs))} holds no document that can be read.")
        if strict and len(reader.problems):
            raise ValueError(f"--strict allows no problem, and there are {len(reader.problems)}.")
        with working("Writing"):
            write_docbins({path: (packed, indices) for path, indices in files.items()})
    except (ValueError, ImportError, OSError) as err:
        msg.fail("Nothing was written", str(err), exits=1)
    for path, indices in files.items():
        msg.good(f"Wrote {len(indices):,} documents to {path}")


def _pack(
    reader: CorpusReader, classes: Sequence[str] | None, bar: tqdm[Any]
) -> tuple[PackedDocs, list[int]]:
    """All Docs, and for each the number of its document: several may be of one."""
    packed = PackedDocs(reader.vocab)
    begins: list[bool] = []
    for doc, new in reader.documents():
        packed.add(doc)
        begins.append(new is not False)
        bar.update()
    packed.cats = with_all_categories(packed.cats, classes)
    return packed, list(accumulate(begins))


def _folds(
    packed: PackedDocs, groups: Sequence[int], n_folds: int, seed: int, output: Path
) -> dict[Path, Sequence[int]]:
    members: dict[int, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    counts = list(packed.counts())
    if len(members) < n_folds:
        # Its sentences are of one document or two, as far as the file says.
        members = {index: [index] for index in range(len(packed))}
    documents = list(members.values())
    labels = [
        chain.from_iterable(
            [*counts[i].entities.elements(), *(c for c, v in counts[i].cats.items() if v)]
            for i in indices
        )
        for indices in documents
    ]
    files: dict[Path, Sequence[int]] = {}
    for number, fold in enumerate(deal_folds(labels, n_folds, seed), start=1):
        dev = {i for document in fold for i in documents[document]}
        folder = output / f"fold-{number}"
        files[folder / "train.spacy"] = [i for i in range(len(packed)) if i not in dev]
        files[folder / "dev.spacy"] = sorted(dev)
    return files


def names_given(given: str, encoding: str) -> list[str]:
    """Names apart by commas, or those of a file with one a line. Raises ValueError for an empty
    one."""
    path = Path(given)
    if path.is_file():
        return read_classes(path, read_lines(path, encoding))
    names = [name.strip() for name in given.split(",")]
    if not all(names):
        raise ValueError(f"{given!r} has an empty name. Part names by commas, or name a file.")
    return names


def _check_output(path: Path, is_folder: bool) -> None:
    if is_folder:
        if path.suffix == ".spacy" or (path.exists() and not path.is_dir()):
            raise ValueError(
                f"{path} is no folder. With --split or --folds, OUT is the folder for the parts."
            )
    elif path.is_dir():
        raise ValueError(f"{path} is a folder. Name the file, e.g. {path / 'train.spacy'}")
    elif path.suffix != ".spacy":
        raise ValueError(f"spaCy reads corpora from .spacy files. Name it {path}.spacy")


def _escape_what_the_terminal_cannot_show() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
