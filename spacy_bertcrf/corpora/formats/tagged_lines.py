"""Lines of words that have their tags with them, a sentence a line.

- behind each word: ``Anna/B-PER lives/O``, ``Anna_B-PER``, ``Anna|B-PER``, and with the part of
  speech between them, as WikiNER (Nothman et al., 2013) and spaCy's old examples have it:
  ``Anna|NNP|B-PER``; ``fly:O to:O Rome:B-city <=> BookFlight`` of slot filling;
- in the next line, a blank one behind it or not;
- behind a tab: ``BOS fly to rome EOS⇥O O O B-city book_flight``, as ATIS is handed around, or
  with U+0002 between words and between tags, as PaddleNLP has MSRA's.

Of the text of a line that ends in its intent, that becomes its category.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, Evidence, Format
from spacy_bertcrf.corpora.json_values import BAD_LINE, looks_like_json
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Record
from spacy_bertcrf.corpora.sources import Source
from spacy_bertcrf.corpora.tagged_tokens import TaggedSentence, is_prefixed, read_tagged
from spacy_bertcrf.corpora.word_tags import are_only_tags, are_tags

NO_TAG = "word without a tag"
LAYOUT = "Layout"

SEPARATORS = "/|_:\\"
MSRA_TAGS = {"o", "nr", "ns", "nt"}
HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]")
_SEEN = 500
_MOST = 0.95
_FEWEST_WORDS = 3
_PLAIN_TAG = re.compile(r"O|[BIESMLU][-_]\S+")
_INTENT = re.compile(r"\s*<=>\s*(\S+)\s*$")
_FIRST, _LAST = "BOS", "EOS"
# What parts words, and tags, in PaddleNLP's tables.
_STX = "\x02"
_HEADING = re.compile(r"(text(_a)?|tokens?|words?|sentence)\t(labels?|(ner_)?tags?)", re.IGNORECASE)


class Layout(NamedTuple):
    """Where the tags of a line are.

    separator: what parts a word and its tag; a tab, if all tags are behind all words, or a line
        end, if they are in the next line.
    parts: of how many parts a word is: two, or three with one that is not read between them.
    """

    separator: str
    parts: int = 2

    def __str__(self) -> str:
        if self.separator == "\t":
            return "words, a tab, and a tag for each"
        if self.separator == "\n":
            return "a line of words, and one with a tag for each"
        between = "another tag and " if self.parts == 3 else ""
        return f"{between}a tag behind each word, parted by {self.separator}"


class TaggedLines(Format):
    """Words with their tags, a sentence a line."""

    name = "tagged-lines"
    description = "lines of words with their tags: Anna/B-PER, Anna|NNP|B-PER, or behind a tab"
    options = frozenset({"scheme", "label"})

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By lines of which nearly every word has a tag."""
        if looks_like_json(source):
            return None
        layout = find_tagged_words(source.lines())
        if layout is None:
            others = _other_tags(source.lines())
            if others is None:
                return Evidence("no lines of words with a tag of entities each", AGAINST)
            what = f"words with something else than tags of entities behind them ({others})"
            return Evidence(what, AGAINST, is_close=True)
        return Evidence(f"a sentence a line: {layout}", CERTAIN)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a line. Raises ValueError if words have no tags."""
        layout = find_tagged_words(source.lines())
        if layout is None:
            raise ValueError(
                f"{source.path}: no lines of words with a tag each, as in Anna/B-PER lives/O, "
                "Anna|NNP|B-PER or Anna lives⇥B-PER O."
            )
        problems.note(LAYOUT, str(layout))
        intents: dict[int, str] = {}
        sentences = _sentences(source, layout, intents, problems)
        for record in read_tagged(sentences, options, problems):
            intent = intents.pop(record.line, None)
            record.cats = None if intent is None else {intent: 1.0}
            yield record


def find_tagged_words(lines: Iterable[str]) -> Layout | None:
    """Find out where lines have their tags; None if they have none of entities."""
    found = [line for line in islice(lines, _SEEN) if line.strip()]
    if len(found) > 1 and _STX in found[1] and _HEADING.fullmatch(found[0].strip()):
        found = found[1:]
    beside = [sides for line in found if (sides := _beside(line)) is not None]
    if found and len(beside) >= _MOST * len(found):
        tags = Counter(tag for _, of, _ in beside for tag in of)
        words = [word for of, _, _ in beside for word in of]
        if any(map(is_prefixed, tags)) and are_tags(tags) and not are_only_tags(words):
            return Layout("\t")
    below = [(one, of) for one, of in zip(found[::2], found[1::2], strict=False)]
    if len(found) > 1 and sum(map(_is_below, below)) >= _MOST * len(below):
        tags = Counter(tag for _, of in below for tag in of.split())
        words = [word for one, _ in below for word in one.split()]
        # A list of tags is no words and tags in turn.
        are_sentences = len(words) > len(below) and not are_only_tags(words)
        if any(map(is_prefixed, tags)) and are_tags(tags) and are_sentences:
            return Layout("\n")
    words = [word for line in found for word in _INTENT.sub("", line).split()]
    # Columns of one word and tag, a line each, have no sentence of words.
    if len(words) < _FEWEST_WORDS or 2 * len(found) > len(words):
        return None
    return next((layout for layout in _layouts(words) if _fits(layout, words)), None)


def _other_tags(lines: Iterable[str]) -> str | None:
    """What is behind each word, where that is no tag of an entity; None if nothing is."""
    words = [word for line in islice(lines, _SEEN) for word in line.split()]
    if len(words) < _FEWEST_WORDS:
        return None
    for layout in map(Layout, "/|_"):
        tags = Counter(pair[1] for word in words if (pair := _split(word, layout)) is not None)
        if tags.total() >= _MOST * len(words) and all(
            tag.isupper() or not tag.isalpha() for tag in tags
        ):
            return ", ".join(tag for tag, _ in tags.most_common(5))
    return None


def _layouts(words: Sequence[str]) -> Iterator[Layout]:
    counts = Counter(sep for word in words for sep in SEPARATORS if sep in word[1:])
    for separator in sorted(counts, key=lambda sep: -counts[sep]):
        several = sum(word.count(separator) >= 2 for word in words)
        if several >= _MOST * len(words):
            yield Layout(separator, 3)
        yield Layout(separator)


def _fits(layout: Layout, words: Sequence[str]) -> bool:
    pairs = [pair for word in words if (pair := _split(word, layout)) is not None]
    if {tag for _, tag in pairs} <= MSRA_TAGS and any(map(HAN.search, words)):
        return False  # its phrases are no words: word_pos.py
    return len(pairs) >= _MOST * len(words) and are_tags(Counter(tag for _, tag in pairs))


def _sentences(
    source: Source, layout: Layout, intents: dict[int, str], problems: ProblemLog
) -> Iterator[TaggedSentence]:
    if layout.separator == "\n":
        yield from _of_two_lines(source, problems)
        return
    for number, line in enumerate(source.lines(), start=1):
        if not line.strip():
            continue
        tokens: list[str] = []
        tags: list[str | None] = []
        intent: str | None
        if layout.separator == "\t":
            sides = _beside(line)
            if sides is None and number == 1 and _HEADING.fullmatch(line.strip()):
                continue
            if sides is None:
                problems.add(BAD_LINE, number, "not as many tags as words; left out")
                continue
            tokens, of, intent = sides
            tags = [*of]
        else:
            match = _INTENT.search(line)
            intent = match[1] if match else None
            for word in _INTENT.sub("", line).split():
                pair = _split(word, layout)
                if pair is None:
                    what = f"{word[:40]!r} is left without annotation"
                    problems.add(NO_TAG, number, what)
                tokens.append(pair[0] if pair else word)
                tags.append(pair[1] if pair else None)
        if intent is not None:
            intents[number] = intent
        yield TaggedSentence(number, tokens, tags)


def _of_two_lines(source: Source, problems: ProblemLog) -> Iterator[TaggedSentence]:
    words: tuple[int, str] | None = None
    for number, line in enumerate(source.lines(), start=1):
        if not line.strip():
            continue
        if words is None:
            words = number, line
            continue
        first, of = words
        if _is_below((of, line)):
            yield TaggedSentence(first, of.split(), line.split())
            words = None
        else:
            problems.add(BAD_LINE, first, "no line with as many tags below it; left out")
            words = number, line
    if words is not None:
        problems.add(BAD_LINE, words[0], "no line of tags below it; left out")


def _is_below(pair: tuple[str, str]) -> bool:
    """Whether a line has a tag for each word of another, and the other has words."""
    words, tags = (line.split() for line in pair)
    return len(words) == len(tags) and all(_PLAIN_TAG.fullmatch(tag) for tag in tags)


def _split(word: str, layout: Layout) -> tuple[str, str] | None:
    parts = word.rsplit(layout.separator, layout.parts - 1)
    if len(parts) != layout.parts or not parts[0] or not parts[-1]:
        return None
    return parts[0], parts[-1]


def _parts(side: str) -> list[str]:
    return side.split(_STX) if _STX in side else side.split()


def _beside(line: str) -> tuple[list[str], list[str], str | None] | None:
    """Words, tags and intent of a line that has the tags behind a tab; None of any other."""
    sides = line.strip("\r\n").split("\t")
    if len(sides) not in (2, 3):
        return None
    words, tags = map(_parts, sides[:2])
    intent = sides[2].strip() or None if len(sides) == 3 else None
    if len(words) != len(tags) or len(words) < 2:
        return None
    if words[0] == _FIRST and words[-1] == _LAST:
        # The intent has the place of the last tag.
        return words[1:-1], tags[1:-1], tags[-1] if tags[-1] != "O" else intent
    return words, tags, intent
