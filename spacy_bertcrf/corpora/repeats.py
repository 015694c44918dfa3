"""Tells where a corpus has the same text more than once: of two annotators, or copied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Record

ANNOTATED_TWICE = "text annotated twice, and differently"

ALIKE = "Texts that come again with the same entities"


class _First(NamedTuple):
    path: Path
    line: int
    spans: set[tuple[str, str, str]]


def tell_repeats(records: Iterable[Record], problems: ProblemLog) -> Iterator[Record]:
    """Pass records on, and note each text that is annotated again: with other entities it is a
    problem, with the same ones it is counted. Both are kept. Texts of which a part is not annotated
    do not count.

    records: the records of one file.
    problems: log to add to; it knows the texts of the corpus's other files.

    Returns the records.
    """
    seen: dict[str, _First] = problems.texts
    alike = 0
    for record in records:
        complete = record.entities is not None and not record.missing
        if complete and isinstance(record.text, str):
            # What is no offset or label, whatever JSON has there, is reported elsewhere.
            spans = {(str(m.start), str(m.end), str(m.label)) for m in record.entities or ()}
            first = seen.setdefault(record.text, _First(problems.path, record.line, spans))
            if first.spans != spans:
                where = "" if first.path == problems.path else f" of {first.path}"
                what = f"otherwise than in line {first.line}{where}; both are kept"
                problems.add(ANNOTATED_TWICE, record.line, what)
            elif (first.path, first.line) != (problems.path, record.line):
                alike += 1
        yield record
    problems.count(ALIKE, alike)
