"""CoNLL-U (universaldependencies.org/format.html) with entities in its last column, MISC.

- ``Entity=(1-person-new`` opens an entity of type person, ``1)`` closes it, ``(3-place)`` is one
  word, several stand in one value; ``# global.Entity = GRP-etype-infstat`` names the parts
  (CorefUD, and GUM, whose older versions have ``(person-1``);
- ``NER=B-PER``, ``NE=…``, ``name=B-PER`` hold a tag; NameTag's ``NE=P_1-pf_2`` holds the types and
  numbers of nested entities.

Its words are tokens. Rows of multiword tokens (``3-4``), whose words follow, and of empty nodes
(``5.1``) are none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import NamedTuple

from spacy_bertcrf.corpora.entity_brackets import Brackets, entity_parts, of_type
from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, Evidence, Format
from spacy_bertcrf.corpora.json_values import looks_like_json
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.corpora.sources import Source
from spacy_bertcrf.corpora.tagged_tokens import TaggedSentence, is_prefixed, read_tagged

BAD_ROW = "row that is no word"
MULTIWORD = "Multiword tokens"
EMPTY_NODES = "Empty nodes left out"

KEYS = ("Entity", "NER", "NE", "name", "ner", "ne", "Name", "entity")

_N_COLUMNS = 10
_SEEN = 5000
_ID = re.compile(r"(\d+)(?:([-.])(\d+))?")
_NUMBERED = re.compile(r"[^_]+_\d+(-[^_]+_\d+)*")


class Word(NamedTuple):
    """A word. line: its line. misc: its MISC column by keys. space: whether a space follows."""

    line: int
    form: str
    misc: dict[str, str]
    space: bool


class Sentence(NamedTuple):
    """A sentence. text: its comment `# text`. key: its id. new_document: whether a document
    begins; None before the first comment that says so. parts: the names in `# global.Entity`."""

    words: list[Word]
    text: str | None
    key: str | None
    new_document: bool | None
    parts: tuple[str, ...]


class ConllU(Format):
    """CoNLL-U with entities."""

    name = "conllu"
    description = "CoNLL-U with Entity=, NER=, NE= or name= in MISC"
    options = frozenset({"scheme", "label"})

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By ten columns of which the first counts the words of each sentence."""
        if looks_like_json(source):
            return None
        rows = [line.split("\t") for line in islice(source.lines(), _SEEN) if "\t" in line]
        words = sum(len(row) == _N_COLUMNS and bool(_ID.fullmatch(row[0])) for row in rows)
        if not words or 2 * words < len(rows):
            return Evidence("no rows of ten columns, the first a number", AGAINST)
        unseen = ProblemLog(source.path)
        key = _find_key(islice(_sentences(source, unseen), _SEEN // 10))
        if key is None:
            what = f"CoNLL-U without entities in MISC, under {', '.join(KEYS[:4])} or another key"
            return Evidence(what, AGAINST, is_close=True)
        return Evidence(f"ten columns, words numbered, and '{key}=' in the column MISC", CERTAIN)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a sentence. Raises ValueError if MISC holds no entities."""
        sentences = _sentences(source, problems)
        first = list(islice(sentences, _SEEN))
        key = _find_key(first)
        if key is None:
            raise ValueError(
                f"{source.path}: no entities in the column MISC. Expected one of the keys "
                f"{', '.join(KEYS[:6])}."
            )
        sentences = chain(first, sentences)
        values = [v for sentence in first if (v := _values(sentence, key))]
        if any("(" in value or ")" in value for of in values for value in of if value):
            if options.label is None and not any(
                of_type(v, s.parts) for s in first for v in _values(s, key)
            ):
                raise ValueError(
                    f"{source.path}: the entities in {key!r} have no types, as for coreference "
                    "alone. Give one for all with --label."
                )
            yield from _with_brackets(sentences, key, options, problems)
        elif all(_NUMBERED.fullmatch(value) for of in values for value in of if value):
            yield from _with_numbers(sentences, key)
        else:
            yield from read_tagged(_tagged(sentences, key), options, problems)


def _sentences(source: Source, problems: ProblemLog) -> Iterator[Sentence]:
    words: list[Word] = []
    text = key = None
    new: bool | None = None
    parts: tuple[str, ...] = ()
    until, space_after, counts = 0, True, Counter[str]()
    for number, line in enumerate(chain(source.lines(), [""]), start=1):
        if not line.strip():
            if words:
                yield Sentence(words, text, key, new, parts)
                words, text, key, new, until = [], None, None, None if new is None else False, 0
        elif line.startswith("#") and not _is_row(line):
            name, _, value = (piece.strip() for piece in line[1:].partition("="))
            text = value if name == "text" else text
            key = value if name == "sent_id" else key
            new = True if name.startswith("newdoc") else new
            parts = entity_parts(value) if name == "global.Entity" else parts
        elif not _is_row(line):
            problems.add(BAD_ROW, number, f"{line.count(chr(9)) + 1} columns: left out")
        else:
            columns = line.split("\t")
            first, mark, last = _ID.fullmatch(columns[0]).groups()  # type: ignore[union-attr]
            misc = _misc(columns[-1])
            space = misc.get("SpaceAfter") != "No"
            if mark:
                counts[MULTIWORD if mark == "-" else EMPTY_NODES] += 1
                if mark == "-":
                    until, space_after = int(last), space
                continue
            if int(first) <= until:
                # Its row says nothing of spaces; that of the multiword token says it of the last.
                space = int(first) < until or space_after
            words.append(Word(number, columns[1], misc, space))
    for name, count in counts.items():
        shown = f"{count:,}, read as their words" if name == MULTIWORD else f"{count:,}"
        problems.note(name, shown)


def _with_brackets(
    sentences: Iterable[Sentence], key: str, options: Options, problems: ProblemLog
) -> Iterator[Record]:
    brackets = Brackets(problems, options.label)
    for sentence in sentences:
        record = _record(sentence)
        for at, word in enumerate(sentence.words):
            if key in word.misc:
                brackets.read(word.misc[key], at, word.line, sentence.parts)
        record.entities, record.missing = brackets.end_sentence(len(sentence.words))
        yield record


def _with_numbers(sentences: Iterable[Sentence], key: str) -> Iterator[Record]:
    for sentence in sentences:
        found: dict[str, list[int]] = {}
        for at, word in enumerate(sentence.words):
            for one in word.misc.get(key, "").split("-"):
                if "_" in one:
                    found.setdefault(one, []).append(at)
        record = _record(sentence)
        record.entities = [
            Mention(places[0], places[-1] + 1, one.rpartition("_")[0])
            for one, places in found.items()
        ]
        yield record


def _tagged(sentences: Iterable[Sentence], key: str) -> Iterator[TaggedSentence]:
    for sentence in sentences:
        record = _record(sentence)
        assert record.tokens is not None
        values = _values(sentence, key)
        tags = ["O" if value in ("", "_") else value for value in values]
        yield TaggedSentence(
            record.line,
            record.tokens,
            tags,
            record.lines,
            text=record.text,
            spaces=record.spaces,
            key=record.key,
            new_document=record.new_document,
        )


def _record(sentence: Sentence) -> Record:
    words = sentence.words
    # Where no row says that no space follows, the text does, if there is one.
    by_text = sentence.text is not None and all(word.space for word in words)
    return Record(
        words[0].line,
        text=sentence.text if by_text else None,
        tokens=[word.form for word in words],
        spaces=None if by_text else [word.space for word in words],
        entities=[],
        lines=[word.line for word in words],
        key=sentence.key,
        new_document=sentence.new_document,
    )


def _find_key(sentences: Iterable[Sentence]) -> str | None:
    """The key of the entities: one of the usual names, or one that has nothing but tags."""
    counts: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for sentence in sentences:
        for word in sentence.words:
            for key, value in word.misc.items():
                if value not in ("O", "_", ""):
                    counts[key] += 1
                    others[key] += not is_prefixed(value)
    tags = [key for key in counts if not others[key]]
    return next((key for key in (*KEYS, *tags) if counts[key]), None)


def _values(sentence: Sentence, key: str) -> list[str]:
    return [word.misc.get(key, "") for word in sentence.words]


def _is_row(line: str) -> bool:
    columns = line.split("\t")
    return len(columns) == _N_COLUMNS and bool(_ID.fullmatch(columns[0]))


def _misc(column: str) -> dict[str, str]:
    pairs = (piece.partition("=") for piece in column.strip().split("|"))
    return {key.strip(): value.strip() for key, _, value in pairs if value}
