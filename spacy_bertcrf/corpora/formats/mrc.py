"""JSON of named entities as reading comprehension (Li et al., 2020, "A Unified MRC Framework for
Named Entity Recognition").

``{"context": "Anna met Bob", "query": …, "entity_label": "PER", "span_position": ["0;0", "2;2"],
"impossible": false, "qas_id": "0.1"}``: the tokens of `context` are parted by spaces, positions
count them, ends inclusive; a context comes again for each label, and is one text.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, Evidence, Format
from spacy_bertcrf.corpora.json_mentions import whole_number
from spacy_bertcrf.corpora.json_values import (
    BAD_LINE,
    looks_like_json,
    read_objects,
    sample_objects,
)
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.corpora.sources import Source


class Mrc(Format):
    """Entities as answers to questions."""

    name = "mrc"
    description = "JSON of entities as reading comprehension: context, query, span_position"

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By "context", "entity_label" and positions."""
        if not looks_like_json(source):
            return None
        values = sample_objects(source)
        fit = sum(map(_is_question, values))
        if fit and 2 * fit > len(values):
            return Evidence("'context' and 'entity_label' with positions of the answers", CERTAIN)
        return Evidence("no 'context' with 'entity_label' and positions of answers", AGAINST)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a context; its questions follow one another."""
        objects = read_objects(source, problems)
        for context, same in groupby(objects, key=lambda found: _context(found[1])):
            questions = list(same)
            line, first = questions[0]
            if context is None:
                for at, _ in questions:
                    problems.add(BAD_LINE, at, "no 'context': left out")
                continue
            of = str(first.get("qas_id", "")).partition(".")[0]
            record = Record(line, tokens=context.split(), key=of or None, entities=[])
            for at, question in questions:
                _answer(record, at, question, problems)
            yield record


def _answer(record: Record, line: int, question: dict[str, Any], problems: ProblemLog) -> None:
    spans = _spans(question)
    if spans is None:
        problems.add(BAD_LINE, line, "positions that are no pairs of numbers: left out")
        record.missing.append((0, len(record.tokens or ())))
    for start, end in spans or ():
        # The label of a question is checked with the entities.
        label: Any = question.get("entity_label")
        record.entities = [*(record.entities or ()), Mention(start, end + 1, label, line=line)]


def _spans(question: dict[str, Any]) -> list[tuple[int, int]] | None:
    spans = question.get("span_position")
    if isinstance(spans, list):
        pairs = [one.split(";") if isinstance(one, str) else one for one in spans]
    else:
        starts, ends = question.get("start_position"), question.get("end_position")
        if not isinstance(starts, list) or not isinstance(ends, list) or len(starts) != len(ends):
            return None
        pairs = [list(pair) for pair in zip(starts, ends, strict=True)]
    found = []
    for pair in pairs:
        numbers = [whole_number(n) for n in pair] if isinstance(pair, list) else []
        if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
            return None
        found.append((numbers[0], numbers[1]))
    return found


def _is_question(value: dict[str, Any]) -> bool:
    positions = "span_position" in value or {"start_position", "end_position"} <= value.keys()
    return positions and "entity_label" in value and _context(value) is not None


def _context(value: dict[str, Any]) -> str | None:
    context = value.get("context")
    return context if isinstance(context, str) and context.strip() else None
