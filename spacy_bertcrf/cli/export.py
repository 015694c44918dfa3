"""`python -m spacy bertcrf export`: a corpus, or a pipeline's predictions, in other formats."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import spacy
import typer
from spacy.language import Language
from spacy.tokens import Doc
from wasabi import msg

from spacy_bertcrf.cli import bertcrf_app
from spacy_bertcrf.cli.convert import names_given
from spacy_bertcrf.cli.convert_report import print_problems, print_reading
from spacy_bertcrf.cli.progress import counting, working
from spacy_bertcrf.corpora.documents import HAS_TOKENS, KEY
from spacy_bertcrf.corpora.formats import Format, all_formats, get_format
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.reading import CorpusReader
from spacy_bertcrf.corpora.writing import annotated_texts, written_whole
from spacy_bertcrf.tagging.repair import FILE_SCHEMES

if TYPE_CHECKING:
    from tqdm import tqdm

_WRITTEN = sorted(name for name, format in all_formats().items() if format.writer)


@bertcrf_app.command("export")
def export_cli(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="[PIPELINE] IN... OUT",
            help="The corpus: files, folders, globs of any format that convert reads; with a "
            "trained pipeline before it, its texts are annotated anew. Last, the file to write, or "
            "for brat the folder",
            show_default=False,
        ),
    ],
    format: Annotated[
        str, typer.Option(help=f"To write: {', '.join(_WRITTEN)}", show_default=False)
    ],
    read_as: Annotated[
        str, typer.Option("--from", help="Format of the corpus; auto: by what it shows")
    ] = "auto",
    lang: Annotated[
        str | None, typer.Option(help="Language code  [default: the corpus's, or guessed]")
    ] = None,
    token_column: Annotated[
        int | None, typer.Option(help="Column of the corpus's tokens, from 1, or from -1")
    ] = None,
    tag_column: Annotated[
        int | None, typer.Option(help="Column of the corpus's tags, from 1, or from -1")
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="Label of the entities where the corpus names none")
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="Names of the corpus's numbered tags, from 0: apart by commas, or a file with one "
            "a line"
        ),
    ] = None,
    text_key: Annotated[
        str | None,
        typer.Option(help="Key of the text, where the corpus has several that could be it"),
    ] = None,
    scheme: Annotated[
        str | None,
        typer.Option(help=f"Tag scheme to write: {', '.join(FILE_SCHEMES)}  [default: BIO]"),
    ] = None,
    spans_key: Annotated[
        str | None,
        typer.Option(help="Write doc.spans under this key, overlapping ones too, for doc.ents"),
    ] = None,
    encoding: Annotated[str, typer.Option(help="Text encoding of the corpus")] = "utf8",
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU; -1 for the CPU")] = -1,
    strict: Annotated[
        bool, typer.Option("--strict", help="Keep nothing if there is any problem")
    ] = False,
) -> None:
    """Write a corpus, or what a pipeline finds in its texts, as another tool reads it.

    The probabilities that a bertcrf component gives are written where the format has a place for
    them. What the format cannot hold is reported.
    """
    try:
        write = get_format(format).writer
        if write is None:
            raise ValueError(f"{format} is not written. Use one of: {', '.join(_WRITTEN)}.")
        *inputs, output = paths
        with working("Loading the pipeline"):
            nlp = _pipeline(inputs[0], gpu_id) if inputs else None
        corpus = inputs if nlp is None else inputs[1:]
        if not corpus:
            raise ValueError("Name the corpus or its texts, and last the file to write.")
        _check_output(output, get_format(format))
        if nlp is not None and get_format(format).writes_scores:
            from spacy_bertcrf.annotation.annotator import keep_scores

            keep_scores(nlp)
        reading = Options(
            lang=lang,
            token_column=token_column,
            tag_column=tag_column,
            label=label,
            labels=None if labels is None else names_given(labels, encoding),
            text_key=text_key,
        )
        problems = ProblemLog(output)
        with written_whole(output) as draft:
            with counting("Writing") as bar:
                reader = CorpusReader(
                    corpus,
                    read_as,
                    reading,
                    encoding=encoding,
                    spans_key=spans_key if nlp is None else None,
                    without=output,
                    keep_empty=True,
                )
                read = (doc for doc, _ in reader.documents())
                docs = read if nlp is None else _predict(nlp, read)
                texts = annotated_texts(
                    _passed(docs, bar), problems, spans_key, is_predicted=nlp is not None
                )
                write(texts, draft, Options(scheme=scheme), problems)
            print_reading(reader, lang)
            for name, what in problems.notes.items():
                msg.text(f"{name}: {what}")
            print_problems(reader.problems)
            if len(problems):
                print_problems(problems)
            found = len(problems) + len(reader.problems)
            if strict and found:
                raise ValueError(f"--strict allows no problem, and there are {found}.")
    except (ValueError, ImportError, OSError) as err:
        msg.fail("Nothing was written", str(err), exits=1)
    msg.good(f"Wrote {output}")


def _check_output(output: Path, format: Format) -> None:
    if not format.writes_folder:
        if output.is_dir():
            raise ValueError(f"{output} is a folder. Name the file to write.")
    elif output.is_file() or (output.is_dir() and any(output.iterdir())):
        raise ValueError(
            f"{format.name} is a folder of files, and {output} is there. Name a new one."
        )


def _pipeline(path: Path, gpu_id: int) -> Language | None:
    """The pipeline of a folder or package; None if it is none."""
    is_folder = (path / "config.cfg").is_file() and (path / "meta.json").is_file()
    if not is_folder and (path.exists() or not spacy.util.is_package(str(path))):
        return None
    from spacy_bertcrf.models.bridge.gpus import check_gpus

    check_gpus(gpu_id)
    if gpu_id >= 0:
        spacy.require_gpu(gpu_id)
    return spacy.load(path if is_folder else str(path))


def _predict(nlp: Language, docs: Iterable[Doc]) -> Iterator[Doc]:
    """Annotate the texts of Docs anew; tokens that their file gave stay."""
    for predicted, key in nlp.pipe(
        ((_bare(nlp, doc), doc.user_data.get(KEY)) for doc in docs), as_tuples=True
    ):
        if key is not None:
            predicted.user_data[KEY] = key
        yield predicted


def _bare(nlp: Language, doc: Doc) -> Doc:
    if not doc.user_data.get(HAS_TOKENS):
        return nlp.make_doc(doc.text)
    words = [token.text for token in doc]
    return Doc(nlp.vocab, words=words, spaces=[bool(token.whitespace_) for token in doc])


def _passed(docs: Iterable[Doc], bar: tqdm[Any]) -> Iterator[Doc]:
    for doc in docs:
        yield doc
        bar.update()
