"""INCEpTION's and WebAnno's JSON, in which UIMA writes a document's annotations (Klie et al., 2018,
"The INCEpTION Platform").

``{"%FEATURE_STRUCTURES": [{"%TYPE": "uima.cas.Sofa", "sofaString": …}, {"%TYPE": "….NamedEntity",
"begin": 0, "end": 4, "value": "PER"}]}``, and before 2022 ``{"_referenced_fss": {"1": {"_type":
"Sofa", "sofaString": …}}, "_views": {"_InitialView": {"NamedEntity": [{"end": 4, "value":
"PER"}]}}}``, where a begin of 0 is left out. Offsets are Java's: UTF-16 units.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from spacy_bertcrf.corpora.counting import UTF_16, Counting, OffsetRule
from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, Evidence, Format
from spacy_bertcrf.corpora.json_values import BAD_LINE, looks_like_json, read_objects, sample
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.corpora.sources import Source

OTHER_LAYERS = "Other layers, left out"
NO_ENTITIES = "other layers, and no named entity"

_MEND = "WebAnno TSV, exported from the same project, is read with layers of its own"

_NEW, _OLD = "%FEATURE_STRUCTURES", "_referenced_fss"
_ENTITY, _SOFA = "NamedEntity", "Sofa"
# What every document has, and is no annotation of a person.
_BASIC = {
    _ENTITY,
    _SOFA,
    "Sentence",
    "Token",
    "DocumentMetaData",
    "DocumentAnnotation",
    "CASMetadata",
}


class Inception(Format):
    """A document that was annotated in INCEpTION."""

    name = "inception"
    description = "INCEpTION's and WebAnno's JSON (UIMA)"
    options = frozenset({"label"})
    offsets = OffsetRule(Counting(unit=UTF_16), other_ends=False)
    pooled = True

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By the keys under which UIMA writes its structures."""
        if not looks_like_json(source):
            return None
        first = sample(source, 1)
        keys = first[0].keys() if first and isinstance(first[0], dict) else ()
        found = next((key for key in (_NEW, _OLD) if key in keys), None)
        if found is None:
            return Evidence("no structures of UIMA", AGAINST)
        return Evidence(f"UIMA's structures under {found!r}", CERTAIN)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a document: its named entities; other layers are counted."""
        for line, value in read_objects(source, problems):
            structures = list(_structures(value))
            texts = [of.get("sofaString") for kind, of in structures if kind == _SOFA]
            text = next((one for one in texts if isinstance(one, str)), None)
            if text is None:
                problems.add(BAD_LINE, line, "no text (sofaString): left out")
                continue
            entities = [_mention(of, options) for kind, of in structures if kind == _ENTITY]
            placed = [kind for kind, of in structures if "end" in of and kind not in _BASIC]
            record = Record(line, text=text, entities=entities)
            if placed and not entities:
                # The entities may be in a layer that somebody made for them.
                shown = ", ".join(f"{kind}: {n:,}" for kind, n in Counter(placed).most_common())
                problems.add(NO_ENTITIES, line, f"{shown}; left without annotation. {_MEND}")
                record.entities = None
            yield record
            problems.count(OTHER_LAYERS, len(placed))


def _mention(structure: dict[str, Any], options: Options) -> Mention:
    label: Any = structure.get("value") or options.label
    return Mention(structure.get("begin", 0), structure.get("end"), label)  # type: ignore[arg-type]


def _structures(value: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The structures of a document with the last part of the names of their types."""
    new = value.get(_NEW)
    for one in new if isinstance(new, list) else ():
        if isinstance(one, dict):
            yield str(one.get("%TYPE")).rpartition(".")[2], one
    old = value.get(_OLD)
    known = old if isinstance(old, dict) else {}
    for one in known.values():
        if isinstance(one, dict):
            yield str(one.get("_type")).rpartition(".")[2], one
    views = value.get("_views")
    for view in views.values() if isinstance(views, dict) else ():
        for kind, found in view.items() if isinstance(view, dict) else ():
            # What is a number here is among the known ones, with its type.
            for one in found if isinstance(found, list) else ():
                if isinstance(one, dict):
                    yield kind.rpartition(".")[2], one
