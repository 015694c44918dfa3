"""Writes JSON lines of texts and entities, under the keys that spaCy's own objects have."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.writing import AnnotatedText, WrittenSpan, write_lines


def write_json_spans(
    texts: Iterable[AnnotatedText], path: Path, options: Options, problems: ProblemLog
) -> None:
    """Write a line a text: ``{"id": 0, "text": …, "entities": [{"start": 0, "end": 4, "label":
    "PER", "text": "Anna", "score": 0.98}]}``, offsets in code points, ends exclusive; a score where
    it is known. A text of which nothing is known has no "entities"."""
    write_lines(path, (_line_of(text) for text in texts))


def _line_of(text: AnnotatedText) -> dict[str, Any]:
    line: dict[str, Any] = {"id": text.id, "text": text.doc.text}
    if text.is_annotated:
        line["entities"] = [_entity(text, span) for span in text.spans]
    return line


def _entity(text: AnnotatedText, span: WrittenSpan) -> dict[str, Any]:
    start, end = text.offsets(span)
    entity = {"start": start, "end": end, "label": span.label, "text": text.surface(span)}
    return entity if span.score is None else {**entity, "score": round(span.score, 6)}
