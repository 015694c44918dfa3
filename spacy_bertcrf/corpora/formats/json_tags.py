"""JSON rows with a list of tokens and one of tags, as Hugging Face's datasets write and show them.

Each of these is read, as lines or as one list, under ids, or anywhere inside one object:

- ``{"id": "0", "tokens": ["Anna", "met"], "ner_tags": [1, 0]}``, the names of the numbers from
  ``--labels``, from the features in the file, or from a ``dataset_info.json``, a README or a list
  of labels beside it;
- ``{"tokens": ["Anna", "met"], "ner_tags": ["B-PER", "O"], "ner_ids": [1, 0], "space_after": [true,
  false]}``;
- ``{"text": ["海", "钓"], "labels": ["O", "O"]}``, ``{"text": "海 钓", "labels": "O O"}`` and
  ``{"text": "海钓", "labels": ["O", "O"]}``;
- ``{"features": […], "rows": [{"row_idx": 0, "row": {…}}]}`` of the data set viewer, and
  ``{"train": [{…}], "test": [{…}]}``;
- ``{"tokens": [[…], […]], "ner_tags": [[…], […]]}``: sentence by sentence;
- ``[{"text": "Anna", "ner": "B-PER"}, …]`` and ``[["Anna", "B-PER"], …]`` for a sentence (Stanza,
  CoreNLP).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from spacy_bertcrf.corpora.class_names import class_names
from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, LIKELY, Evidence, Format
from spacy_bertcrf.corpora.json_places import EACH, ROWS, Steps, are_alike, places, read_at, show
from spacy_bertcrf.corpora.json_token_objects import as_row
from spacy_bertcrf.corpora.json_values import (
    BAD_LINE,
    describe_kind,
    is_one_object,
    looks_like_json,
    sample,
    sample_objects,
)
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Record
from spacy_bertcrf.corpora.row_layout import Row, RowLayout, find_row_layout
from spacy_bertcrf.corpora.sources import Source
from spacy_bertcrf.corpora.token_rows import read_rows

LISTS = "Lists of rows"

_SAMPLE = 100
# Beside these keys of Label Studio, "data" is what was to be annotated.
_TASK = {"annotations", "completions", "predictions"}


class _Found(NamedTuple):
    """ways: the ways to the rows. layout: what they hold. n_rows: how many have been seen."""

    ways: tuple[Steps, ...]
    layout: RowLayout
    n_rows: int


class JsonTags(Format):
    """Tokens and tags as lists in JSON."""

    name = "json-tags"
    description = "JSON rows with a list of tokens and one of tags, as of Hugging Face datasets"
    options = frozenset({"labels", "label", "scheme"})

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By two lists of one length, of which one holds tags or is named so."""
        if not looks_like_json(source):
            return None
        found = _find(source)
        if found is None:
            return Evidence("no list of tokens with a tag for each of them", AGAINST)
        ways = [show(steps) for steps in found.ways if any(steps)]
        inside = f", inside {' and '.join(map(repr, ways))}" if ways else ""
        # What lies deeper inside is what a tool was given, or a tool has rules of its own for it.
        outermost = all(not steps or steps[-1] is EACH for steps in found.ways)
        return Evidence(f"{found.layout}{inside}", CERTAIN if outermost else LIKELY)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a row, or a sentence where rows hold several. Raises ValueError if tags are
        numbers and nothing says what they mean."""
        found = _find(source) if looks_like_json(source) else None
        ways = found.ways if found is not None else ((),)
        names: dict[str, list[str]] = {}
        if is_one_object(source):
            names = class_names(sample(source, 1)[0].get("features"))
        if len(ways) > 1:
            problems.note(LISTS, ", ".join(map(show, ways)))
        yield from read_rows(_rows(source, ways, problems), options, problems, names)


def _rows(
    source: Source, ways: tuple[Steps, ...], problems: ProblemLog
) -> Iterator[tuple[int, Row]]:
    for line, _, value in read_at(source, ways, problems):
        row = as_row(value)
        if row is None:
            problems.add(BAD_LINE, line, f"{describe_kind(value)}, not a JSON object: left out")
        else:
            yield line, row


def _find(source: Source) -> _Found | None:
    """Find out where the rows of a file are: where most are alike, outermost first."""
    key = "JSON rows"
    if key not in source.seen:
        found = []
        is_data = any(_TASK & value.keys() for value in sample_objects(source))
        for steps, values in places(source):
            if is_data and steps[:1] == ("data",):
                continue
            first = list(islice(values, _SAMPLE))
            rows = [row for value in first if (row := as_row(value)) is not None]
            layout = find_row_layout(rows) if 2 * len(rows) > len(first) else None
            if layout is not None:
                found.append(_Found((steps,), layout, len(values)))
        groups = [(one, _alike(one, found)) for one in found]
        best = max(groups, key=lambda group: _rank(*group), default=None)
        source.seen[key] = best and best[0]._replace(ways=tuple(of.ways[0] for of in best[1]))
    return source.seen[key]


def _rank(found: _Found, alike: list[_Found]) -> tuple[int, bool, int, int]:
    steps = found.ways[0]
    n_rows = sum(of.n_rows for of in alike)
    # What lies under ids in the rows of columns lies in them under its own key, too.
    is_plain = ROWS not in steps[:-1]
    return n_rows, is_plain, -sum(step is EACH for step in steps), -len(steps)


def _alike(found: _Found, others: list[_Found]) -> list[_Found]:
    """The rows and those that are like them under another key: "train" and "test"."""
    return [
        other
        for other in others
        if are_alike(found.ways[0], other.ways[0]) and other.layout[:3] == found.layout[:3]
    ]
