"""What is written of a Doc, and files that are written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from spacy.tokens import Doc

from spacy_bertcrf.corpora.documents import INCORRECT_SPANS, KEY
from spacy_bertcrf.corpora.problems import ProblemLog

NOT_HELD = "annotation that the format does not hold"
OTHER_GROUP = "group of spans that is not written"


class WrittenSpan(NamedTuple):
    """An entity. start, end, label: in tokens. score: its probability, where it is known."""

    start: int
    end: int
    label: str
    score: float | None = None


class AnnotatedText(NamedTuple):
    """One Doc as it is written.

    number: its place among those that are written, from 1; the line in problems.
    doc: the Doc.
    spans: its entities, in reading order; overlapping ones where a group of spans is written.
    key: the id that its file gave it.
    is_annotated: whether anything is known of its entities.
    is_predicted: whether a pipeline has annotated it.
    """

    number: int
    doc: Doc
    spans: Sequence[WrittenSpan]
    key: str | int | None = None
    is_annotated: bool = True
    is_predicted: bool = False

    @property
    def id(self) -> int | str:
        """The id, as the file gave it; if it gave none, counted from 0."""
        return self.number - 1 if self.key is None else self.key

    def offsets(self, span: WrittenSpan) -> tuple[int, int]:
        """Start and end of an entity in characters, end exclusive."""
        found = self.doc[span.start : span.end]
        return found.start_char, found.end_char

    def surface(self, span: WrittenSpan) -> str:
        """The text of an entity."""
        return self.doc[span.start : span.end].text


def annotated_texts(
    docs: Iterable[Doc],
    problems: ProblemLog,
    spans_key: str | None = None,
    is_predicted: bool = False,
) -> Iterator[AnnotatedText]:
    """Say of each Doc what is to be written; what no format writes is noted, and so are spans of
    another group.

    docs: the Docs, with the ids of their file in user_data.
    problems: log to add to; its lines are the Docs' numbers.
    spans_key: the group of spans to write; if None, doc.ents.
    is_predicted: whether a pipeline has annotated them.

    Returns what is to be written. Raises ValueError if a Doc has no such group.
    """
    for number, doc in enumerate(docs, start=1):
        known = sum(token.ent_iob != 0 for token in doc)
        if 0 < known < len(doc) and spans_key is None:
            what = f"of {len(doc) - known} tokens nothing is known; written as outside"
            problems.add(NOT_HELD, number, what)
        layers = ["categories"] if doc.cats else []
        layers += ["incorrect spans"] if doc.spans.get(INCORRECT_SPANS) else []
        if layers:
            problems.add(NOT_HELD, number, f"{' and '.join(layers)}: left out")
        if spans_key is None:
            _tell_other_groups(doc, number, problems)
        seen = bool(known) or is_predicted
        if spans_key is not None and spans_key not in doc.spans and (seen or doc.spans):
            groups = ", ".join(map(repr, doc.spans)) or "none"
            raise ValueError(f"Text {number} has no spans[{spans_key!r}]; it has {groups}.")
        is_annotated = bool(known) or not len(doc) or spans_key in doc.spans
        spans = _spans(doc, spans_key)
        yield AnnotatedText(number, doc, spans, doc.user_data.get(KEY), is_annotated, is_predicted)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A place beside a file or folder to write it at; it is moved to its place when the with block
    ends, and taken away if that fails."""
    draft = path.with_name(f".{path.name}.draft")
    try:
        yield draft
        if draft.is_dir() and path.is_dir():
            path.rmdir()
        draft.replace(path)
    finally:
        if draft.is_dir():
            shutil.rmtree(draft)
        draft.unlink(missing_ok=True)


def write_lines(path: Path, values: Iterable[Any]) -> None:
    """Write JSON lines."""
    write_text(path, (json.dumps(value, ensure_ascii=False) + "\n" for value in values))


def write_text(path: Path, pieces: Iterable[str]) -> None:
    """Write a text in UTF-8, piece by piece, beside its place; it is moved there when it is whole.
    A first character that would be taken for a byte-order mark gets one before it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with draft.open("w", encoding="utf-8", newline="") as file:
            for piece in pieces:
                if file.tell() == 0 and piece.startswith("\ufeff"):
                    file.write("\ufeff")
                file.write(piece)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _tell_other_groups(doc: Doc, number: int, problems: ProblemLog) -> None:
    """Of spans that are no entities, such as those that overlap."""
    entities = {(ent.start, ent.end, ent.label) for ent in doc.ents}
    for name, group in doc.spans.items():
        others = sum((span.start, span.end, span.label) not in entities for span in group)
        if others and name != INCORRECT_SPANS:
            what = f"{others:,} of spans[{name!r}] are no entities: --spans-key {name} writes them"
            problems.add(OTHER_GROUP, number, what)


def _spans(doc: Doc, spans_key: str | None) -> list[WrittenSpan]:
    scores: dict[tuple[int, int, str], float] = {}
    for name, group in doc.spans.items():
        of_group = group.attrs.get("scores", ())
        if spans_key in (None, name) and len(of_group) == len(group):
            for span, score in zip(group, of_group, strict=True):
                scores[span.start, span.end, span.label_] = float(score)
    found = doc.ents if spans_key is None else doc.spans.get(spans_key, ())
    spans = [(span.start, span.end, span.label_) for span in found]
    return sorted(WrittenSpan(*span, scores.get(span)) for span in spans)
