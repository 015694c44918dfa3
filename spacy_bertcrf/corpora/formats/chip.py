"""CMeEE as CHIP 2020 gave it out (China Health Information Processing conference, task 1), and
corpora that were annotated in its way.

A line is a text and its entities, each behind ``|||``: ``化疗后发热。|||0    1    pro|||3    4
sym|||``, the end being the last character's. Entities may be nested.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from spacy_bertcrf.corpora.counting import Counting, OffsetRule
from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, Evidence, Format
from spacy_bertcrf.corpora.json_values import BAD_LINE, looks_like_json
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.corpora.sources import Source

NOT_ANNOTATED = "Texts without annotation"

_BAR = "|||"
_ENTITY = re.compile(r"\s*(\d+)\s+(\d+)\s+(\S.*?)\s*")
_LINES_SEEN = 500


class Chip(Format):
    """Lines of a text with the places of its entities."""

    name = "chip"
    description = "CHIP 2020's lines: a text, and behind ||| start, end and label of each entity"
    lang = "zh"
    options = frozenset({"ends"})
    offsets = OffsetRule(Counting(inclusive=True), without_surface=(Counting(),))

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By bars with places behind them."""
        if looks_like_json(source):
            return None
        parts = [line.split(_BAR)[1:] for line in islice(source.lines(), _LINES_SEEN)]
        found = [part for line in parts for part in line if part.strip()]
        places = sum(_ENTITY.fullmatch(part) is not None for part in found)
        if places and 2 * places >= len(found):
            return Evidence(f"places of entities, each behind {_BAR}", CERTAIN)
        return Evidence(f"no start, end and label behind {_BAR}", AGAINST)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a line; without a bar it is not annotated."""
        for number, line in enumerate(source.lines(), start=1):
            text, *parts = line.strip("\r\n").split(_BAR)
            if not text.strip() and not any(map(str.strip, parts)):
                continue
            record = Record(number, text=text, entities=[] if parts else None)
            problems.count(NOT_ANNOTATED, int(not parts))
            for part in filter(str.strip, parts):
                place = _ENTITY.fullmatch(part)
                if place is None:
                    what = f"{part.strip()[:60]!r} is no start, end and label; left out"
                    problems.add(BAD_LINE, number, what)
                    record.doubt_all()
                elif record.entities is not None:
                    record.entities.append(Mention(int(place[1]), int(place[2]), place[3]))
            yield record
