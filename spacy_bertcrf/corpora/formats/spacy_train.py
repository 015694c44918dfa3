"""spaCy v2's training data: pairs of a text and its annotation.

``[["Anna", {"entities": [[0, 4, "PER"]]}], …]`` as JSON, or in Python with tuples, with or without
``TRAIN_DATA =`` before it; nothing in it is executed. Annotators that run in a browser write the
pairs under "annotations" beside "classes", with null for a text that was passed over.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from spacy_bertcrf.corpora.counting import UTF_16, Counting, OffsetRule
from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, Evidence, Format
from spacy_bertcrf.corpora.json_mentions import SpanKeys, is_triple, of_object, of_triple
from spacy_bertcrf.corpora.json_values import (
    BAD_LINE,
    Value,
    describe_kind,
    list_under,
    looks_like_json,
    read_elements,
    read_values,
    sample,
)
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.corpora.repeats import tell_repeats
from spacy_bertcrf.corpora.sources import Source

_SPAN = SpanKeys(("start",), ("end",), ("label",), ("text",))
_KEYS = {"entities", "cats", "spans"}
_PYTHON = re.compile(
    r"\s*(?:(?:#[^\n]*|import [^\n]*|from [^\n]*)\n\s*)*(?:\w+\s*=\s*)?[\[(]\s*[\[(]\s*[ru]?[\"']"
)


class SpacyTrain(Format):
    """Pairs of text and annotation."""

    name = "spacy-train"
    description = "spaCy v2's TRAIN_DATA as JSON or Python, and what browser annotators write so"
    options = frozenset({"ends"})
    offsets = OffsetRule(Counting(), without_surface=(Counting(unit=UTF_16),))

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By pairs of a text and an object with "entities"."""
        if not source.is_text:
            return None
        is_json = _is_json(source)
        if not is_json and not _PYTHON.match(source.text):
            return None
        values = [value for _, value in _pairs(source, None, is_sample=True)]
        pairs = sum(map(_is_pair, values))
        if not pairs or 2 * pairs < sum(value is not None for value in values):
            return Evidence("no pairs of a text and its entities", AGAINST)
        what = "pairs of a text and its annotation"
        return Evidence(what if is_json else f"Python's {what}", CERTAIN)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a pair; null for one is counted. Raises ValueError if Python's is broken."""
        return tell_repeats(_records(source, problems), problems)


def _records(source: Source, problems: ProblemLog) -> Iterator[Record]:
    passed_over = 0
    for line, value in _pairs(source, problems):
        passed_over += value is None
        if _is_pair(value):
            yield _record(line, value[0], value[1], problems)
        elif value is not None:
            what = f"{describe_kind(value)}, not a pair of text and annotation: left out"
            problems.add(BAD_LINE, line, what)
    problems.count("Passed over by the annotator", passed_over)


def _record(line: int, text: str, annotation: Any, problems: ProblemLog) -> Record:
    if isinstance(annotation, list):
        return Record(line, text=text, entities=[_mention(one) for one in annotation])
    record = Record(line, text=text)
    key = "entities" if "entities" in annotation else "spans"
    groups = annotation.get(key)
    if isinstance(groups, dict):
        lists = (list_under(groups, group, line, problems) for group in groups)
        annotation = {**annotation, key: [span for of in lists for span in of or ()]}
    found = list_under(annotation, key, line, problems)
    if found is not None:
        record.entities = [_mention(one) for one in found]
    cats = annotation.get("cats")
    if isinstance(cats, dict):
        values = {name: value for name, value in cats.items() if isinstance(value, int | float)}
        record.cats = {name: float(value) for name, value in values.items()} or None
    return record


def _mention(value: Any) -> Mention:
    return of_object(value, _SPAN) if isinstance(value, dict) else of_triple(value)


def _is_pair(value: Any) -> bool:
    if not isinstance(value, list) or len(value) < 2 or not isinstance(value[0], str):
        return False
    annotation = value[1]
    if isinstance(annotation, dict):
        return bool(_KEYS & annotation.keys())
    return isinstance(annotation, list) and bool(annotation) and all(map(is_triple, annotation))


def _pairs(source: Source, problems: ProblemLog | None, is_sample: bool = False) -> Iterator[Value]:
    """The values that should be pairs; tuples are lists. Raises ValueError if the file is Python
    that cannot be read, but for a sample, which is then empty."""
    if not _is_json(source):
        try:
            yield from _of_python(source)
        except ValueError:
            if not is_sample:
                raise
        return
    first = sample(source, 1)
    if first and isinstance(first[0], dict) and "annotations" in first[0]:
        yield from read_elements(source, ("annotations",), problems)
    elif is_sample:
        yield from (Value(0, value) for value in sample(source))
    else:
        yield from read_values(source, problems)


def _is_json(source: Source) -> bool:
    return looks_like_json(source) and bool(sample(source, 1))


def _of_python(source: Source) -> Iterator[Value]:
    try:
        tree = ast.parse(source.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as err:
        line = getattr(err, "lineno", 0) or 0
        raise ValueError(f"{source.path}:{line}: cannot be read as Python: {err}") from None
    for statement in tree.body:
        value = getattr(statement, "value", None)
        for element in value.elts if isinstance(value, ast.List | ast.Tuple) else ():
            try:
                yield Value(element.lineno, _as_lists(ast.literal_eval(element)))
            except ValueError:
                what = "an expression; write the pairs themselves"
                raise ValueError(f"{source.path}:{element.lineno}: {what}") from None


def _as_lists(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_as_lists(one) for one in value]
    if isinstance(value, dict):
        return {key: _as_lists(of) for key, of in value.items()}
    return value
