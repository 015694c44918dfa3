"""BioC's XML (Comeau et al., 2013), of biomedical corpora: passages with their text, their place in
the document, and annotations whose offsets count in the document."""

from __future__ import annotations

import re
from collections.abc import Iterator

from spacy_bertcrf.corpora.counting import Counting, OffsetRule
from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, Evidence, Format
from spacy_bertcrf.corpora.json_values import BAD_LINE
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.corpora.sources import Source
from spacy_bertcrf.corpora.xml_tree import Element, parse_xml

RELATIONS = "Relations left out"
WITHOUT_TEXT = "Passages without a text, left out"

_START = re.compile(r"\s*(<\?xml[^>]*>\s*)?(<!DOCTYPE[^>]*>\s*)?<collection\b")
_LABELS = ("type", "label", "class", "category", "semantic_type")


class BioC(Format):
    """Passages with annotations."""

    name = "bioc"
    description = "BioC's XML: passages with annotations and their offsets in the document"
    offsets = OffsetRule(Counting())

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By a collection of documents with passages."""
        if not source.is_text or not _START.match(source.text):
            return None
        try:
            root = parse_xml(source.text, source.path)
        except ValueError as err:
            return Evidence(str(err), AGAINST)
        if not is_bioc(root):
            return Evidence("no passages in documents of a collection", AGAINST)
        return Evidence("a collection of documents with passages", CERTAIN)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a passage, or a sentence where these have the texts. Raises ValueError if it
        is no XML."""
        for document in parse_xml(source.text, source.path).elements:
            if document.name == "document":
                new = True
                for passage in _passages(document):
                    record = _record(passage, _child(document, "id"), new, problems)
                    if record is not None:
                        new = False
                        yield record
                problems.count(RELATIONS, sum(one.name == "relation" for one in document.walk()))


def is_bioc(root: Element) -> bool:
    """Whether XML is a collection of documents with passages."""
    return root.name == "collection" and any(
        child.name == "passage" for of in root.elements for child in of.elements
    )


def _passages(document: Element) -> Iterator[Element]:
    for passage in document.elements:
        if passage.name == "passage":
            sentences = [child for child in passage.elements if child.name == "sentence"]
            yield from sentences if _child(passage, "text") is None and sentences else [passage]


def _record(passage: Element, key: str | None, new: bool, problems: ProblemLog) -> Record | None:
    text, first = _child(passage, "text"), _child(passage, "offset") or "0"
    if not text:
        problems.count(WITHOUT_TEXT)
        return None
    shift = int(first) if first.strip().isdecimal() else 0
    entities: list[Mention] = []
    record = Record(passage.line, text=text, entities=entities, key=key, new_document=new)
    for one in passage.elements:
        if one.name != "annotation":
            continue
        places = [child.attributes for child in one.elements if child.name == "location"]
        pieces = sorted(
            (int(at["offset"]) - shift, int(at["offset"]) - shift + int(at["length"]))
            for at in places
            if at.get("offset", "").isdecimal() and at.get("length", "").isdecimal()
        )
        infons = {
            of.attributes.get("key", ""): of.text for of in one.elements if of.name == "infon"
        }
        label = next((infons[name] for name in _LABELS if infons.get(name)), "")
        if not pieces or not label:
            problems.add(BAD_LINE, one.line, "an annotation without place or type: left out")
            record.doubt_all()
            continue
        several = tuple(pieces) if len(pieces) > 1 else ()
        surface = _child(one, "text")
        entities.append(Mention(pieces[0][0], pieces[-1][1], label, surface, one.line, several))
    return record


def _child(element: Element, name: str) -> str | None:
    return next((child.text for child in element.elements if child.name == name), None)
