"""Rasa's training data, as Markdown (``## intent:book`` above ``- to [Rome](city)``) and as YAML
(``nlu:`` with ``intent`` and ``examples: |``). The intent becomes the category of its examples.

An entity is ``[Rome](city)``, ``[Rome](city:FCO)`` or ``[Rome]{"entity": "city", "value": "FCO"}``;
roles, groups and values are not read. Synonyms, lookup tables and regular expressions are no texts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import srsly

from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, Evidence, Format
from spacy_bertcrf.corpora.json_values import BAD_LINE, looks_like_json
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.corpora.sources import Source

OTHERS = "Sections that are no examples, not read"

_HEAD = 200_000
_SECTION = re.compile(r"##\s*(intent|synonym|regex|lookup)\s*:\s*(.+?)\s*")
_MARKDOWN = re.compile(r"^##\s*intent\s*:", re.MULTILINE)
_YAML = re.compile(r"^nlu\s*:\s*$", re.MULTILINE)
_EXAMPLE = re.compile(r"\s*[-*+]\s+(.*)")
_ENTITY = re.compile(
    r"\[(?P<surface>[^\[\]]+)\](?:\((?P<name>[^():]+)(?::[^()]*)?\)|(?P<object>\{[^{}]*\}))"
)


class _Example(NamedTuple):
    """line: its line, from 1. intent: its intent. text: it with its marks."""

    line: int
    intent: str
    text: str


class Rasa(Format):
    """Examples of intents."""

    name = "rasa"
    description = "Rasa's training data: intents with examples such as 'to [Rome](city)', .md, .yml"

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By its headings, or its key nlu."""
        if looks_like_json(source):
            return None
        head = source.text[:_HEAD]
        if _MARKDOWN.search(head):
            return Evidence("Markdown with examples below '## intent:…'", CERTAIN)
        if _YAML.search(head) and "examples:" in head:
            return Evidence("YAML with examples of intents below 'nlu:'", CERTAIN)
        return Evidence("neither '## intent:…' nor 'nlu:' with examples", AGAINST)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record an example. Raises ValueError if the YAML is broken."""
        is_yaml = _YAML.search(source.text) and not _MARKDOWN.search(source.text)
        for line, intent, marked in (_of_yaml if is_yaml else _of_markdown)(source, problems):
            record = _read(marked, line, problems)
            if record.text and record.text.strip():
                record.cats = {intent: 1.0}
                yield record


def _of_markdown(source: Source, problems: ProblemLog) -> Iterator[_Example]:
    intent: str | None = None
    for number, line in enumerate(source.lines(), start=1):
        section, example = _SECTION.fullmatch(line), _EXAMPLE.fullmatch(line)
        if line.startswith("#"):
            intent = section[2] if section and section[1] == "intent" else None
            problems.count(OTHERS, int(section is not None and intent is None))
        elif example and intent is not None:
            yield _Example(number, intent, example[1].strip())
        elif intent is not None and line.strip() and not line.lstrip().startswith("<!--"):
            problems.add(BAD_LINE, number, f"{line[:60]!r} is no example: left out")


def _of_yaml(source: Source, problems: ProblemLog) -> Iterator[_Example]:
    try:
        found = srsly.yaml_loads(source.text)
    except Exception as err:  # Whatever ruamel raises is of no common class.
        raise ValueError(f"{source.path} cannot be read as YAML: {err}") from None
    sections: Any = found.get("nlu") if isinstance(found, dict) else None
    lines = list(source.lines())
    at = 0
    for section in sections if isinstance(sections, list) else ():
        intent = section.get("intent") if isinstance(section, dict) else None
        if not isinstance(intent, str):
            problems.count(OTHERS)
            continue
        for text in _examples(section.get("examples")):
            first = text.split("\n")[0]
            at = next((i for i in range(at, len(lines)) if first in lines[i]), at)
            yield _Example(at + 1, intent, text)


def _examples(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            text = one.get("text") if isinstance(one, dict) else one
            if isinstance(text, str):
                yield text.strip()
    elif isinstance(value, str):
        for line in value.split("\n"):
            if match := _EXAMPLE.fullmatch(line):
                yield match[1].strip()


def _read(marked: str, line: int, problems: ProblemLog) -> Record:
    text, at = "", 0
    entities = []
    missing = []
    for match in _ENTITY.finditer(marked):
        label = (match["name"] or _label(match["object"])).strip()
        text += marked[at : match.start()]
        at = match.end()
        span = len(text), len(text) + len(match["surface"])
        if label:
            entities.append(Mention(*span, label))
        else:
            missing.append(span)
            what = f"{match['object'][:60]!r} names no entity: left out"
            problems.add(BAD_LINE, line, what)
        text += match["surface"]
    return Record(line, text=text + marked[at:], entities=entities, missing=missing)


def _label(value: str | None) -> str:
    try:
        found = json.loads(value or "{}")
    except ValueError:
        return ""
    label = found.get("entity") if isinstance(found, dict) else None
    return label if isinstance(label, str) else ""
