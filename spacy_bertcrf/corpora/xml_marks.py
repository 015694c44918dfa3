"""Elements of XML that are entities in a text, told from those that build its pages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from spacy_bertcrf.corpora.inline_marks import is_structural
from spacy_bertcrf.corpora.records import Mention
from spacy_bertcrf.corpora.xml_tree import Element, without_layout

LABEL_KEYS = (
    *("type", "label", "class", "category", "categ", "cat", "ne", "ner", "sem", "entity"),
    *("kind", "subtype"),
)
# Elements of editions (TEI) and articles (JATS) that hold words and are no names of anything.
_BUILD = frozenset(
    """hi lb pb cb milestone note ref ptr choice abbr expan orig reg sic corr add del gap unclear
    supplied foreign emph q quote said floatingtext opener closer salute signed dateline ab seg lg l
    div0 div1 div2 div3 figure figdesc graphic list item label cell row table caption italic bold
    underline xref ext-link sup sub sc monospace sec fig footnote fn anchor omitido
    alt""".split()  # noqa: SIM905  # words
)
_TEI = frozenset(
    """persname placename orgname geogname settlement country region name rs date time bibl term
    objectname eventname forename surname rolename district bloc num measure""".split()  # noqa: SIM905
)
# Names of HTML's that corpora have for entities, with a label.
_PLAIN = frozenset({"em", "span", "annotation", "tag"})
_HEADERS = frozenset({"teiheader", "articleinfo", "header", "meta", "metadata", "tags"})
_BREAKS = frozenset({"lb", "br", "cb", "pb"})
_FEW_NAMES = 3
_LEAST_WORDS = 2
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]")
_LONG_WORD = 4


class Naming(NamedTuple):
    """What elements are entities.

    names: their names.
    attribute: the attribute that has their label; None if their names are the labels.
    labels: how often each label is there.
    """

    names: frozenset[str]
    attribute: str | None
    labels: Counter[str]

    def label(self, element: Element) -> str:
        """The label of an entity; empty if it has none."""
        if self.attribute is None:
            return element.name
        return element.attributes.get(self.attribute, "")

    def __str__(self) -> str:
        shown = ", ".join(label for label, _ in self.labels.most_common(6))
        of = f", labels in {self.attribute!r}" if self.attribute else ""
        return f"<{'>, <'.join(sorted(self.names)[:6])}>{of} ({shown})"


def find_naming(root: Element) -> Naming | None:
    """Find out which elements are entities: those among the words of other elements; None if there
    are none, or if words are elements of their own."""
    is_tei = root.name in ("TEI", "TEI.2", "teiCorpus")
    names: Counter[str] = Counter()
    for element in _content(root):
        if element.has_text:
            names.update(child.name for child in element.elements if _may_be(child, is_tei))
    if not names:
        return None
    found = frozenset(names)
    marks = [element for element in _content(root) if element.name in found]
    keys = Counter(key for mark in marks for key in LABEL_KEYS if mark.attributes.get(key))
    few = len(found) <= _FEW_NAMES and not is_tei
    attribute = next((key for key in LABEL_KEYS if 2 * keys[key] > len(marks)), None)
    naming = Naming(found, attribute if few else None, Counter())
    naming.labels.update(label for mark in marks if (label := naming.label(mark)))
    blocks = list(find_blocks(root, naming))
    words = sum(_n_words(block.text) for block in blocks)
    return naming if words >= _LEAST_WORDS * len(blocks) else None


def _n_words(text: str) -> int:
    """About how many words a text has, of which Chinese and Japanese write none apart."""
    return len(text.split()) + len(_UNSPACED.findall(text)) // _LONG_WORD


def find_blocks(element: Element, naming: Naming) -> Iterator[Element]:
    """The elements that are texts: those that hold words or entities, and are in no such."""
    if element.name.lower() in _HEADERS:
        return
    if element.has_text or any(child.name in naming.names for child in element.elements):
        yield element
        return
    for child in element.elements:
        yield from find_blocks(child, naming)


def read_block(block: Element, naming: Naming) -> tuple[str, list[Mention], int]:
    """A text, its entities, and how many elements have no label."""
    reader = _Reader(naming)
    reader.read(block, is_block=True)
    text, places = without_layout("".join(reader.pieces))
    entities = []
    for first, last, label, line in reader.found:
        start, end = places[first], places[last]
        # With its text nobody wonders how its offsets count.
        entities.append(Mention(start, end, label, text[start:end], line))
    return text, entities, reader.unnamed


class _Reader:
    def __init__(self, naming: Naming) -> None:
        self.naming = naming
        self.pieces: list[str] = []
        self.length = self.unnamed = 0
        self.found: list[tuple[int, int, str, int]] = []

    def read(self, element: Element, is_block: bool = False) -> None:
        start = self.length
        if element.name.lower() in _BREAKS and not element.children:
            self.add("\n")
        for child in element.children:
            if isinstance(child, Element):
                self.read(child)
            elif element.name.upper() == "ALT" and "|" in child:
                # HAREM's alternative readings: the first one is the text.
                self.add(child.split("|")[0])
                break
            else:
                self.add(child)
        if not is_block and element.name in self.naming.names:
            label = self.naming.label(element)
            if label:
                self.found.append((start, self.length, label, element.line))
            self.unnamed += not label

    def add(self, text: str) -> None:
        self.pieces.append(text)
        self.length += len(text)


def _content(root: Element) -> Iterator[Element]:
    """The elements but for those in headers."""
    if root.name.lower() in _HEADERS:
        return
    yield root
    for child in root.elements:
        yield from _content(child)


def _may_be(element: Element, is_tei: bool) -> bool:
    name = element.name.lower()
    if is_tei:
        return name in _TEI
    if name in _PLAIN and any(element.attributes.get(key) for key in LABEL_KEYS):
        return True
    known = is_structural(name) or name in _BUILD or re.fullmatch(r"h\d|w|tok|token|pc|c", name)
    return not known and bool(element.text.strip())
