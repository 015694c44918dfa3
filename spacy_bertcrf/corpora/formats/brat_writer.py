"""Writes a folder for brat: for each text a .txt and an .ann, and the labels for its settings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path

from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.writing import AnnotatedText, WrittenSpan, write_text

NOT_IN_BRAT = "Not in brat"

_SAFE = re.compile(r"\w[\w.-]{0,63}")
_LINE_ENDS = re.compile(r"[\r\n]+")
_OTHER_SECTIONS = "\n[relations]\n\n[events]\n\n[attributes]\n"


def write_brat(
    texts: Iterable[AnnotatedText], path: Path, options: Options, problems: ProblemLog
) -> None:
    """Write the files of a folder, each named by its text's id, or by its number if the id is no
    name for a file or was there before. A text of which nothing is known has no .ann. An entity
    that runs over a line end is in pieces, as brat has it.

    Raises ValueError if there are files in the folder, or for a label with white space in it.
    """
    if path.is_dir() and any(path.iterdir()):
        raise ValueError(f"{path} holds files. Name a new folder, for brat reads all of one.")
    path.mkdir(parents=True, exist_ok=True)
    taken: set[str] = set()
    labels: dict[str, None] = {}
    for text in texts:
        name = _name(text, taken)
        taken.add(name.casefold())
        write_text(path / f"{name}.txt", [text.doc.text])
        if text.is_annotated:
            write_text(path / f"{name}.ann", _lines(text))
        labels.update((span.label, None) for span in text.spans)
        if any(span.score is not None for span in text.spans):
            problems.note(NOT_IN_BRAT, "the probabilities")
    entities = "".join(f"{label}\n" for label in labels)
    write_text(path / "annotation.conf", ["[entities]\n", entities, _OTHER_SECTIONS])


def _name(text: AnnotatedText, taken: set[str]) -> str:
    number = f"{text.number - 1:06}"
    name = number if text.key is None else str(text.key)
    if _SAFE.fullmatch(name) and name.casefold() not in taken:
        return name
    return next(
        made
        for made in (f"text-{number}{'_' * n}" for n in count())
        if made.casefold() not in taken
    )


def _lines(text: AnnotatedText) -> Iterator[str]:
    for number, span in enumerate(text.spans, start=1):
        if not re.fullmatch(r"\S+", span.label):
            raise ValueError(f"brat cannot hold the label {span.label!r}: white space is in it.")
        pieces = list(_pieces(text, span))
        places = ";".join(f"{start} {end}" for start, end in pieces)
        # A tab would end the column.
        surface = " ".join(text.doc.text[start:end] for start, end in pieces).replace("\t", " ")
        yield f"T{number}\t{span.label} {places}\t{surface}\n"


def _pieces(text: AnnotatedText, span: WrittenSpan) -> Iterator[tuple[int, int]]:
    start, end = text.offsets(span)
    for gap in _LINE_ENDS.finditer(text.doc.text, start, end):
        yield start, gap.start()
        start = gap.end()
    yield start, end
