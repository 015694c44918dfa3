"""Numbered tokens with two levels of tags: GermEval 2014 and Universal NER's ``.iob2``.

- GermEval (Benikova et al., 2014): number, token, outer tag and inner tag, apart by tabs;
  ``#⇥http://…`` before a sentence says where it is from, ``3⇥#⇥O⇥O`` is a token.
- Universal NER (Mayhew et al., 2024): number, token, tag, what else it may be (``B-ORG#B-LOC``, or
  ``-``), and its annotator; ``# text = …`` before a sentence.

Of GermEval both levels are read, as entities that overlap; of Universal NER the first tags, and how
many entities the others hold is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, islice
from typing import NamedTuple

from spacy_bertcrf.corpora.column_sentences import WRONG_COLUMNS
from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, Evidence, Format
from spacy_bertcrf.corpora.json_values import looks_like_json
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Record
from spacy_bertcrf.corpora.sources import Source
from spacy_bertcrf.corpora.tagged_tokens import TaggedSentence, is_outside, read_tagged
from spacy_bertcrf.tagging.repair import UNKNOWN_TAG
from spacy_bertcrf.tagging.tag_levels import joined

OTHER_LEVEL = "Entities of the other level, not read"
MULTIWORD = "Rows of multiword tokens and empty nodes, not read"

_SEEN = 5000
_NUMBER = re.compile(r"\d+")
_NO_WORD = re.compile(r"\d+[-.]\d+")
_TAG = re.compile(r"O|[BIESLU]-\S+")
_OTHERS = re.compile(r"[-_O]|[BIESLU]-\S+")


class _Kind(NamedTuple):
    """How many columns there are, and what they are called."""

    n_columns: int
    what: str


_GERMEVAL = _Kind(4, "number, token, outer and inner tag, as of GermEval 2014")
_OTHER = _Kind(4, "number, token, tag and a tag of something else, as it lies beside the first")
_UNER = _Kind(5, "number, token, tag, other tags and annotator, as of Universal NER")


class Numbered(Format):
    """A number, a token and two levels of tags a line."""

    name = "numbered"
    description = "numbered tokens with two levels of tags: GermEval 2014, Universal NER's .iob2"
    options = frozenset({"scheme", "label"})

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By numbers that count from 1 in each sentence, and two columns that hold only tags."""
        if looks_like_json(source):
            return None
        if source.text.startswith("# global.columns"):
            return Evidence("the file names its columns", AGAINST)
        kind = _find_kind(source)
        if kind is None:
            return Evidence("no numbered tokens with two columns of tags behind them", AGAINST)
        return Evidence(f"{kind.n_columns} columns: {kind.what}", CERTAIN)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a sentence. Raises ValueError if it is of neither kind."""
        kind = _find_kind(source)
        if kind is None:
            raise ValueError(
                f"{source.path}: no numbered tokens with two columns of tags behind them, apart "
                "by tabs. For other tables of tokens use --format columns."
            )
        return read_tagged(_sentences(source, kind, problems), options, problems)


def _find_kind(source: Source) -> _Kind | None:
    rows = [
        line.split("\t")
        for line in islice(source.lines(), _SEEN)
        if "\t" in line and _NUMBER.fullmatch(line.partition("\t")[0])
    ]
    for kind in (_GERMEVAL, _UNER):
        fit = [
            row
            for row in rows
            if len(row) == kind.n_columns and _TAG.fullmatch(row[2]) and _OTHERS.fullmatch(row[3])
        ]
        starts = sum(row[0] in ("0", "1") for row in fit)
        if rows and starts and 4 * len(fit) >= 3 * len(rows):
            return _OTHER if kind is _GERMEVAL and not _lie_inside(fit) else kind
    return None


def _lie_inside(rows: list[list[str]]) -> bool:
    """Whether the second tags are of entities in entities: phrases and clauses are elsewhere."""
    inner = [row for row in rows if not is_outside(row[3])]
    return not inner or 2 * sum(not is_outside(row[2]) for row in inner) > len(inner)


def _sentences(source: Source, kind: _Kind, problems: ProblemLog) -> Iterator[TaggedSentence]:
    lines: list[int] = []
    tokens: list[str] = []
    tags: list[str | None] = []
    others = multiword = 0
    for line, content in enumerate(chain(source.lines(), [""]), start=1):
        columns = content.rstrip("\t ").split("\t")
        if not content.strip():
            if tokens:
                yield TaggedSentence(lines[0], tokens, tags, lines)
            lines, tokens, tags = [], [], []
        elif _NO_WORD.fullmatch(columns[0]):
            multiword += 1
        elif not _NUMBER.fullmatch(columns[0]) or len(columns) < 2:
            if not content.startswith("#"):
                problems.add(WRONG_COLUMNS, line, f"{len(columns)}, and no number: left out")
        else:
            if tokens and columns[0] in ("0", "1"):
                yield TaggedSentence(lines[0], tokens, tags, lines)
                lines, tokens, tags = [], [], []
            if len(columns) < min(kind.n_columns, 4):
                what = f"{len(columns)} instead of {kind.n_columns}: without annotation"
                problems.add(WRONG_COLUMNS, line, what)
            lines.append(line)
            tokens.append(columns[1])
            tag = columns[2] if len(columns) > 2 else None
            level = columns[3] if len(columns) > 3 else "-"
            if tag is not None and kind is _GERMEVAL and not is_outside(level):
                both = joined(tag, level)
                if both is None:
                    problems.add(UNKNOWN_TAG, line, f"{level!r}, an inner one: left out")
                tag = both or tag
            elif kind is not _GERMEVAL:
                others += level[:1] in "BSU" and not is_outside(level)
            tags.append(tag)
    if others:
        problems.note(OTHER_LEVEL, f"{others:,}")
    if multiword:
        problems.note(MULTIWORD, f"{multiword:,}")
