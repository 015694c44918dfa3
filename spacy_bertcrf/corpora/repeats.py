"""Tells where a file has the same text more than once: of two annotators, or copied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Record

ANNOTATED_TWICE = "text annotated twice, and differently"

ALIKE = "Texts that come again with the same entities"


class _First(NamedTuple):
    line: int
    spans: set[tuple[str, str, str]]


def tell_repeats(records: Iterable[Record], problems: ProblemLog) -> Iterator[Record]:
    """Pass records on, and note each text that is annotated again: with other entities it is a
    problem, with the same ones it is counted. Both are kept. Texts of which a part is not annotated
    do not count.

    records: the records of one file.
    problems: log to add to.

    Returns the records.
    """
    seen: dict[str, _First] = {}
    alike = 0
    for record in records:
        complete = record.entities is not None and not record.missing
        if complete and isinstance(record.text, str):
            # What is no offset or label, whatever JSON has there, is reported elsewhere.
            spans = {(str(m.start), str(m.end), str(m.label)) for m in record.entities or ()}
            first = seen.setdefault(record.text, _First(record.line, spans))
            if first.spans != spans:
                what = f"otherwise than in line {first.line}; both are kept"
                problems.add(ANNOTATED_TWICE, record.line, what)
            elif first.line != record.line:
                alike += 1
        yield record
    problems.count(ALIKE, alike)
