"""`python -m spacy bertcrf confusion`: which classes a pipeline takes for which, as a figure."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from wasabi import msg

from spacy_bertcrf.cli import bertcrf_app
from spacy_bertcrf.cli.calibrate import read_examples
from spacy_bertcrf.cli.devices import use_device
from spacy_bertcrf.cli.missing_characters import warn_of_missing
from spacy_bertcrf.cli.named_component import named_component
from spacy_bertcrf.cli.progress import counted, working

if TYPE_CHECKING:
    from spacy.language import Language

    from spacy_bertcrf.evaluation.confusion import Confusion

MISTAKES_SHOWN = 10


@bertcrf_app.command("confusion")
def confusion_cli(
    model: Annotated[str, typer.Argument(help="A trained pipeline: its folder or package")],
    data: Annotated[
        Path, typer.Argument(metavar="DATA.spacy", help="Documents with gold categories")
    ],
    output: Annotated[
        Path, typer.Argument(metavar="FIGURE", help="A .svg, .png or .pdf file to write")
    ],
    component: Annotated[str, typer.Option(help="Name of the component")] = "textcat",
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """Draw the confusion matrix of a classifier; print accuracy, macro F1 and what it confuses.

    Documents with no gold category, or with several, are left out.
    """
    from spacy import load

    from spacy_bertcrf.evaluation.annotated import annotated_through
    from spacy_bertcrf.evaluation.confusion import count_confusion
    from spacy_bertcrf.evaluation.confusion_matrix import plot_confusion
    from spacy_bertcrf.evaluation.figure_file import check_plot, write_whole

    try:
        check_plot(output)
        use_device(gpu_id)
        with working("Loading the pipeline"):
            nlp = load(model)
        labels = _labels(nlp, component)
        examples = annotated_through(nlp, component, read_examples(nlp, data))
        confusion = count_confusion(counted(examples, "Classifying"), labels)
        with working("Drawing"):
            content, missing = plot_confusion(confusion, output.suffix[1:].lower())
        write_whole(output, content)
    except (ValueError, ImportError, OSError) as err:
        msg.fail("No figure was written", str(err), exits=1)
    warn_of_missing(missing)
    _print_confusion(confusion, labels)
    msg.good(f"Wrote the figure to {output}")


def _labels(nlp: "Language", component: str) -> tuple[str, ...]:
    from spacy.pipeline import TextCategorizer

    return tuple(named_component(nlp, component, TextCategorizer, "textcat").labels)


def _print_confusion(confusion: "Confusion", known: tuple[str, ...]) -> None:
    msg.text(f"Accuracy {confusion.accuracy:.2%}, macro F1 {confusion.macro_f:.2%}")
    if confusion.n_left_out:
        msg.text(f"Left out, without one gold category: {confusion.n_left_out:,} documents")
    unknown = [label for label in confusion.labels if label not in known]
    if unknown:
        msg.warn(f"The component does not know the labels {', '.join(unknown)}")
    rows = [
        (label, f"{score:.2%}", f"{count:,}")
        for label, score, count in zip(
            confusion.labels, confusion.f_scores, confusion.counts.sum(1), strict=True
        )
    ]
    msg.table(rows, header=("", "F1", "documents"), aligns=("l", "r", "r"), divider=True)
    mistakes = [(*pair, f"{n:,}") for *pair, n in confusion.most_confused(MISTAKES_SHOWN)]
    if mistakes:
        header = ("gold", "predicted", "documents")
        msg.table(mistakes, header=header, aligns=("l", "l", "r"), divider=True)
