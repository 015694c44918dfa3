"""WebAnno's and INCEpTION's TSV, version 3 (Eckart de Castilho et al., 2016).

``#T_SP=…NamedEntity|identifier|value`` names a layer of spans and its features, each of which has a
column behind number, offsets and token. ``PER[1]`` at several tokens is one entity, ``PER|LOC[2]``
are two, ``_`` is none and ``*`` an entity without a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from spacy_bertcrf.corpora.column_sentences import WRONG_COLUMNS
from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, Evidence, Format
from spacy_bertcrf.corpora.json_values import looks_like_json
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.corpora.sources import Source

NO_VALUE = "entity without a value"
PART_OF_TOKEN = "entity that is a part of a token"
LAYER = "Layer"

_FIRST = "#FORMAT=WebAnno TSV 3"
_TOKEN = re.compile(r"\d+-\d+")
_PART = re.compile(r"\d+-\d+\.\d+")
_ONE = re.compile(r"(.*?)(?:\[(\d+)\])?", re.DOTALL)
_OFFSETS = re.compile(r"(\d+)-(\d+)")
_ENTITIES = re.compile(r"named_?entity|\bne\b|\bner\b|entit", re.IGNORECASE)
_LINGUISTIC = re.compile(
    r"^(pos|lemma|stem|morphologicalfeatures|surfaceform|dependency|chunk|sofachangeannotation)$",
    re.IGNORECASE,
)
_VALUES = ("value", "label", "type", "entity", "category", "class", "tag", "name")
_ESCAPED = re.compile(r"\\(.)")


class _Layer(NamedTuple):
    """A feature of a layer: its names, and its column, from 0."""

    layer: str
    feature: str
    at: int

    def __str__(self) -> str:
        return f"{self.layer}, {self.feature} (column {self.at + 1})"


class WebAnno(Format):
    """WebAnno's TSV."""

    name = "webanno"
    description = "WebAnno's and INCEpTION's TSV 3: tokens, offsets and layers of spans"
    options = frozenset({"label", "tag_column"})

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By its first line."""
        if looks_like_json(source):
            return None
        if not source.text.startswith(_FIRST):
            return Evidence(f"no first line {_FIRST}", AGAINST)
        return Evidence(f"its first line says {_FIRST[1:]}", CERTAIN)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a sentence. Raises ValueError if it has no layer of spans, or several of
        which none is by its name that of the entities."""
        layer = _find_layer(source, options)
        problems.note(LAYER, str(layer))
        rows: list[list[str]] = []
        lines: list[int] = []
        for number, line in enumerate(chain(source.lines(), [""]), start=1):
            columns = line.rstrip("\t").split("\t")
            if _TOKEN.fullmatch(columns[0]) or _PART.fullmatch(columns[0]):
                if len(columns) < 3:
                    problems.add(WRONG_COLUMNS, number, f"{len(columns)}, and no token: left out")
                    continue
                rows.append(columns)
                lines.append(number)
            elif rows:
                yield _record(rows, lines, layer, options, problems)
                rows, lines = [], []


def _find_layer(source: Source, options: Options) -> _Layer:
    found = list(_layers(source))
    if options.tag_column is not None:
        at = options.tag_column - 1
        chosen = [layer for layer in found if layer.at == at]
    else:
        named = [layer for layer in found if _ENTITIES.search(layer.layer.rsplit(".", 1)[-1])]
        chosen = named or [
            of for of in found if not _LINGUISTIC.search(of.layer.rsplit(".", 1)[-1])
        ]
        by_feature = [layer for name in _VALUES for layer in chosen if layer.feature == name]
        layers = {layer.layer for layer in chosen}
        chosen = by_feature[:1] or chosen if len(layers) == 1 else []
    if len(chosen) != 1:
        shown = "; ".join(map(str, found)) or "none"
        raise ValueError(
            f"{source.path}: which layer of spans has the entities is not said. There are: {shown}."
            " Name its column with --tag-column."
        )
    return chosen[0]


def _layers(source: Source) -> Iterator[_Layer]:
    """The features of layers of spans, in the order of their columns."""
    at = 3
    for line in source.lines():
        if not line.startswith("#T_"):
            if _TOKEN.match(line):
                return
            continue
        kind, _, rest = line.partition("=")
        layer, *features = rest.split("|")
        if kind == "#T_SP":
            # A layer without features has a column all the same.
            for index, feature in enumerate(features or [""]):
                yield _Layer(layer, feature, at + index)
            at += max(1, len(features))
        else:
            at += len(features)


def _record(
    rows: Sequence[Sequence[str]],
    lines: Sequence[int],
    layer: _Layer,
    options: Options,
    problems: ProblemLog,
) -> Record:
    tokens: list[str] = []
    places: list[tuple[int, int] | None] = []
    token_lines: list[int] = []
    found: dict[tuple[str, str], list[int]] = {}
    single: list[tuple[int, str]] = []
    missing: list[tuple[int, int]] = []
    for columns, line in zip(rows, lines, strict=True):
        value = columns[layer.at] if layer.at < len(columns) else "_"
        if _PART.fullmatch(columns[0]):
            if value != "_":
                what = f"{value!r} of {columns[2]!r}: its token is left without annotation"
                problems.add(PART_OF_TOKEN, line, what)
                missing.append((len(tokens) - 1, len(tokens)))
            continue
        at = len(tokens)
        tokens.append(_ESCAPED.sub(r"\1", columns[2]))
        match = _OFFSETS.fullmatch(columns[1])
        places.append((int(match[1]), int(match[2])) if match else None)
        token_lines.append(line)
        for one in re.split(r"(?<!\\)\|", value) if value != "_" else ():
            name, number = _ONE.fullmatch(one).groups()  # type: ignore[union-attr]
            label = options.label or "" if name == "*" else _ESCAPED.sub(r"\1", name)
            if not label:
                problems.add(NO_VALUE, line, f"at {tokens[-1]!r}: left without annotation")
                missing.append((at, at + 1))
            elif number:
                found.setdefault((number, label), []).append(at)
            else:
                single.append((at, label))
    entities = [Mention(of[0], of[-1] + 1, label) for (_, label), of in found.items()]
    entities += [Mention(at, at + 1, label) for at, label in single]
    return Record(
        lines[0],
        tokens=tokens,
        spaces=_spaces(places),
        entities=entities,
        missing=missing,
        lines=token_lines,
    )


def _spaces(places: Sequence[tuple[int, int] | None]) -> list[bool] | None:
    """Whether a space follows each token, by the offsets; None if one has none."""
    known = [place for place in places if place is not None]
    if len(known) < len(places):
        return None
    following = [start for start, _ in known[1:]]
    return [start > end for (_, end), start in zip(known, [*following, known[-1][1]], strict=True)]
