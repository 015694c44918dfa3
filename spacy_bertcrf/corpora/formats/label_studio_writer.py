"""Writes Label Studio's tasks: what is annotated as annotations, predictions as such."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import mean
from typing import Any

from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.writing import AnnotatedText, write_text

# The names of the controls in Label Studio's own template for named entities.
_LABELS, _TEXT = "label", "text"
_MODEL = "spacy-bertcrf"


def write_label_studio(
    texts: Iterable[AnnotatedText], path: Path, options: Options, problems: ProblemLog
) -> None:
    """Write a list of tasks, their offsets in code points; predictions have the probability of each
    entity, and for the task their mean."""
    write_text(path, _pieces(texts))


def _pieces(texts: Iterable[AnnotatedText]) -> Iterator[str]:
    before = "[\n"
    for text in texts:
        yield before + json.dumps(_task(text), ensure_ascii=False)
        before = ",\n"
    yield "[]\n" if before.startswith("[") else "\n]\n"


def _task(text: AnnotatedText) -> dict[str, Any]:
    task: dict[str, Any] = {"data": {"text": text.doc.text, "id": text.id}}
    if not text.is_annotated:
        return task
    result: dict[str, Any] = {"result": list(_regions(text))}
    if not text.is_predicted:
        return {**task, "annotations": [result]}
    result["model_version"] = _MODEL
    scores = [span.score for span in text.spans if span.score is not None]
    if scores:
        result["score"] = round(mean(scores), 6)
    return {**task, "predictions": [result]}


def _regions(text: AnnotatedText) -> Iterator[dict[str, Any]]:
    for number, span in enumerate(text.spans):
        start, end = text.offsets(span)
        region: dict[str, Any] = {
            "id": f"{text.number}-{number}",
            "from_name": _LABELS,
            "to_name": _TEXT,
            "type": "labels",
            "value": {
                "start": start,
                "end": end,
                "text": text.surface(span),
                "labels": [span.label],
            },
        }
        if span.score is not None:
            region["score"] = round(span.score, 6)
        yield region
