"""Reads the tag strings of a file, in any of the usual schemes, and repairs what breaks them."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from spacy_bertcrf.tagging.spans import EntitySpan

# The letters that a scheme writes before its labels. BIO is also known as IOB2, BIOES as IOBES;
# BIOS marks single tokens and no ends.
FILE_SCHEMES = {
    "BIO": "BI",
    "BIOES": "BIES",
    "BMES": "BMES",
    "BIOS": "BIS",
    "BILOU": "BILU",
    "IO": "I",
    "IOB1": "BI",
}

UNKNOWN_TAG = "unknown tag"
FOREIGN_PREFIX = "tag of another scheme"
NO_BEGINNING = "entity without a beginning"
ANOTHER_LABEL = "inside tag after another label"
NO_END = "entity without an end"
OVER_BREAK = "entity runs over a sentence break"

_ALIKE = ("CYRILLIC", "GREEK", "FULLWIDTH")


class TagRepair(NamedTuple):
    """One place where the tags broke their scheme.

    token: index of the token.
    kind: one of the kinds named in this module.
    what: the tag, and what was made of it.
    """

    token: int
    kind: str
    what: str


class TagReading(NamedTuple):
    """What a tag sequence says.

    spans: the entities, in reading order.
    missing: indices of tokens that nothing certain is known of.
    repairs: what had to be repaired, in reading order.
    running: label of an entity that may go on after the last token, or None.
    """

    spans: list[EntitySpan]
    missing: list[int]
    repairs: list[TagRepair]
    running: str | None


def read_tags(tags: Sequence[str | None], scheme: str, continued: str | None = None) -> TagReading:
    """Read entity spans from tag strings, legal or not.

    An inside tag that has nothing to continue begins a new entity, as in the CoNLL shared tasks'
    ``conlleval`` script (Tjong Kim Sang and De Meulder, 2003). A tag that cannot be read leaves
    its token's annotation missing, and with it the rest of an entity that goes on through it.

    tags: one tag a token, e.g. "O", "B-PER" or "I_LOC"; in the IO scheme also a bare "PER". None
        for a token whose tag is not known: it counts as missing, without a repair.
    scheme: one of FILE_SCHEMES.
    continued: label of an entity that the sentence before ended in.

    Returns spans, missing tokens and repairs. Raises ValueError if there is no such scheme.
    """
    reader = _TagReader(check_scheme(scheme))
    for i, tag in enumerate(tags):
        if tag == "O" and reader.label is None:
            reader.before, reader.after_missing = tag, False
        else:
            reader.read(i, tag, continued if i == 0 else None)
    running = reader.label
    reader.end_unmarked(len(tags), "the end of the sentence")
    missing = sorted(reader.missing)
    return TagReading(reader.spans, missing, sorted(reader.repairs), running)


def detect_scheme(sentences: Iterable[Sequence[str | None]]) -> str:
    """Find the scheme that most tags of a file are in, so that a few wrong ones do not decide.

    sentences: the tag strings, a sequence a sentence.

    Returns one of FILE_SCHEMES. Raises ValueError if these do not look like tags.
    """
    letters: Counter[str] = Counter()
    first: Counter[str] = Counter()  # letters of tags that follow no tag of the same label
    bare = outside = 0
    for tags in sentences:
        before = None
        for tag in tags:
            match = _PREFIXED.fullmatch(tag or "")
            label = match[2] if match else None
            if match:
                letters[match[1]] += 1
                first[match[1]] += label != before
            outside += tag == "O"
            bare += not match and tag not in (None, "", "O")
            before = label
    if bare > letters.total():
        if not outside:
            raise ValueError(
                "The tag column holds neither 'O' nor tags such as 'B-PER'. Name the column that "
                "holds the tags, or the scheme IO if each tag is a bare label."
            )
        return "IO"
    closed = sum(letters[letter] for letter in "ESLU")
    opened = sum(letters[letter] for letter in "BSU")
    if letters["I"] and opened > closed == letters["S"] > 0:
        return "BIOS"
    if closed and 2 * closed >= opened:
        if letters["M"] > letters["I"]:
            return "BMES"
        return "BILOU" if letters["L"] + letters["U"] > letters["E"] + letters["S"] else "BIOES"
    if letters["I"] and not letters["B"]:
        return "IO"
    # In IOB1 every B- follows an entity of the same label; in BIO few do.
    return "IOB1" if first["I"] > first["B"] and 2 * first["B"] < letters["B"] else "BIO"


def check_scheme(name: str) -> str:
    """Look up a scheme's name, in any case and by its other names.

    Returns one of FILE_SCHEMES. Raises ValueError if there is no such scheme.
    """
    scheme = _OTHER_NAMES.get(name.upper(), name.upper())
    if scheme not in FILE_SCHEMES:
        raise ValueError(f"There is no tag scheme {name!r}. Use one of: {', '.join(FILE_SCHEMES)}.")
    return scheme


_OTHER_NAMES = {"IOB2": "BIO", "IOBES": "BIOES", "BMESO": "BMES", "BILUO": "BILOU", "IOB": "IOB1"}
_PREFIXED = re.compile(r"([BIESMLU])[-_](.+)", re.DOTALL)
_MEANING = {"B": "B", "I": "I", "M": "I", "E": "E", "L": "E", "S": "S", "U": "S"}


class _TagReader:
    def __init__(self, scheme: str) -> None:
        self.scheme = scheme
        self.marks_ends = len(FILE_SCHEMES[scheme]) == 4
        self.inside_may_begin = scheme in ("IO", "IOB1")
        self.spans: list[EntitySpan] = []
        self.missing: list[int] = []
        self.repairs: list[TagRepair] = []
        self.label: str | None = None  # of the open entity
        self.start = 0
        self.doubtful = False  # the open entity's beginning is unknown
        self.cut_off: EntitySpan | None = None  # the entity that a run of missing tags cut off
        self.after_missing = False
        self.before: str | None = None

    def read(self, i: int, tag: str | None, continued: str | None) -> None:
        letter, label = self._split(tag)
        if letter is None:
            self._read_missing(i, tag)
            return
        if label and letter not in FILE_SCHEMES[self.scheme]:
            what = f"{tag!r} is not a tag of {self.scheme}; read by its meaning elsewhere"
            self.repairs.append(TagRepair(i, FOREIGN_PREFIX, what))
        mark = _MEANING.get(letter, letter)
        if mark in "IE":
            if label != self.label:
                self._begin_inside(i, str(tag), label, continued)
            if mark == "E":
                self._close(i + 1)
        else:
            self.end_unmarked(i, repr(tag))
            if mark in "BS":
                self._open(i, label)
            if mark == "S":
                self._close(i + 1)
        self.before, self.after_missing = tag, False

    def end_unmarked(self, end: int, by: str) -> None:
        """End the open entity, if there is one, without a tag that says so."""
        if self.label is not None and self.marks_ends and not self.doubtful:
            what = f"{self.before!r} before {by}: the entity ends here"
            self.repairs.append(TagRepair(end - 1, NO_END, what))
        self._close(end)

    def _split(self, tag: str | None) -> tuple[str | None, str]:
        if tag == "O":
            return "O", ""
        match = _PREFIXED.fullmatch(tag or "")
        if match:
            return match[1], match[2]
        if tag and self.scheme == "IO":
            return "I", tag
        return None, ""

    def _read_missing(self, i: int, tag: str | None) -> None:
        if tag is not None:
            what = f"{tag!r}{_named(tag)} is not a tag; its token is left without annotation"
            self.repairs.append(TagRepair(i, UNKNOWN_TAG, what))
        if not self.after_missing:
            self.cut_off = None
            if self.label is not None and not self.doubtful:
                self.cut_off = EntitySpan(self.start, i, self.label)
        self._close(i)
        self.missing.append(i)
        self.before, self.after_missing = tag, True

    def _begin_inside(self, i: int, tag: str, label: str, continued: str | None) -> None:
        kind = NO_BEGINNING if self.label is None else ANOTHER_LABEL
        self._close(i)
        if self.inside_may_begin:
            # The entity may as well have begun in the tokens that are missing.
            self._open(i, label, doubtful=self.after_missing)
        elif self.after_missing:
            what = f"{tag!r} after a tag that cannot be read: left without annotation"
            self.repairs.append(TagRepair(i, NO_BEGINNING, what))
            self._open(i, label, doubtful=True)
        else:
            where = "at the start of the sentence" if i == 0 else f"after {self.before!r}"
            if continued == label:
                kind = OVER_BREAK
            what = f"{tag!r} {where}: a new entity begins here"
            self.repairs.append(TagRepair(i, kind, what))
            self._open(i, label)
        if self.doubtful and self.cut_off and self.cut_off.label == label:
            self.spans.remove(self.cut_off)
            self.missing.extend(range(self.cut_off.start, self.cut_off.end))
            self.cut_off = None

    def _open(self, i: int, label: str, doubtful: bool = False) -> None:
        self.start, self.label, self.doubtful = i, label, doubtful

    def _close(self, end: int) -> None:
        if self.label is None:
            return
        if self.doubtful:
            self.missing.extend(range(self.start, end))
        else:
            self.spans.append(EntitySpan(self.start, end, self.label))
        self.label, self.doubtful = None, False


def _named(tag: str) -> str:
    """The name of a character that looks like a tag's letter, or what parts it from the label, and
    is another."""
    for char in tag[:2]:
        name = unicodedata.name(char, "")
        if name.startswith(_ALIKE) or (unicodedata.category(char) == "Pd" and not char.isascii()):
            return f" (with {name})"
    return ""
