"""`python -m spacy bertcrf calibrate`: a pipeline whose scores say how often they are right."""

import os
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from wasabi import msg

from spacy_bertcrf.cli import bertcrf_app
from spacy_bertcrf.cli.devices import use_device
from spacy_bertcrf.cli.named_component import named_component
from spacy_bertcrf.cli.progress import counted, working

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.training import Example

    from spacy_bertcrf.evaluation.calibration import Calibration
    from spacy_bertcrf.pipeline.recognizer import Recognizer

PIPELINE_FILES = ("config.cfg", "meta.json")


@bertcrf_app.command("calibrate")
def calibrate_cli(
    model: Annotated[str, typer.Argument(help="A trained pipeline: its folder or package")],
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA.spacy", help="Annotated documents that the pipeline was not trained on"
        ),
    ],
    output: Annotated[Path, typer.Argument(help="Folder to write the calibrated pipeline to")],
    component: Annotated[str, typer.Option(help="Name of the component")] = "bertcrf",
    bins: Annotated[int, typer.Option(help="Bins of the scores", min=1)] = 15,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="Draw reliability diagrams, before and after, to this .svg, .png or .pdf"
        ),
    ] = None,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """Fit the temperature of the entities' scores; say what it does to their calibration.

    The temperature is the one at which the scores tell best, by log loss, which entities are
    right.

    The expected calibration error is the difference of score and accuracy, averaged over the
    entities. No predicted entity changes, but for those that a threshold drops.
    """
    from spacy import load

    from spacy_bertcrf.evaluation.annotated import annotated_before
    from spacy_bertcrf.evaluation.figure_file import check_plot, write_whole
    from spacy_bertcrf.evaluation.reliability_diagram import plot_reliability

    try:
        if plot is not None:
            check_plot(plot)
        use_device(gpu_id)
        with working("Loading the pipeline"):
            nlp = load(model)
        recognizer = _recognizer(nlp, component)
        check_output(output, nlp)
        old_temperature = recognizer.temperature
        before = _measured(nlp, component, data, bins, "Scores before")
        examples = annotated_before(nlp, component, read_examples(nlp, data))
        recognizer.fit_temperature(counted(examples, "Fitting"))
        after = _measured(nlp, component, data, bins, "Scores after")
        calibrations = {
            f"before, temperature {old_temperature:.4g}": before,
            f"after, temperature {recognizer.temperature:.4g}": after,
        }
        _print_calibrations(calibrations)
        if plot is not None:
            write_whole(plot, plot_reliability(calibrations, plot.suffix[1:].lower()))
        write_pipeline(nlp, output)
    except (ValueError, ImportError, OSError) as err:
        msg.fail("No pipeline was written", str(err), exits=1)
    msg.good(f"Wrote the pipeline to {output}")


def check_output(output: Path, nlp: "Language") -> None:
    """Raise ValueError if something would be lost that is not a pipeline like this one."""
    target = Path(os.path.realpath(output))
    if not target.exists():
        return
    if not target.is_dir():
        raise ValueError(f"{output} is a file. Name a folder for the pipeline.")
    found = {path.name for path in target.iterdir()}
    foreign = found.difference(PIPELINE_FILES, ("tokenizer", "vocab"), nlp.component_names)
    if foreign or (found and not found.issuperset(PIPELINE_FILES)):
        raise ValueError(
            f"{output} is a folder with other things than a pipeline of "
            f"{', '.join(nlp.component_names)}: {', '.join(sorted(foreign or found))}. "
            "Name a new folder."
        )


def write_pipeline(nlp: "Language", output: Path) -> None:
    """Write the pipeline whole or not at all; one that is there already is replaced at the end.

    Raises OSError if it cannot be written.
    """
    # A link is followed: moving a folder onto it would replace the link itself.
    target = Path(os.path.realpath(output))
    target.parent.mkdir(parents=True, exist_ok=True)
    draft, old = (
        target.with_name(f".{target.name}.{os.getpid()}.{suffix}") for suffix in ("tmp", "old")
    )
    try:
        nlp.to_disk(draft)
        if target.exists():
            target.rename(old)
        try:
            draft.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def read_examples(nlp: "Language", data: Path) -> "list[Example]":
    """The documents of a .spacy file, as the pipeline's tokenizer sees them.

    Raises ValueError if it is none.
    """
    from spacy.training import Corpus

    if not data.is_file() or data.suffix != ".spacy":
        raise ValueError(f"{data} is no .spacy file. `bertcrf convert` makes them.")
    try:
        return list(Corpus(data)(nlp))
    except (zlib.error, ValueError, KeyError, TypeError) as err:
        raise ValueError(f"{data} is not a DocBin (a .spacy file): {err}.") from err


def _recognizer(nlp: "Language", name: str) -> "Recognizer":
    from spacy_bertcrf.pipeline.recognizer import Recognizer

    return named_component(nlp, name, Recognizer, "bertcrf or bertcrf_spans")


def _measured(
    nlp: "Language", component: str, data: Path, n_bins: int, title: str
) -> "Calibration":
    from spacy_bertcrf.evaluation.annotated import annotated_through
    from spacy_bertcrf.evaluation.calibration import measure_calibration
    from spacy_bertcrf.pipeline.span_annotations import judged_spans
    from spacy_bertcrf.pipeline.span_recognizer import SpanRecognizer

    recognizer = _recognizer(nlp, component)
    spans_key, threshold = recognizer.spans_key, recognizer.threshold
    recognizer.spans_key, recognizer.threshold = spans_key or component, None
    found = annotated_through(nlp, component, read_examples(nlp, data))
    examples = counted(found, title)
    gold_key = None
    if isinstance(recognizer, SpanRecognizer):
        gold_key = recognizer.spans_key
        examples = iter(judged_spans(examples, gold_key))
    calibration = measure_calibration(examples, recognizer.spans_key, n_bins, gold_key=gold_key)
    recognizer.spans_key, recognizer.threshold = spans_key, threshold
    return calibration


def _print_calibrations(calibrations: "Mapping[str, Calibration]") -> None:
    before, after = calibrations.values()
    for name, calibration in calibrations.items():
        msg.text(f"Expected calibration error {name}: {calibration.error:.2%}")
    msg.text("Measured on the examples that the temperature was fitted on.")
    if after.error >= before.error:
        msg.warn(
            "The scores of predicted entities fit no better than before.",
            "The temperature is the one with the smallest log loss, which need not have the "
            "smallest calibration error: with few entities in a bin, that is largely chance.",
        )
    if after.n_unjudged:
        msg.text(f"Left out, on tokens without annotation: {after.n_unjudged:,} entities")
    rows = []
    for i in range(len(before.counts)):
        row = [f"{before.edges[i]:.3f} to {before.edges[i + 1]:.3f}"]
        for calibration in (before, after):
            row.append(f"{calibration.counts[i]:,}")
            for share in (calibration.confidence[i], calibration.accuracy[i]):
                row.append(f"{share:.1%}" if calibration.counts[i] else "")
        rows.append(row)
    header = ("score", "before", "mean", "right", "after", "mean", "right")
    msg.table(rows, header=header, aligns=("l", *"rrrrrr"), divider=True)
