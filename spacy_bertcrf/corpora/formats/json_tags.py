"""JSON rows with a list of tokens and one of tags, as Hugging Face's datasets write and show them.

Each of these is read, as lines or as one list:

- ``{"id": "0", "tokens": ["Anna", "met"], "ner_tags": [1, 0]}``, the names of the numbers from
  ``--labels``, from the features in the file, or from a ``dataset_info.json``, a README or a list
  of labels beside it;
- ``{"tokens": […], "ner_tags": ["B-PER", "O"], "ner_ids": [1, 0], "space_after": [true, false]}``;
- ``{"text": ["海", "钓"], "labels": ["O", "O"]}``, ``{"text": "海 钓", "labels": "O O"}`` and
  ``{"text": "海钓", "labels": ["O", "O"]}``;
- ``{"features": […], "rows": [{"row_idx": 0, "row": {…}}]}`` of the data set viewer, and
  ``{"train": [{…}], "test": [{…}]}``;
- ``{"tokens": [[…], […]], "ner_tags": [[…], […]]}``: sentence by sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from spacy_bertcrf.corpora.class_names import class_names
from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, Evidence, Format
from spacy_bertcrf.corpora.json_values import (
    Value,
    looks_like_json,
    only_objects,
    read_values,
    sample_objects,
)
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Record
from spacy_bertcrf.corpora.sources import Source
from spacy_bertcrf.corpora.token_rows import find_row_layout, read_rows

LISTS = "Lists of rows"

_SAMPLE = 100


class JsonTags(Format):
    """Tokens and tags as lists in JSON."""

    name = "json-tags"
    description = "JSON rows with a list of tokens and one of tags, as of Hugging Face datasets"
    options = frozenset({"labels", "label", "scheme"})

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By two lists of one length, of which one holds tags or is named so."""
        if not looks_like_json(source):
            return None
        values = [Value(0, value) for value in sample_objects(source, _SAMPLE)]
        layout = find_row_layout(row for _, row in _rows(values, {}, []))
        if layout is None:
            return Evidence("no list of tokens with a tag for each of them", AGAINST)
        return Evidence(str(layout), CERTAIN)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a row, or a sentence where rows hold several. Raises ValueError if tags are
        numbers and nothing says what they mean."""
        names: dict[str, list[str]] = {}
        lists: list[str] = []
        objects = only_objects(read_values(source, problems), problems)
        rows = _rows((Value(*found) for found in objects), names, lists)
        yield from read_rows(rows, options, problems, names)
        if len(lists) > 1:
            problems.note(LISTS, ", ".join(lists))


def _rows(
    values: Iterable[Value], names: dict[str, list[str]], lists: list[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a file, which may lie in lists inside one object; adds to `names` what its
    features say, and to `lists` the keys of such lists."""
    for line, value in values:
        if not isinstance(value, dict):
            continue
        inner = {key: found for key, found in value.items() if _are_objects(found)}
        if not inner or find_row_layout([value]) is not None:
            yield line, value
            continue
        names.update(class_names(value.get("features")))
        for key, found in inner.items():
            if key == "features":
                continue
            lists.append(key)
            for one in found:
                yield line, one["row"] if isinstance(one.get("row"), dict) else one


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)
