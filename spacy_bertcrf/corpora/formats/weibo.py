"""Columns of characters with their places behind them, as in Weibo NER's second edition (He and
Sun, 2017).

Places count within a word, ``科0``, ``技1``, ``全0``, or within the sentence, ``科0``, ``技1``,
``全2``. Characters may be digits: ``310`` after ``19`` is 3 at place 10, and ``20`` 2 at place 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from spacy_bertcrf.corpora.column_table import split_columns
from spacy_bertcrf.corpora.formats.columns import Columns
from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, Evidence
from spacy_bertcrf.corpora.json_values import looks_like_json
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Record
from spacy_bertcrf.corpora.sources import Source

NO_PLACE = "character without its place"

_SEEN = 3000
_MOST = 0.9
_FEW = 3
# A character is more than one code point where marks, or what joins emoji, are behind it.
_ONE = re.compile(r"\S(?:[^\w\s]|[\u0300-\u036f])*")


class Weibo(Columns):
    """Characters with their places, and tags."""

    name = "weibo"
    description = "columns of characters with their places behind them (科0, 技1), as Weibo NER's"
    lang = "zh"

    @property
    def writer(self) -> None:
        """Not written: columns are, which have no places."""
        return None

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By first columns of characters that end with their place."""
        if looks_like_json(source):
            return None
        sentences: list[list[str]] = [[]]
        for line in islice(source.lines(), _SEEN):
            if columns := split_columns(line):
                sentences[-1].append(columns[0])
            elif sentences[-1]:
                sentences.append([])
        found = [char for tokens in sentences for char in _characters(tokens)]
        single = [char for char in found if char is not None and _ONE.fullmatch(char)]
        # Round numbers end with 0 too.
        letters = sum(not char.isdecimal() for char in single)
        if len(found) < _FEW or len(single) < _MOST * len(found) or 2 * letters < len(found):
            return Evidence("no characters with their places behind them", AGAINST)
        what = "each token ends with its character's place in the word or sentence, from 0"
        return Evidence(what, CERTAIN)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """As columns, without the places."""
        for record in super().read(source, options, problems):
            tokens = list(record.tokens or ())
            for at, character in enumerate(_characters(tokens)):
                if character is None:
                    line = record.lines[at] if record.lines else record.line
                    what = f"{tokens[at]!r}, expected 0 or the next number behind it: kept so"
                    problems.add(NO_PLACE, line, what)
                else:
                    tokens[at] = character
            record.tokens = tokens
            yield record


def _characters(tokens: Sequence[str]) -> list[str | None]:
    """The characters of a sentence without their places, each of which is 0 or one more than that
    before; None for a token without one."""
    found: list[str | None] = []
    place = -1
    for token in tokens:
        # Of 310 behind place 9 the character is 3, not 31.
        fitting = [
            (token.removesuffix(str(at)), at) for at in (place + 1, 0) if token.endswith(str(at))
        ]
        fitting = [(character, at) for character, at in fitting if character]
        character, place = min(fitting, key=lambda of: len(of[0]), default=(None, place + 1))
        found.append(character)
    return found
