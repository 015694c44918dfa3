"""XML with entities, of whatever names: as elements inside the text, or beside it with offsets.

- inside: ``<s>Dear <persName>Anna</persName></s>``, ``<PHI TYPE="DOCTOR">``, ``<cons sem="G#DNA">``
  (TEI, i2b2 2006, GENIA, HAREM). What stands in text is an entity, but for the elements of a page's
  or an edition's build; the smallest element that holds text, and is no entity, is a text;
- beside: ``<entity charOffset="0-3" type="drug"/>``, ``<NAME start="0" end="4" TYPE="DOCTOR"/>``
  (DDI, i2b2 2014, SemEval's aspects), in an element with the text as attribute or child.

What the entities are called, their elements or an attribute of these, is printed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from spacy_bertcrf.corpora.counting import Counting, OffsetRule
from spacy_bertcrf.corpora.formats.bioc import is_bioc
from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, POSSIBLE, Evidence, Format
from spacy_bertcrf.corpora.json_values import looks_like_json
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.corpora.sources import Source
from spacy_bertcrf.corpora.xml_marks import (
    LABEL_KEYS,
    Naming,
    find_blocks,
    find_naming,
    read_block,
)
from spacy_bertcrf.corpora.xml_tree import Element, parse_xml

MARKS = "Elements read as entities"
OTHER_MARKS = "Elements of that name without a label, not read"
NO_TARGET = "Annotations of no words, not read"

_XML = re.compile(r"\s*<(\?xml|[A-Za-z!])")
_STARTS = (
    *(("start", "end"), ("begin", "end"), ("from", "to"), ("startoffset", "endoffset")),
    *(("start_offset", "end_offset"), ("startnode", "endnode"), ("beginoffset", "endoffset")),
)
_RANGES = ("charoffset", "offset", "offsets", "spans", "span")
_RANGE = re.compile(r"(\d+)\s*[-~,:.]+\s*(\d+)")
_TEXTS = ("text", "content", "body", "sentence", "raw")
_SURFACES = ("text", "term", "target", "surface", "mention", "word")
_LARGEST = 200_000_000


class _Annotated(NamedTuple):
    """A text and the annotations of it. holder: the element that has it."""

    holder: Element
    text: str
    annotations: list[Element]


class XmlTexts(Format):
    """Texts in XML."""

    name = "xml"
    description = "XML with entities as elements in the text, or with offsets beside it"
    options = frozenset({"label"})
    offsets = OffsetRule(Counting(), without_surface=(Counting(inclusive=True),))

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By elements with offsets beside a text, or by elements among words."""
        if looks_like_json(source) or not _XML.match(source.text) or len(source.text) > _LARGEST:
            return None
        try:
            root = parse_xml(source.text, source.path)
        except ValueError as err:
            is_xml = source.suffix == ".xml" or source.text.lstrip().startswith("<?xml")
            return Evidence(str(err).rstrip("."), AGAINST, is_close=is_xml)
        if root.name.lower() == "html" or is_bioc(root):
            return Evidence("HTML" if root.name.lower() == "html" else "BioC", AGAINST)
        beside = list(_find_annotated(root))
        if any(found.annotations for found in beside):
            names = Counter(one.name for found in beside for one in found.annotations)
            return Evidence(f"texts, and beside them <{_shown(names)}> with offsets", CERTAIN)
        naming = find_naming(root)
        if naming is None:
            return Evidence("XML without elements among the words of a text", AGAINST)
        declared = source.text.lstrip().startswith("<?xml")
        return Evidence(f"elements among words: {naming}", CERTAIN if declared else POSSIBLE)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a text. Raises ValueError if it is no XML, or has no annotation."""
        root = parse_xml(source.text, source.path)
        beside = list(_find_annotated(root))
        if any(found.annotations for found in beside):
            for found in beside:
                yield _with_offsets(found, options, problems)
            return
        naming = find_naming(root)
        if naming is None:
            raise ValueError(
                f"{source.path}: no element is among the words of a text, and none has offsets."
            )
        problems.note(MARKS, str(naming))
        yield from _inside(root, naming, problems)


def _inside(root: Element, naming: Naming, problems: ProblemLog) -> Iterator[Record]:
    for block in find_blocks(root, naming):
        text, entities, unnamed = read_block(block, naming)
        problems.count(OTHER_MARKS, unnamed)
        if text.strip():
            yield Record(block.line, text=text, entities=entities)


def _find_annotated(root: Element) -> Iterator[_Annotated]:
    """The texts of which there are annotations with offsets, and those beside them that have
    none: of one name with them."""
    found: list[_Annotated] = []
    for element in root.walk():
        text = _text_of(element)
        if text is not None:
            within = [one for one in element.walk() if one is not element and _offsets(one)]
            found.append(_Annotated(element, text, within))
    names = {of.holder.name for of in found if of.annotations}
    holders = {id(of.holder) for of in found if of.annotations}
    for of in found:
        # An element above the texts' own has the annotations of all of them.
        inner = (id(one) in holders for one in of.holder.walk() if one is not of.holder)
        if of.holder.name in names and not any(inner):
            yield of


def _text_of(element: Element) -> str | None:
    """The text that an element has as an attribute or a child, beside other things."""
    if "text" in element.attributes and not _offsets(element) and element.elements:
        return element.attributes["text"]
    children = {child.name.lower(): child for child in element.elements}
    named = next((children[name] for name in _TEXTS if name in children), None)
    if named is None or named.elements or not named.text.strip():
        return None
    return named.text


def _offsets(element: Element) -> list[tuple[int, int]]:
    """Start and end of each piece of an annotation; none of an element that is none."""
    attributes = element.attributes
    for start, end in _STARTS:
        if attributes.get(start, "").isdecimal() and attributes.get(end, "").isdecimal():
            return [(int(attributes[start]), int(attributes[end]))]
    for key in _RANGES:
        if pairs := _RANGE.findall(attributes.get(key, "")):
            return [(int(start), int(end)) for start, end in pairs]
    first, length = attributes.get("offset", ""), attributes.get("length", "")
    if first.isdecimal() and length.isdecimal():
        return [(int(first), int(first) + int(length))]
    return []


def _with_offsets(found: _Annotated, options: Options, problems: ProblemLog) -> Record:
    entities = []
    for one in found.annotations:
        pieces = _offsets(one)
        start, end = min(pieces)[0], max(end for _, end in pieces)
        surface = next((one.attributes[key] for key in _SURFACES if key in one.attributes), None)
        if start == end and surface in (None, "", "NULL"):
            problems.count(NO_TARGET)
            continue
        label = next((one.attributes[key] for key in LABEL_KEYS if one.attributes.get(key)), None)
        several = tuple(pieces) if len(pieces) > 1 else ()
        entities.append(Mention(start, end, label or one.name, surface, one.line, several))
    key = found.holder.attributes.get("id")
    return Record(found.holder.line, text=found.text, entities=entities, key=key)


def _shown(names: Counter[str]) -> str:
    shown: Sequence[str] = [name for name, _ in names.most_common(5)]
    return ">, <".join(shown)
