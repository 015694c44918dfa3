"""CLUENER's JSON lines (Xu et al., 2020, "CLUENER2020: Fine-grained Named Entity Recognition
Dataset and Benchmark for Chinese").

A line is ``{"text": "彭小军认为…", "label": {"name": {"彭小军": [[0, 2]]}}}``: for each label, each
surface with the offsets of its first and last character. Without "label" it is a text to predict.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from spacy_bertcrf.corpora.counting import Counting, OffsetRule
from spacy_bertcrf.corpora.formats.format import (
    AGAINST,
    CERTAIN,
    POSSIBLE,
    Evidence,
    Format,
    Writer,
)
from spacy_bertcrf.corpora.json_values import (
    BAD_LINE,
    looks_like_json,
    read_values,
    record_key,
    sample_objects,
)
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.corpora.sources import Source
from spacy_bertcrf.corpora.writing import AnnotatedText, write_lines


def write_cluener(
    texts: Iterable[AnnotatedText], path: Path, options: Options, problems: ProblemLog
) -> None:
    """Write a line a text; of predictions the id and the labels alone, as the leaderboard of
    CLUENER2020 takes them. A text of which nothing is known has no "label"."""
    write_lines(path, (_line_of(text) for text in texts))


def _line_of(text: AnnotatedText) -> dict[str, Any]:
    labels: dict[str, dict[str, list[list[int]]]] = {}
    for span in text.spans:
        start, end = text.offsets(span)
        places = labels.setdefault(span.label, {}).setdefault(text.surface(span), [])
        places.append([start, end - 1])
    if text.is_predicted:
        return {"id": text.id, "label": labels}
    known = {"label": labels} if text.is_annotated else {}
    return {"id": text.id, "text": text.doc.text, **known}


class Cluener(Format):
    """CLUENER2020: a JSON object a line."""

    name = "cluener"
    description = "CLUENER's JSON lines: label → surface → offsets"
    lang = "zh"
    offsets = OffsetRule(Counting(inclusive=True))

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By labels that are objects of objects; texts without any label could be anyone's."""
        if not looks_like_json(source):
            return None
        values = sample_objects(source)
        labels = [value["label"] for value in values if isinstance(value.get("label"), dict)]
        nested = sum(all(isinstance(of, dict) for of in label.values()) for label in labels)
        if nested and 2 * nested > len(labels) and any(labels):
            return Evidence("'label' holds surfaces with offsets under each label", CERTAIN)
        if labels and not any(labels):
            return Evidence("'label' is an empty object everywhere", CERTAIN)
        keys = {key for value in values for key in value}
        unlabelled = all(isinstance(value.get("label"), dict | None) for value in values)
        if unlabelled and "text" in keys and keys <= {"id", "text", "label"}:
            return Evidence("objects with 'text' and no label: to be predicted", POSSIBLE)
        return Evidence("no 'text' with a 'label' of surfaces and offsets", AGAINST)

    @property
    def writer(self) -> Writer:
        """Writes it as `write_cluener` says."""
        return write_cluener

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a line; without "label", or with null, it is not annotated."""
        for line, value in read_values(source, problems):
            fault = _fault(value)
            if fault:
                problems.add(BAD_LINE, line, f"{fault}; the line is left out")
                continue
            labels = value.get("label")
            entities = None if labels is None else list(_mentions(labels))
            key = record_key(value)
            yield Record(line, text=value["text"], entities=entities, key=key)


def _fault(value: Any) -> str | None:
    if not isinstance(value, dict):
        return "not a JSON object"
    if not isinstance(value.get("text"), str):
        return 'no "text"'
    if not isinstance(value.get("label"), dict | None):
        return '"label" is not an object'
    return None


def _mentions(labels: dict[str, Any]) -> Iterator[Mention]:
    for label, surfaces in labels.items():
        if not isinstance(surfaces, dict):
            yield Mention(surfaces, None, label)  # type: ignore[arg-type]
            continue
        for surface, places in surfaces.items():
            for offsets in places if isinstance(places, list) and places else [places]:
                start, end = (
                    offsets if isinstance(offsets, list) and len(offsets) == 2 else (offsets, None)
                )
                yield Mention(start, end, label, surface)  # type: ignore[arg-type]
