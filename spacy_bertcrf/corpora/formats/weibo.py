"""Columns of characters with their places behind them: ``科0``, ``技1``, as in Weibo NER's second
edition (He and Sun, 2017). Characters may be digits: ``310`` after ``19`` is 3 at place 10."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

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
        """By first columns that end with the place in the sentence."""
        if looks_like_json(source):
            return None
        tokens = placed = at = 0
        for line in islice(source.lines(), _SEEN):
            token = line.split("\t")[0].split(" ")[0]
            tokens += bool(token)
            placed += bool(token) and _character(token, at) is not None
            at = at + 1 if token else 0
        if tokens < _FEW or placed < _MOST * tokens:
            return Evidence("no characters with their places behind them", AGAINST)
        return Evidence("each token ends with its place in the sentence, from 0", CERTAIN)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """As columns, without the places."""
        for record in super().read(source, options, problems):
            tokens = list(record.tokens or ())
            for at, token in enumerate(tokens):
                character = _character(token, at)
                if character is None:
                    line = record.lines[at] if record.lines else record.line
                    problems.add(NO_PLACE, line, f"{token!r}, expected {at} behind it: kept so")
                else:
                    tokens[at] = character
            record.tokens = tokens
            yield record


def _character(token: str, at: int) -> str | None:
    """The token without its place, if that is behind it."""
    place = str(at)
    return token.removesuffix(place) if token.endswith(place) and len(token) > len(place) else None
