"""Columns with the language before each token: ``en:Anna⇥B-PER``, as WikiANN has them (Pan et al.,
2017, "Cross-lingual Name Tagging and Linking for 282 Languages")."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from spacy_bertcrf.corpora.column_table import split_columns
from spacy_bertcrf.corpora.formats.columns import Columns
from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, Evidence
from spacy_bertcrf.corpora.json_values import looks_like_json
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Record
from spacy_bertcrf.corpora.sources import Source

LANGUAGE = "Language before each token, taken off"

_SEEN = 3000
_MOST = 0.98
_FEW = 3
_PREFIX = re.compile(r"([a-z]{2,}(?:-[a-z]+)*):.")


class WikiAnn(Columns):
    """Tokens with their language before them, and tags."""

    name = "wikiann"
    description = "columns with the language before each token (en:Anna), as WikiANN's"

    @property
    def writer(self) -> None:
        """Not written: columns are, which have no languages."""
        return None

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By first columns that begin with one and the same language."""
        if looks_like_json(source):
            return None
        prefix = _find_prefix(source)
        if prefix is None:
            return Evidence("no language before each token", AGAINST)
        found = super().recognise(source, options)
        if found is None or found.strength == AGAINST:
            return found
        return Evidence(f"'{prefix}' before each token; {found.what}", CERTAIN, found.settings)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """As columns, without the languages."""
        prefix = _find_prefix(source)
        if prefix is not None:
            problems.note(LANGUAGE, prefix)
        for record in super().read(source, options, problems):
            if prefix is not None:
                tokens = [token.removeprefix(prefix) or token for token in record.tokens or ()]
                record.tokens = tokens
            yield record


def _find_prefix(source: Source) -> str | None:
    prefixes: Counter[str] = Counter()
    tokens = 0
    for line in islice(source.lines(), _SEEN):
        token, *tags = split_columns(line) or [""]
        tokens += bool(token)
        match = _PREFIX.match(token)
        if match and tags:
            prefixes[f"{match[1]}:"] += 1
    prefix, count = max(prefixes.items(), key=lambda item: item[1], default=("", 0))
    return prefix if tokens >= _FEW and count >= _MOST * tokens else None
