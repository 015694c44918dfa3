"""Lines of Chinese words with parts of speech, where names of persons, places and organizations
have their own: ``江/nr 泽民/nr 在/p [中央/n 电台/n]nt``.

- People's Daily (PFR, Peking University, 1998): family and given name are two words, ``[…]nt``
  spans several, the first word numbers the paragraph; in the version of 2014 names are one word;
- MSRA's own lines (SIGHAN 2006): whole phrases as words, ``o`` for all that is no name;
- LTP and THULAC: ``nh`` or ``np`` for persons, ``ni`` for organizations; ``nt`` is time.

Words are joined to the text that they were cut from, and entities get the field's names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, Evidence, Format
from spacy_bertcrf.corpora.formats.tagged_lines import HAN, MSRA_TAGS, find_tagged_words
from spacy_bertcrf.corpora.json_values import looks_like_json
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.person_names import join_names, names_are_split
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.corpora.sources import Source

NO_TAG = "word without a tag"
UNBALANCED = "bracket without its other half"
TAG_SET = "Tag set"
OTHER_NAMES = "Other proper names (nz), read as no entity"

_SEEN = 2000
_MOST = 0.8
_PIECE = re.compile(r"(\[*)(.+?)[/_]([A-Za-z]{1,5}\d?)((?:\]/?[A-Za-z]{1,5}\d?)*)")
_CLOSING = re.compile(r"(?:\]/?[A-Za-z]{1,5}\d?)+")
_CLOSE = re.compile(r"\]/?([A-Za-z]+\d?)")
_PARAGRAPH = re.compile(r"(\d{8}-\d+-\d+)-\d+")
_BLANKS = re.compile(r"[ \t\r\n]+")
_PRONUNCIATION = re.compile(r"\{[a-z]+\d?\}")


class _TagSet(NamedTuple):
    """Which beginnings of tags are of which label."""

    name: str
    labels: dict[str, str]

    def label(self, tag: str) -> str | None:
        return next((label for mark, label in self.labels.items() if tag.startswith(mark)), None)

    def __str__(self) -> str:
        return f"{self.name}: {', '.join(f'{tag} → {to}' for tag, to in self.labels.items())}"


_PEOPLES_DAILY = _TagSet("People's Daily's", {"nr": "PER", "ns": "LOC", "nt": "ORG"})
_MSRA = _TagSet("MSRA's", {"nr": "PER", "ns": "LOC", "nt": "ORG"})
_LTP = _TagSet("LTP's, where nt is time", {"nh": "PER", "ns": "LOC", "ni": "ORG"})
_THULAC = _TagSet("THULAC's", {"np": "PER", "ns": "LOC", "ni": "ORG"})


class _Piece(NamedTuple):
    """A word; opens and closes: the brackets before it, and the tags of those behind it."""

    word: str
    tag: str | None
    opens: int = 0
    closes: tuple[str, ...] = ()


class WordPos(Format):
    """Chinese words with parts of speech."""

    name = "word-pos"
    description = "lines of Chinese words with parts of speech: People's Daily, MSRA's own, LTP"
    lang = "zh"

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By lines of which nearly every word has a tag behind a slash, some that of a name."""
        if looks_like_json(source):
            return None
        lines = list(islice(source.lines(), _SEEN))
        tags = _count_tags(lines)
        words = sum(map(_count_words, lines))
        tag_set = _find_tag_set(tags)
        # MSRA's phrases have spaces in them.
        is_msra = tag_set is _MSRA and 2 * tags.total() > words
        if find_tagged_words(lines) is not None:
            return Evidence("the tags are those of entities, with B and I", AGAINST)
        if not words or (tags.total() < _MOST * words and not is_msra):
            return Evidence("no lines of words with a tag behind a slash each", AGAINST)
        if not any(map(HAN.search, lines)):
            return Evidence("words with tags behind slashes, and no Chinese ones", AGAINST)
        if tag_set is None:
            shown = ", ".join(tag for tag, _ in tags.most_common(6))
            return Evidence(f"words with tags ({shown}), none of names", AGAINST)
        return Evidence(f"a tag behind each word; the tag set is {tag_set}", CERTAIN)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a line. Raises ValueError if no tag is of a name."""
        tags = _count_tags(source.lines())
        tag_set = _find_tag_set(tags)
        if tag_set is None:
            shown = ", ".join(tag for tag, _ in tags.most_common(6)) or "none"
            raise ValueError(
                f"{source.path}: no tag of names (nr, ns, nt; nh, ni) among those of its words: "
                f"{shown}."
            )
        problems.note(TAG_SET, str(tag_set))
        if tags["nz"]:
            problems.note(OTHER_NAMES, f"{tags['nz']:,}")
        split = tag_set is _PEOPLES_DAILY and names_are_split(
            [(piece.word, tag_set.label(piece.tag or "") == "PER") for piece in pieces]
            for pieces in islice((_pieces(line)[1] for line in source.lines()), _SEEN)
        )
        article = None
        for number, line in enumerate(source.lines(), start=1):
            paragraph, pieces = _pieces(line)
            if pieces:
                new = None if paragraph is None else paragraph != article
                article = paragraph
                record = _record(pieces, tag_set, split, number, problems)
                record.new_document = new
                yield record


def _record(
    pieces: Sequence[_Piece], tag_set: _TagSet, split: bool, line: int, problems: ProblemLog
) -> Record:
    text, starts = _join([piece.word for piece in pieces])
    ends = [start + len(piece.word) for start, piece in zip(starts, pieces, strict=True)]
    labels = [tag_set.label(piece.tag or "") for piece in pieces]
    persons = [(p.word, label == "PER") for p, label in zip(pieces, labels, strict=True)]
    is_daily = tag_set is _PEOPLES_DAILY
    names = join_names(persons, split) if is_daily else [(i, i + 1) for i in range(len(pieces))]
    entities = [
        Mention(starts[first], ends[last - 1], label)
        for first, last in names
        if (label := labels[first]) is not None
    ]
    opened: list[int] = []
    missing = [(starts[i], ends[i]) for i, piece in enumerate(pieces) if piece.tag is None]
    for start, end in missing:
        problems.add(NO_TAG, line, f"{text[start:end]!r} is left without annotation")
    for at, piece in enumerate(pieces):
        opened += [starts[at]] * piece.opens
        for tag in piece.closes:
            label = tag_set.label(tag)
            if not opened:
                problems.add(UNBALANCED, line, f"]{tag} behind {piece.word!r}: left out")
                missing += [(0, ends[at])] if label is not None else []
            elif (start := opened.pop()) is not None and label is not None:
                entities.append(Mention(start, ends[at], label))
    if opened:
        problems.add(UNBALANCED, line, f"{len(opened)} [ without ]: left out")
        missing.append((opened[0], len(text)))
    return Record(line, text=text, entities=entities, missing=missing)


def _pieces(line: str) -> tuple[str | None, list[_Piece]]:
    """The number of the article, if the line begins with one, and its words."""
    found: list[_Piece] = []
    article, opens, before = None, 0, ""
    for raw in _words(line.strip(" \t\ufeff")):
        closing = _CLOSING.fullmatch(raw)
        match = _PIECE.fullmatch(f"{before} {raw}" if before else raw)
        if raw == "[":
            opens += 1
        elif closing and found and (raw[1:2] != "/" or not match or raw[2:3] != "w"):
            tags = tuple(_CLOSE.findall(raw))
            found[-1] = found[-1]._replace(closes=(*found[-1].closes, *tags))
        elif match:
            brackets, word, tag, closes = match.groups()
            paragraph = _PARAGRAPH.fullmatch(word)
            if paragraph and not found:
                article = paragraph[1]
            else:
                word = _PRONUNCIATION.sub("", word) or word
                tags = tuple(_CLOSE.findall(closes))
                found.append(_Piece(word, tag, opens + len(brackets), tags))
                opens = 0
            before = ""
        else:
            # A phrase with a space in it has its tag behind the last word.
            before = f"{before} {raw}" if before else raw
    if before:
        found.append(_Piece(before, None, opens))
    return article, found


def _words(line: str) -> list[str]:
    """What is parted by blanks and tabs; the wide space of Chinese can be a word, with a tag."""
    return [word for word in _BLANKS.split(line) if word]


def _join(words: Sequence[str]) -> tuple[str, list[int]]:
    """The text of words, and where each begins: spaces are between Latin words alone."""
    text, starts = "", []
    for word in words:
        if text and _is_latin(text[-1]) and _is_latin(word[0]):
            text += " "
        starts.append(len(text))
        text += word
    return text, starts


def _is_latin(char: str) -> bool:
    return char.isascii() and char.isalpha()


def _count_words(line: str) -> int:
    words = [word for word in _words(line) if word != "[" and not _CLOSING.fullmatch(word)]
    return len(words) - bool(_PARAGRAPH.match(line))


def _count_tags(lines: Sequence[str] | Iterator[str]) -> Counter[str]:
    return Counter(piece.tag for line in lines for piece in _pieces(line)[1] if piece.tag)


def _find_tag_set(tags: Counter[str]) -> _TagSet | None:
    if tags.keys() <= MSRA_TAGS and len(tags) > 1:
        return _MSRA
    if tags["nr"] == 0 and (tags["nh"] or tags["ni"]):
        return _THULAC if tags["np"] and not tags["nh"] else _LTP
    named = any(_PEOPLES_DAILY.label(tag) for tag in tags)
    return _PEOPLES_DAILY if named and len(tags) > 1 else None
