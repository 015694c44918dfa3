"""How a file writes its tags: where the letter stands, what parts it from the label, and what a
token outside of every entity has."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

LETTERS = "BIESMLUW"

_OUTSIDE = frozenset("Oo0")
# What stands for O where O is not used at all; the first few could be labels or gaps elsewhere.
_OTHER_OUTSIDE = ("_", "-", "other", "others", "out", "outside", "none", "null", "nil")
_WORDS_FOR_OUTSIDE = frozenset(_OTHER_OUTSIDE) - {"_", "-"}
_USUAL = "-_"
_BRACKETS = re.compile(r"(I-)?<([^<>]+)>")
_INNER = frozenset("IMEL")
_CANONICAL = {letter: letter for letter in LETTERS} | {"W": "S"}

_MOST_TAGS = 0.9
_FEW_LABELS = 20
_LABELS_PER_TAG = 0.05


class NumberedTags(ValueError):
    """Tags are numbers, and their names are not known."""


class TagStyle(NamedTuple):
    """How tags are written.

    position: where the letter stands: "before" the label, "after" it, "alone" where there is no
        label, "nowhere" where a tag is a label and nothing else, or "brackets" where ``I-<label>``
        begins an entity, ``<label>`` goes on with it, and ``<other>`` is outside, as in GROBID.
    separators: the characters that may part letter and label; empty where nothing does.
    small: whether the letters are small ones.
    outside: the tags of tokens outside of all entities.
    goes_on: whether a letter alone goes on with the entity before it: "B-PER", "I".
    """

    position: str = "before"
    separators: str = _USUAL
    small: bool = False
    outside: frozenset[str] = frozenset("O")
    goes_on: bool = False

    def split(self, tag: str) -> tuple[str, str] | None:
        """The letter and the label of a tag, or None if it is no such tag."""
        width = 1 if self.separators else 0
        if self.position == "brackets":
            match = _BRACKETS.fullmatch(tag)
            return ("B" if match[1] else "I", match[2]) if match else None
        if self.position == "alone":
            letter, between, label = tag, "", ""
        elif self.position == "before":
            letter, between, label = tag[:1], tag[1 : 1 + width], tag[1 + width :]
        elif self.position == "after":
            cut = len(tag) - 1 - width
            letter, between, label = tag[-1:], tag[cut:-1], tag[: max(cut, 0)]
        else:
            return None
        parted = not width or (between and between in self.separators)
        if not parted or not (label or self.position == "alone"):
            return None
        known = LETTERS.lower() if self.small else LETTERS
        return (_CANONICAL[letter.upper()], label) if len(letter) == 1 and letter in known else None

    def canonical(self, tag: str, label: str | None = None) -> str:
        """Write a tag as `read_tags` reads it: "PER_b" as "B-PER", "0" as "O". What is no tag of
        this style stays as it is.

        label: the label of tags that have none.
        """
        if tag in self.outside:
            return "O"
        parts = self.split(tag)
        return tag if parts is None else f"{parts[0]}-{parts[1] or label}"

    def canonical_tags(self, tags: Iterable[str | None], label: str | None = None) -> list[str]:
        """Write the tags of a sentence so; where letters alone go on with an entity, they get its
        label. None is an empty string."""
        written = [self.canonical(tag, label) if tag else "" for tag in tags]
        for at, tag in enumerate(written) if self.goes_on else ():
            if tag in _INNER and at and written[at - 1][1:2] == "-":
                written[at] = f"{tag}-{written[at - 1][2:]}"
        return written

    def __str__(self) -> str:
        between = {"": "nothing", _USUAL: "- or _"}.get(self.separators, self.separators)
        small = "small " if self.small else ""
        how = {
            "before": f"{small}letter before the label, parted by {between}",
            "after": f"{small}letter behind the label, parted by {between}",
            "alone": f"{small}letters without a label",
            "nowhere": "labels without letters",
            "brackets": "I-<label> begins, <label> goes on",
        }[self.position]
        how += ", a letter alone goes on" if self.goes_on else ""
        return f"{how}, outside is {' or '.join(sorted(self.outside))}"


class _Fit:
    """The tags that a style fits: how many, with which letters, and the letters of each label."""

    def __init__(self) -> None:
        self.count = 0
        self.letters_of: defaultdict[str, set[str]] = defaultdict(set)

    def add(self, letter: str, label: str, count: int) -> None:
        self.count += count
        self.letters_of[label].add(letter.upper())

    @property
    def opens(self) -> bool:
        """Whether some tag has a letter that no scheme does without."""
        return any(letters & {"B", "I"} for letters in self.letters_of.values())

    @property
    def is_paired(self) -> bool:
        """Whether half of the labels or more have several letters, as chance would not have it."""
        paired = sum(len(letters) > 1 for letters in self.letters_of.values())
        return 2 * paired >= len(self.letters_of)


def find_style(tags: Mapping[str, int], scheme: str | None = None) -> TagStyle:
    """Find out how the tags of a file are written.

    tags: how often each tag is there.
    scheme: the tag scheme, if it is known.

    Returns the style that fits most tags. Raises NumberedTags if they are numbers, ValueError if
    they do not look like tags.
    """
    outside = _outside(tags, scheme)
    rest = {tag: count for tag, count in tags.items() if tag and tag not in outside}
    if not rest:
        return TagStyle(outside=outside)
    if all(tag.isdecimal() for tag in rest):
        raise NumberedTags(
            f"The tag column holds numbers ({_shown(tags)}). Give their names, that of 0 first, "
            "with --labels, e.g. --labels O,B-PER,I-PER."
        )
    if sum(count for tag, count in rest.items() if _BRACKETS.fullmatch(tag)) >= _MOST_TAGS * sum(
        rest.values()
    ):
        inner = {match[2] for tag in rest if (match := _BRACKETS.fullmatch(tag))}
        if inner & _OUTSIDE:
            raise ValueError(
                f"The tags are in brackets ({_shown(tags)}). Take these off: B-PER, I-PER, O."
            )
        others = frozenset(tag for tag in rest if tag.removeprefix("I-").lower() == "<other>")
        return TagStyle("brackets", outside=outside | others)
    bare = _INNER & rest.keys()
    if bare and TagStyle() in _fits(rest):
        rest = {tag: count for tag, count in rest.items() if tag not in bare}
        found = find_style({**rest, **{tag: tags[tag] for tag in outside & tags.keys()}}, scheme)
        return found._replace(goes_on=found.position == "before")
    total = sum(rest.values())
    fits = _fits(rest)
    for style in sorted(fits, key=lambda style: -fits[style].count):
        if _is_plausible(style, fits[style], total, scheme):
            return style._replace(outside=outside)
    if scheme == "IO" or _are_labels(rest, tags, outside):
        return TagStyle("nowhere", "", outside=outside)
    if scheme is not None and (outside & tags.keys() or TagStyle() in fits):
        return TagStyle(outside=outside)
    raise ValueError(
        f"The tag column holds neither 'O' nor tags such as 'B-PER' ({_shown(rest)}). Name the "
        "column that holds the tags, or the scheme IO if each tag is a bare label."
    )


def look_like_tags(labels: Iterable[str]) -> list[str]:
    """Those labels that look like tags of another scheme: one name with several letters, as "PER-B"
    and "PER-I", or with words for these, or letters alone."""
    found: list[str] = []
    for style, fit in _fits(dict.fromkeys(labels, 1)).items():
        if not (style.separators or style.position == "alone"):
            continue
        names = {
            label
            for label, letters in fit.letters_of.items()
            if len(letters) > 1 and letters & {"B", "I"}
        }
        found += [label for label in labels if (parts := style.split(label)) and parts[1] in names]
    words: defaultdict[str, set[str]] = defaultdict(set)
    for label in labels:
        for match in filter(None, (pattern.fullmatch(label) for pattern in _WORDS_FOR_LETTERS)):
            words[match["label"]].add(label)
    found += [label for of in words.values() if len(of) > 1 for label in of]
    return sorted(set(found))


def _outside(tags: Mapping[str, int], scheme: str | None) -> frozenset[str]:
    found = _OUTSIDE & tags.keys()
    if found:
        return found | {"O"}
    others = [tag for tag in tags if tag.lower() in _OTHER_OUTSIDE]
    if not others:
        return frozenset("O")
    most = max(others, key=lambda tag: tags[tag])
    return frozenset((most, "O"))


def _fits(tags: Mapping[str, int]) -> dict[TagStyle, _Fit]:
    """How many of the tags each style fits, the more usual styles first."""
    fits: dict[TagStyle, _Fit] = {}
    for position, small, pattern in _PATTERNS:
        of_shape: dict[str, _Fit] = {}
        for tag, count in tags.items():
            match = pattern.fullmatch(tag)
            if match:
                letter, between, label = match["letter"], match["between"] or "", match["label"]
                if between in _USUAL and between and position == "before" and not small:
                    between = _USUAL
                of_shape.setdefault(between, _Fit()).add(letter, label, count)
        for between, fit in of_shape.items():
            fits[TagStyle(position, between, small)] = fit
    alone: defaultdict[bool, _Fit] = defaultdict(_Fit)
    for tag, count in tags.items():
        if len(tag) == 1 and tag.upper() in LETTERS:
            alone[tag.islower()].add(tag, "", count)
    for small, fit in alone.items():
        fits[TagStyle("alone", "", small)] = fit
    return fits


def _is_plausible(style: TagStyle, fit: _Fit, total: int, scheme: str | None) -> bool:
    if style == TagStyle():
        return 2 * fit.count > total
    parted = style.separators or style.position == "alone" or fit.is_paired
    return bool(fit.count >= _MOST_TAGS * total and parted and (fit.opens or scheme))


def _are_labels(rest: Mapping[str, int], tags: Mapping[str, int], outside: frozenset[str]) -> bool:
    """Whether tags without letters are labels: few of them, and O between them. A word for O, as
    "OTHER", may be a label itself; it is taken for O where it is the most frequent of all."""
    marks = outside & tags.keys()
    most = max(rest.values())
    known = any(
        mark in _OUTSIDE or (mark.lower() in _WORDS_FOR_OUTSIDE and tags[mark] >= most)
        for mark in marks
    )
    return known and len(rest) <= max(_FEW_LABELS, _LABELS_PER_TAG * sum(rest.values()))


def _shown(tags: Mapping[str, int]) -> str:
    return ", ".join(repr(tag) for tag in sorted(tags, key=lambda tag: -tags[tag])[:4])


def _pattern(template: str, letters: str) -> re.Pattern[str]:
    parts = {"letter": f"(?P<letter>[{letters}])", "between": r"(?P<between>[^\w\s]|_)?"}
    return re.compile(template.format(**parts), re.DOTALL)


_PATTERNS = [
    (position, small, _pattern(template, letters))
    for small, letters in ((False, LETTERS), (True, LETTERS.lower()))
    for position, template in (
        ("before", "{letter}{between}(?P<label>.+)"),
        ("after", "(?P<label>.+?){between}{letter}"),
    )
]
_WORD = r"(begin(ning)?|start|inside|inner|in|middle|mid|end|last|single|unit)"
_WORDS_FOR_LETTERS = [
    re.compile(template, re.IGNORECASE)
    for template in (rf"{_WORD}[-_:](?P<label>.+)", rf"(?P<label>.+)[-_:]{_WORD}")
]
