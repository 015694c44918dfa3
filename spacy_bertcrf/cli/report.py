"""`python -m spacy bertcrf report`: what a pipeline gets wrong, as a page."""

import json
import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from wasabi import msg

from spacy_bertcrf.cli import bertcrf_app
from spacy_bertcrf.cli.calibrate import read_examples
from spacy_bertcrf.cli.devices import use_device
from spacy_bertcrf.cli.progress import counted, working

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spacy.language import Language

    from spacy_bertcrf.evaluation.explained import Asked
    from spacy_bertcrf.evaluation.judged import JudgedText
    from spacy_bertcrf.evaluation.known_mentions import KnownMentions
    from spacy_bertcrf.evaluation.report.tables import Report


@bertcrf_app.command("report")
def report_cli(
    model: Annotated[str, typer.Argument(help="A trained pipeline: its folder or package")],
    data: Annotated[
        Path, typer.Argument(metavar="TEST.spacy", help="Documents with gold entities")
    ],
    output: Annotated[Path, typer.Argument(metavar="REPORT.html", help="The page to write")],
    train: Annotated[
        Path | None,
        typer.Option(help="The .spacy corpus of the training: says which entities it has shown"),
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="A second pipeline, to be compared on the same documents")
    ] = None,
    limit: Annotated[
        int, typer.Option(help="Texts with errors to show, the surest first", min=0)
    ] = 1000,
    json_output: Annotated[
        Path | None, typer.Option("--json", help="Write the same tables here, as JSON")
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Say of errors why: what else it could be, what it rests on (needs the extra "
            "`explain`), and, with --train, what is like it there",
        ),
    ] = False,
    explain_limit: Annotated[
        int, typer.Option(help="Errors to explain, the surest first: each takes a second", min=0)
    ] = 200,
    explain_language: Annotated[
        str, typer.Option(help="The language that an explanation is in: en or zh")
    ] = "en",
    component: Annotated[
        str | None,
        typer.Option(
            help="The component that knows how probable entities are, if there are several"
        ),
    ] = None,
    spans_key: Annotated[
        str | None,
        typer.Option(help="Judge doc.spans under this key, overlapping ones too, for doc.ents"),
    ] = None,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """Write a page about what a pipeline gets right and wrong: scores with their intervals, where
    the points go, which labels are confused, what was seen in training, and all errors, those that
    the model is surest of first.

    It works on any pipeline that sets doc.ents, or doc.spans with --spans-key; probabilities are
    those of a `bertcrf`, or a `bertcrf_spans`. The page is one file that needs no network. The same
    documents and pipeline give the same page.
    """
    from spacy_bertcrf.evaluation.figure_file import check_place, write_whole
    from spacy_bertcrf.evaluation.report.excerpts import excerpts, to_explain
    from spacy_bertcrf.evaluation.report.page import report_page
    from spacy_bertcrf.evaluation.report.tables import tables

    try:
        if output.suffix.lower() not in (".html", ".htm"):
            raise ValueError(f"The report is written as .html, not as {output}.")
        for path in filter(None, (output, json_output)):
            check_place(path)
        use_device(gpu_id)
        if explain_language not in ("en", "zh"):
            raise ValueError(f"Explanations are in en or zh, not in {explain_language}.")
        report, recognizer = _judged(model, data, train, against, component, spans_key)
        if explain:
            shown = excerpts(report)[:limit]
            asked = to_explain(shown, explain_limit)
            report = _explained(report, asked, recognizer, data, train, explain_language)
        write_whole(output, report_page(report, limit).encode("utf8", "surrogatepass"))
        if json_output is not None:
            content = json.dumps(tables(report), ensure_ascii=False, indent=1)
            write_whole(json_output, content.encode("utf8") + b"\n")
    except (ValueError, ImportError, OSError) as err:
        msg.fail("No report was written", str(err), exits=1)
    _print(report)
    msg.good(f"Wrote the report to {output}")


def _judged(
    model: str,
    data: Path,
    train: Path | None,
    against: str | None,
    component: str | None,
    spans_key: str | None,
) -> "tuple[Report, tuple[Language, str | None]]":
    """The report, and the pipeline with the name of the component that knows probabilities."""
    from spacy_bertcrf.evaluation.report.tables import Report

    nlp, name, texts = _judged_by(model, data, component, spans_key)
    known = None if train is None else _known(nlp, train, spans_key)
    others = None if against is None else _judged_by(against, data, None, spans_key)[2]
    report = Report(_name(model), data.stem, texts, known, against and _name(against), others)
    return report, (nlp, name)


def _explained(
    report: "Report",
    asked: "Sequence[Asked]",
    recognizer: "tuple[Language, str | None]",
    data: Path,
    train: Path | None,
    lang: str,
) -> "Report":
    from spacy_bertcrf.evaluation.explained import explain_spans

    nlp, name = recognizer
    if name is None:
        raise ValueError(
            "--explain asks a bertcrf or a bertcrf_spans, and the pipeline has none: leave it out."
        )
    read_train = None if train is None else partial(read_examples, nlp, train)
    found = explain_spans(asked, nlp, name, partial(read_examples, nlp, data), read_train, lang)
    return replace(report, explanations=dict(counted(found, "explanations")))


def _judged_by(
    model: str, data: Path, component: str | None, spans_key: str | None
) -> "tuple[Language, str | None, Sequence[JudgedText]]":
    from spacy import load

    from spacy_bertcrf.evaluation.judging import add_probabilities, judge

    with working(f"Loading {_name(model)}"):
        nlp = load(model)
    name = _recognizer(nlp, component, spans_key)
    read = partial(read_examples, nlp, data)
    texts = list(counted(judge(nlp, read, spans_key), f"{_name(model)}, entities"))
    if name is not None:
        found = add_probabilities(texts, nlp, name, read)
        texts = list(counted(found, f"{_name(model)}, probabilities"))
    return nlp, name, texts


def _recognizer(nlp: "Language", component: str | None, spans_key: str | None) -> str | None:
    """The name of the component that is asked for probabilities: the only one of its kind."""
    from spacy_bertcrf.cli.named_component import named_component
    from spacy_bertcrf.pipeline.entity_recognizer import CRFEntityRecognizer
    from spacy_bertcrf.pipeline.recognizer import Recognizer
    from spacy_bertcrf.pipeline.span_recognizer import SpanRecognizer

    kind: type[Recognizer] = CRFEntityRecognizer if spans_key is None else SpanRecognizer
    if component is not None:
        factory = "bertcrf" if spans_key is None else "bertcrf_spans"
        named_component(nlp, component, kind, factory)
        return component
    names = [
        name
        for name, pipe in nlp.pipeline
        if isinstance(pipe, kind) and spans_key in (None, pipe.spans_key)
    ]
    if len(names) > 1:
        raise ValueError(
            f"The pipeline has several recognisers, {', '.join(names)}. Name with --component "
            "which of them is asked how probable entities are."
        )
    return names[0] if names else None


def _known(nlp: "Language", train: Path, spans_key: str | None) -> "KnownMentions":
    from spacy_bertcrf.evaluation.report.tables import known_mentions

    references = (example.reference for example in read_examples(nlp, train))
    return known_mentions(counted(references, f"Reading {train}"), spans_key)


def _name(model: str) -> str:
    return Path(model).resolve().name if Path(model).exists() else model


def _print(report: "Report") -> None:
    from spacy_bertcrf.evaluation.intervals import score
    from spacy_bertcrf.evaluation.report.excerpts import excerpts

    total = score(report.texts)[0]
    for name, found in zip("PRF", total.measures, strict=True):
        if math.isnan(found.value):
            msg.text(f"{name} is not known: there is nothing to reckon it by")
        else:
            msg.text(f"{name} {found.value:.2%}, from {found.low:.2%} to {found.high:.2%}")
    msg.text(f"Parts of texts with errors: {len(excerpts(report)):,}")
    if not total.n_predicted:
        msg.warn("The pipeline predicts no entity. Has it a component that sets doc.ents?")
    labels = {span.label for text in report.texts for span in text.gold}
    predicted = {span.label for text in report.texts for span in text.predicted}
    for found_labels, side in ((predicted - labels, "predicted"), (labels - predicted, "gold")):
        if found_labels and total.n_predicted:
            msg.warn(f"Only {side} entities have the labels {', '.join(sorted(found_labels))}")
