"""The ways in which files mark entities between the words of a text."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from spacy_bertcrf.corpora.records import Mention

# Elements of a document's build, of HTML, TEI and news wires: they hold texts and are no entities.
_STRUCTURE = frozenset(
    """doc docno docid doctype text txt body headline hl dateline dd so datetime date_time slug p s
    sent sentence sentences head title html a b i u em strong span div br hr img table tr td th ul
    ol li h1 h2 h3 h4 h5 h6 pre code font center sub sup small big tt trailer story preamble nwords
    turn post poster quote keyword xml root corpus document paragraph para section abstract bgn end
    annotator author source w t tok token word seg""".split()  # noqa: SIM905  # words
)
_ATTRIBUTE = re.compile(r"""([\w:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_LABEL_KEYS = ("type", "label", "class", "category", "cat", "ne", "ner", "entity", "subtype")
_TAG = re.compile(
    r"<(/?)([A-Za-z][\w.:-]*)"
    r"""((?:\s+[\w:-]+\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'>]+))*)\s*(/?)>"""
)
# One that goes on in the next line.
_CUT_TAG = re.compile(r"<[A-Za-z][\w.:-]*(?:\s+[\w:-]+\s*=[^<>]*|\s*)$")
_ELEMENT = re.compile(
    r"<(?P<name>[A-Za-z][\w.:-]*)(?P<attributes>(?:\s+[\w:-]+\s*=\s*[^<>]*)?)>[^<>]*</(?P=name)>"
)


# Of marks that name none.
NO_LABEL = ""


class Unbalanced(ValueError):
    """A mark opens and does not close, or the other way round."""


class Marks(NamedTuple):
    """One way to mark entities.

    example: one of them, for messages.
    entity: matches an entity that holds no other.
    is_sure: whether nothing else looks so.
    is_markup: whether its marks are elements of SGML.
    is_open: whether an entity in these lines has not ended.
    unless: what speaks against these marks wherever it is in the text; None if nothing does.
    read: turns marked text into text and entities, given what turns a piece of it into plain text;
        raises Unbalanced.
    """

    example: str
    entity: re.Pattern[str]
    is_sure: bool
    is_markup: bool
    is_open: Callable[[str], bool]
    read: Callable[[str, Callable[[str], str]], tuple[str, list[Mention]]]
    unless: re.Pattern[str] | None = None


def label_of(match: re.Match[str]) -> str | None:
    """The label of a matched entity; None if it is an element of something else."""
    groups = match.groupdict()
    if "attributes" not in groups:
        return groups["name"] or NO_LABEL
    return element_label(groups["name"], groups["attributes"] or "")


def element_label(name: str, attributes: str) -> str | None:
    """The label of an element: that in its attributes, or its name; None if it is structure."""
    values = {key.lower(): a or b or c for key, a, b, c in _ATTRIBUTE.findall(attributes)}
    given = next((values[key] for key in _LABEL_KEYS if values.get(key)), None)
    if name.lower() in _STRUCTURE:
        return None
    return given or name


def is_structural(name: str) -> bool:
    """Whether an element of this name, in small letters, is a part of a document's build."""
    return name in _STRUCTURE


def is_structure(line: str) -> bool:
    """Whether a line has nothing but elements of a document's build, such as <DOC id="1">, or one
    that no text is in, such as <DOCNO> 17 </DOCNO>."""
    tags = _TAG.findall(line)
    if not tags or any(name.lower() not in _STRUCTURE for _, name, _, _ in tags):
        return False
    bare = {"docno", "docid", "doctype", "date_time", "datetime", "slug", "nwords", "trailer"}
    return not _TAG.sub("", line).strip() or tags[0][1].lower() in bare


def _read_elements(line: str, plain: Callable[[str], str]) -> tuple[str, list[Mention]]:
    text, at = "", 0
    opened: list[tuple[str, str | None, int, str]] = []
    entities: list[Mention] = []
    for match in _TAG.finditer(line):
        closes, name, attributes, empty = match.groups()
        text += plain(line[at : match.start()])
        at = match.end()
        if empty:
            continue
        if not closes:
            opened.append((name, element_label(name, attributes), len(text), attributes))
            continue
        if not opened or opened[-1][0].lower() != name.lower():
            if name.lower() in _STRUCTURE:
                continue
            raise Unbalanced(f"</{name}> closes, and did not open")
        _, label, start, attributes = opened.pop()
        if label is not None:
            first, last = _parts_of_words(attributes)
            entities.append(Mention(start + first, len(text) - last, label))
    text += plain(line[at:])
    left = [name for name, label, _, _ in opened if label is not None]
    if left:
        raise Unbalanced(f"<{left[0]}> opens, and does not close")
    return text, entities


def _parts_of_words(attributes: str) -> tuple[int, int]:
    """How many characters of the first and of the last word are not the entity's: OntoNotes' S_OFF
    and E_OFF."""
    values = {key.lower(): a or b or c for key, a, b, c in _ATTRIBUTE.findall(attributes)}
    first, last = values.get("s_off", "0"), values.get("e_off", "0")
    return (int(first) if first.isdecimal() else 0), (int(last) if last.isdecimal() else 0)


def _elements_open(lines: str) -> bool:
    if _CUT_TAG.search(lines):
        return True
    depth: dict[str, int] = {}
    for closes, name, _, empty in _TAG.findall(lines):
        if not empty and name.lower() not in _STRUCTURE:
            depth[name.lower()] = depth.get(name.lower(), 0) + (-1 if closes else 1)
    return any(count > 0 for count in depth.values())


def _reader_of(
    pattern: re.Pattern[str], begins: str | None, trims: bool
) -> Callable[[str, Callable[[str], str]], tuple[str, list[Mention]]]:
    """A reader of marks that hold no others."""

    def read(line: str, plain: Callable[[str], str]) -> tuple[str, list[Mention]]:
        text, at = "", 0
        entities = []
        for match in pattern.finditer(line):
            if begins is not None and begins in line[at : match.start()]:
                raise Unbalanced(f"{begins!r} opens, and does not close")
            text += plain(line[at : match.start()])
            surface = plain(match["surface"])
            surface = surface.strip(" ") if trims else surface
            entities.append(Mention(len(text), len(text) + len(surface), match["name"] or NO_LABEL))
            text += surface
            at = match.end()
        rest = line[at:]
        if begins is not None and begins in rest:
            raise Unbalanced(f"{begins!r} opens, and does not close")
        return text + plain(rest), entities

    return read


def _opener_of(begins: str, ends: str) -> Callable[[str], bool]:
    return lambda lines: lines.rfind(begins) > lines.rfind(ends)


def _never_open(lines: str) -> bool:
    return False


_BOSON = re.compile(r"\{\{(?P<name>[^\s{}:]+):(?P<surface>(?:(?!\{\{).)*?)\}\}", re.DOTALL)
_OPENNLP = re.compile(
    r"<START(?::(?P<name>[^<>\s]+))?> *(?P<surface>(?:(?!<START).)*?) *<END>", re.DOTALL
)
_YEDDA = re.compile(r"\[[@$](?P<surface>[^\[\]]*?)#(?P<name>[^\[\]#*]+)\*\]")
_BRACKETS = re.compile(r"\[(?P<name>[A-Z][A-Z_-]+) (?P<surface>[^\[\]]+?) ?\]")
_LINKS = re.compile(r"\[(?P<surface>[^\[\]\n]+)\]\((?P<name>[A-Za-z_][\w-]*)(?::[^()\n]*)?\)")
_COLONS = re.compile(r"<(?!START:)(?P<surface>[^<>\n]+):(?P<name>[A-Z][A-Z_]+)>")
_HALVES = re.compile(
    r"""<b_(?P<kind>\w+) TYPE="(?P<name>[^"]+)"> *(?P<surface>.*?) *<e_(?P=kind)>""", re.DOTALL
)

KINDS = (
    Marks(
        "{{label:…}}",
        _BOSON,
        True,
        False,
        _opener_of("{{", "}}"),
        _reader_of(_BOSON, "{{", trims=True),
    ),
    Marks(
        "<START:label> … <END>",
        _OPENNLP,
        True,
        False,
        _opener_of("<START:", "<END>"),
        _reader_of(_OPENNLP, "<START:", trims=True),
    ),
    Marks(
        "[@…#label*]",
        _YEDDA,
        True,
        False,
        _opener_of("[@", "*]"),
        _reader_of(_YEDDA, "[@", trims=False),
    ),
    Marks(
        "[label …]",
        _BRACKETS,
        True,
        False,
        _never_open,
        _reader_of(_BRACKETS, None, trims=True),
    ),
    Marks(
        "[…](label)",
        _LINKS,
        False,
        False,
        _never_open,
        _reader_of(_LINKS, None, trims=False),
        # Links of a page.
        re.compile(r"^(#+ |```|={3,}$|-{3,}$)|\]\((?:https?:|[^()]*[/.])", re.MULTILINE),
    ),
    Marks(
        "<…:LABEL>",
        _COLONS,
        True,
        False,
        _never_open,
        _reader_of(_COLONS, None, trims=False),
        re.compile(r"</|/>|\t[^\t\n]*\t"),
    ),
    Marks(
        '<b_enamex TYPE="label">…<e_enamex>',
        _HALVES,
        True,
        False,
        _opener_of("<b_", "<e_"),
        _reader_of(_HALVES, "<b_", trims=True),
    ),
    Marks("<label>…</label>", _ELEMENT, True, True, _elements_open, _read_elements),
)
