"""PubTator's files (Wei, Kao and Lu, 2013), in which biomedical corpora are handed around: NCBI
Disease, BC5CDR, MedMentions, BioRED.

``123|t|title`` and ``123|a|abstract``, then ``123⇥0⇥4⇥surface⇥Label⇥identifier`` for each entity;
offsets count the title, one character, and the abstract. Relations are counted and left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, islice
from typing import NamedTuple

from spacy_bertcrf.corpora.counting import Counting, OffsetRule
from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, Evidence, Format
from spacy_bertcrf.corpora.json_values import BAD_LINE, looks_like_json
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.corpora.sources import Source

RELATIONS = "Relations left out"
OTHER_TEXT = "annotation of another text"

_PASSAGE = re.compile(r"([^\s|]+)\|([a-z])\|(.*)")
_SEEN = 200


class _Text(NamedTuple):
    """A text that is being read: its id, its line, its passages and entities, and the lines of what
    may be one more."""

    key: str
    line: int
    passages: list[str]
    entities: list[Mention]
    in_doubt: list[int]


class PubTator(Format):
    """Titles and abstracts with entities."""

    name = "pubtator"
    description = "PubTator: 123|t|title, 123|a|abstract, and entities with offsets behind them"
    offsets = OffsetRule(Counting())

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By lines of a title and an abstract."""
        if looks_like_json(source):
            return None
        lines = [line for line in islice(source.lines(), _SEEN) if line.strip()]
        kinds = [match[2] for line in lines if (match := _PASSAGE.match(line))]
        if not kinds or kinds[0] != "t" or not _PASSAGE.match(lines[0]):
            return Evidence("no line such as 123|t|title", AGAINST)
        return Evidence("titles and abstracts, entities with offsets behind them", CERTAIN)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a title and its abstract."""
        text: _Text | None = None
        for number, line in enumerate(chain(source.lines(), [""]), start=1):
            passage = _PASSAGE.match(line)
            if passage is not None:
                key, _, content = passage.groups()
                if text is None or key != text.key or text.entities:
                    if text is not None:
                        yield _record(text)
                    text = _Text(key, number, [], [], [])
                text.passages.append(content)
            elif not line.strip():
                if text is not None:
                    yield _record(text)
                text = None
            else:
                _add(line, number, text, problems)
        if text is not None:
            yield _record(text)


def _add(line: str, number: int, text: _Text | None, problems: ProblemLog) -> None:
    columns = line.split("\t")
    if text is None or columns[0] != text.key:
        problems.add(OTHER_TEXT, number, f"{line[:60]!r} follows no text of its: left out")
    elif len(columns) >= 5 and columns[1].isdecimal() and columns[2].isdecimal():
        start, end, surface, label = int(columns[1]), int(columns[2]), columns[3], columns[4]
        text.entities.append(Mention(start, end, label.strip(), surface or None, number))
    elif len(columns) >= 4 and not columns[1].isdecimal():
        problems.count(RELATIONS)
    else:
        problems.add(BAD_LINE, number, f"{line[:60]!r} is neither text nor entity: left out")
        text.in_doubt.append(number)


def _record(text: _Text) -> Record:
    whole = "\n".join(text.passages)
    record = Record(text.line, text=whole, entities=text.entities, key=text.key)
    if text.in_doubt:
        record.doubt_all()
    return record
