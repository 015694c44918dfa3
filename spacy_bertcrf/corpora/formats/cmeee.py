"""CMeEE's JSON (Zhang et al., 2022, "CBLUE: A Chinese Biomedical Language Understanding Evaluation
Benchmark"), of which other Chinese corpora have taken the keys.

An element of its list is ``{"text": …, "entities": [{"start_idx": 3, "end_idx": 4, "type": "pro",
"entity": "化疗"}]}``; `end_idx` is the last character. Entities may be nested.
"""

from __future__ import annotations

from collections.abc import Iterator

from spacy_bertcrf.corpora.counting import Counting, OffsetRule
from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, Evidence, Format
from spacy_bertcrf.corpora.json_mentions import SpanKeys, of_object
from spacy_bertcrf.corpora.json_values import (
    list_under,
    looks_like_json,
    read_objects,
    record_key,
    sample_objects,
)
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Record
from spacy_bertcrf.corpora.sources import Source

_SPAN = SpanKeys(("start_idx",), ("end_idx",), ("type", "label"), ("entity", "text", "mention"))


class Cmeee(Format):
    """CMeEE: objects with a text and entities."""

    name = "cmeee"
    description = "CMeEE's JSON: entities with start_idx and end_idx"
    options = frozenset({"ends"})
    offsets = OffsetRule(Counting(inclusive=True), without_surface=(Counting(),))

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By entities with start_idx and end_idx."""
        if not looks_like_json(source):
            return None
        found = [value.get("entities") for value in sample_objects(source) if "text" in value]
        spans = [span for entities in found if isinstance(entities, list) for span in entities]
        if spans and 2 * sum(map(_SPAN.fit, spans)) > len(spans):
            return Evidence("'entities' with start_idx and end_idx", CERTAIN)
        return Evidence("no 'entities' with start_idx and end_idx", AGAINST)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a text; without "entities" it is not annotated."""
        for line, value in read_objects(source, problems):
            found = list_under(value, "entities", line, problems)
            key = record_key(value)
            record = Record(line, text=value.get("text"), key=key)
            if found is not None:
                record.entities = [of_object(span, _SPAN) for span in found]
            yield record
