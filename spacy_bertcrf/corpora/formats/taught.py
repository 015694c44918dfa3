"""What an annotator said to `python -m spacy bertcrf serve --queue`, decision by decision.

A line is what is known of a text after a decision, and the last line of a text counts::

    {"format": "spacy-bertcrf.taught.v1", "id": "raw.jsonl:7", "text": "…", "status": "accepted",
     "entities": [{"start": 0, "end": 3, "label": "name", "text": "…"}], "rejected": [],
     "time": "2026-01-31T12:00:00+00:00"}

An accepted text has these entities and no others. Of an open or a skipped one they are what was
said of it, and the rest of it is missing. `rejected` are spans that are known to be no such
entities. Offsets count code points.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from spacy_bertcrf.corpora.counting import Counting, OffsetRule
from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, Evidence, Format
from spacy_bertcrf.corpora.json_mentions import SpanKeys, of_object
from spacy_bertcrf.corpora.json_values import (
    BAD_LINE,
    list_under,
    looks_like_json,
    read_objects,
    record_key,
    sample_objects,
)
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.corpora.sources import Source

NAME = "spacy-bertcrf.taught.v1"
ACCEPTED, SKIPPED, OPEN = STATUSES = ("accepted", "skipped", "open")

_SPAN = SpanKeys(("start",), ("end",), ("label",), ("text",))


class Taught(Format):
    """The decisions of an annotator."""

    name = "taught"
    description = "what `bertcrf serve --queue` saves"
    offsets = OffsetRule(Counting(), other_ends=False)

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By the name that each line has."""
        if not looks_like_json(source):
            return None
        if any(value.get("format") == NAME for value in sample_objects(source)):
            return Evidence(f"lines of {NAME}", CERTAIN)
        return Evidence(f"no lines of {NAME}", AGAINST)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a text of which something was said."""
        counts: Counter[str] = Counter()
        for record in _last_records(source, problems):
            if record.missing and not record.entities and not record.rejected:
                counts["silent"] += 1
                continue
            counts["partial"] += bool(record.missing)
            yield record
        problems.count("Texts of which a part was not looked at", counts["partial"])
        problems.count("Texts of which nothing was said, left out", counts["silent"])


def _last_records(source: Source, problems: ProblemLog) -> list[Record]:
    """Of each text what its last line says, in the order of the first ones."""
    found: dict[str, Record] = {}
    for line, value in read_objects(source, problems):
        text, status = value.get("text"), value.get("status")
        if not isinstance(text, str) or status not in STATUSES:
            problems.add(BAD_LINE, line, "no text, or no status that is known; left out")
            continue
        record = Record(line, text=text, key=record_key(value))
        record.entities = _mentions(value, "entities", line, problems)
        record.rejected = _mentions(value, "rejected", line, problems)
        if status != ACCEPTED:
            record.missing = [(0, len(text))]
        found[text] = record
    return list(found.values())


def _mentions(value: dict[str, Any], key: str, line: int, problems: ProblemLog) -> list[Mention]:
    return [of_object(span, _SPAN) for span in list_under(value, key, line, problems) or ()]
