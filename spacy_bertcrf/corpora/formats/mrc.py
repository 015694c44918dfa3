"""JSON of named entities as reading comprehension (Li et al., 2020, "A Unified MRC Framework for
Named Entity Recognition").

``{"context": "Anna met Bob", "query": …, "entity_label": "PER", "span_position": ["0;0", "2;2"],
"impossible": false, "qas_id": "0.1"}``: the tokens of `context` are parted by spaces, positions
count them, ends inclusive; a context comes again for each label, and is one text.

PaddleNLP's UIE (Lu et al., 2022, "Unified Structure Generation for Universal Information
Extraction") has ``{"content": "Anna met Bob", "prompt": "PER", "result_list": [{"text": "Anna",
"start": 0, "end": 4}]}``: the prompt is the label, and a text comes again, anywhere in the file,
for each one that it was annotated for. Prompts of relations, of an entity that the file has
("Anna的出生地"), and of classes are counted and left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, groupby
from typing import Any

from spacy_bertcrf.corpora.counting import Counting, OffsetRule
from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, Evidence, Format
from spacy_bertcrf.corpora.json_mentions import SpanKeys, of_object, whole_number
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

OTHER_PROMPTS = "Prompts of relations and classes, left out"
SOME_LABELS = "Texts annotated for some of the labels alone"

_ANSWER = SpanKeys(("start",), ("end",), ("label",), ("text",))
_OF = "的"
_CLASSES = re.compile(r"\[.*[,，].*\]")


class Mrc(Format):
    """Entities as answers to questions."""

    name = "mrc"
    description = "JSON of entities as reading comprehension: span_position, or UIE's prompts"
    options = frozenset({"ends"})
    offsets = OffsetRule(Counting())

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By "context", "entity_label" and positions, or by "content", "prompt" and results."""
        if not looks_like_json(source):
            return None
        values = sample_objects(source)
        if values and 2 * sum(map(_is_prompted, values)) > len(values):
            return Evidence("'content' and 'prompt' with places of the answers: UIE", CERTAIN)
        fit = sum(map(_is_question, values))
        if fit and 2 * fit > len(values):
            return Evidence("'context' and 'entity_label' with positions of the answers", CERTAIN)
        return Evidence("no 'context' with 'entity_label' and positions of answers", AGAINST)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a context; its questions follow one another, but those of UIE."""
        values = sample_objects(source)
        if values and 2 * sum(map(_is_prompted, values)) > len(values):
            yield from _of_prompts(source, problems)
            return
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


def _of_prompts(source: Source, problems: ProblemLog) -> Iterator[Record]:
    rows = []
    for line, value in read_objects(source, problems):
        if _is_prompted(value):
            rows.append((line, value))
        else:
            problems.add(BAD_LINE, line, "no 'content', 'prompt' or list of results: left out")
    found = (one.get("text") for _, value in rows for one in value["result_list"])
    surfaces = {one for one in found if isinstance(one, str)}
    records: dict[str, Record] = {}
    asked: dict[str, list[str]] = {}
    for line, value in rows:
        text, label = value["content"], value["prompt"]
        record = records.setdefault(text, Record(line, text=text))
        subject, of, _ = label.partition(_OF)
        if _CLASSES.search(label) or (of and subject in surfaces):
            problems.count(OTHER_PROMPTS)
            continue
        asked.setdefault(text, []).append(label)
        answers = (of_object(one, _ANSWER) for one in value["result_list"])
        entities = [answer._replace(label=label, line=line) for answer in answers]
        record.entities = [*(record.entities or ()), *entities]
    every = set(chain.from_iterable(asked.values()))
    for text, labels in asked.items():
        if every - set(labels):
            records[text].annotated_labels = labels
            problems.count(SOME_LABELS)
    yield from records.values()


def _is_prompted(value: dict[str, Any]) -> bool:
    strings = (value.get("content"), value.get("prompt"))
    answers = value.get("result_list")
    has_answers = isinstance(answers, list) and all(isinstance(one, dict) for one in answers)
    return has_answers and all(isinstance(one, str) and one.strip() for one in strings)


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
        # A list of two would not say whether its end is inclusive too.
        pairs = [one.split(";") if isinstance(one, str) else [] for one in spans]
    else:
        starts, ends = question.get("start_position"), question.get("end_position")
        if not isinstance(starts, list) or not isinstance(ends, list) or len(starts) != len(ends):
            return None
        pairs = [list(pair) for pair in zip(starts, ends, strict=True)]
    found = []
    for pair in pairs:
        numbers = [whole_number(n) for n in pair]
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
