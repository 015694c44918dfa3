"""JSON with a text and the texts of its entities, without their places.

``{"text": …, "entity": [{"entity": "Anna", "entity_type": "PER"}]}``, ``{"text": …, "entities":
{"PER": ["Anna"]}}``, ``["Anna came", {"Anna": "PER"}]``. An entity whose text is in one place is
there, and so are those that are given as often as their text is there. Of others it is not known
which place is meant: their places are without annotation, and it is reported; `--locate` chooses.
Where an entity's text is nowhere, all of the text is, but for its other entities.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from spacy_bertcrf.corpora.formats.format import AGAINST, POSSIBLE, Evidence, Format
from spacy_bertcrf.corpora.formats.json_spans import OTHER_LISTS, as_record
from spacy_bertcrf.corpora.json_entities import Named, entities_in, is_named
from spacy_bertcrf.corpora.json_layout import SURFACES, Layout, find_layout
from spacy_bertcrf.corpora.json_places import read_at
from spacy_bertcrf.corpora.json_values import looks_like_json
from spacy_bertcrf.corpora.language import is_unspaced
from spacy_bertcrf.corpora.malformed import BAD_ENTITY
from spacy_bertcrf.corpora.offsets import quote
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.corpora.sources import Source

NOWHERE = "entity that is not in its text"
SEVERAL_PLACES = "entity whose text is in several places"
LOCATED = "Entities without offsets, found by their texts"

_Span = tuple[int, int]


class JsonSurfaces(Format):
    """Texts with the texts of their entities."""

    name = "json-surfaces"
    description = "JSON with a text and its entities' texts, without offsets"
    options = frozenset({"label", "text_key", "locate"})

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By texts beside entities that have their text, a label, and no place."""
        if not looks_like_json(source):
            return None
        layout = find_layout(source, options)
        if layout is None or layout.unit != SURFACES:
            return Evidence("no text beside entities that have a text and no offsets", AGAINST)
        return Evidence(str(layout), POSSIBLE)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a text. Raises ValueError if there are no such entities."""
        layout = find_layout(source, options) if looks_like_json(source) else None
        if layout is None or layout.unit != SURFACES:
            raise ValueError(
                f"{source.path}: no object has a text beside entities with their own texts. "
                "Expected e.g. {'text': …, 'entities': [{'text': 'Anna', 'label': 'PER'}]}."
            )
        if layout.others:
            problems.note(OTHER_LISTS, ", ".join(layout.others))
        for record, names in _records(source, layout, options, problems):
            _place(record, names, options.locate, problems)
            yield record


def _records(
    source: Source, layout: Layout, options: Options, problems: ProblemLog
) -> Iterator[tuple[Record, list[Named]]]:
    for line, key, value in read_at(source, layout.ways, problems):
        record, entities = as_record(line, key, value, layout, problems)
        if record is None:
            continue
        names = []
        if entities is not None and isinstance(record.text, str):
            record.entities = []
            for one in entities_in(entities, record.text, label=options.label):
                if isinstance(one, Named) and is_named(one):
                    names.append(Named(str(one.label), one.surface))
                else:
                    what = f"{one.label} {quote(one.surface)}: expected a text and a label"
                    problems.add(BAD_ENTITY, line, what)
                    record.doubt_all()
        yield record, names


def _place(
    record: Record,
    names: list[Named],
    locate: str | None,
    problems: ProblemLog,
) -> None:
    """Find the places of a text's entities; longer ones first, for what lies inside one of them is
    no place of its own."""
    text = record.text or ""
    taken: list[_Span] = []
    entities: list[Mention] = []
    for name, count in sorted(Counter(names).items(), key=lambda of: -len(of[0].surface)):
        found = _occurrences(name.surface, text)
        free = [span for span in found if not _is_inside(span, taken)] or found
        shown = f"{name.label} {quote(name.surface)}"
        if not found:
            what = f"{shown}: left out; what is in no other entity is left without annotation"
            problems.add(NOWHERE, record.line, what)
            record.doubt_all()
            continue
        problems.count(LOCATED)
        if len(free) > count and locate is None:
            what = f"{shown} in {len(free)}; they are left without annotation. Choose: --locate all"
            problems.add(SEVERAL_PLACES, record.line, what)
            record.missing += free
            continue
        chosen = free[:1] if locate == "first" and len(free) > count else free
        entities += [Mention(start, end, name.label) for start, end in chosen]
        taken += chosen
    if record.entities is not None:
        record.entities = sorted(entities)


def _occurrences(surface: str, text: str) -> list[_Span]:
    """Where a surface is whole words, or if nowhere, where it is at all."""
    pattern = r"\s+".join(map(re.escape, surface.split()))
    found = [match.span() for match in re.finditer(pattern, text)] if pattern else []
    words = [span for span in found if all(_is_border(text, at) for at in span)]
    return words or found


def _is_border(text: str, at: int) -> bool:
    around = text[at - 1 : at + 1] if 0 < at < len(text) else ""
    return not around.isalnum() or any(map(is_unspaced, around)) or not around


def _is_inside(span: _Span, others: list[_Span]) -> bool:
    return any(start <= span[0] and span[1] <= end for start, end in others)
