"""Hugging Face's data sets on the disk (Lhoest et al., 2021, "Datasets: A Community Library for
Natural Language Processing"), and other tables in Parquet or Arrow.

A file, a folder that `save_to_disk` wrote, with several splits or one, or a folder of Parquet files
as the hub has them. A row has a list of tokens and one of tags, a text and its entities, or a text
and the number of its class. Names of numbers are in the features that the file says, in a
`dataset_info.json` or README beside it, or given. Of several splits all are read; one is read by
its folder or file.

pyarrow reads them, a batch of rows at a time: `pip install 'spacy-bertcrf[parquet]'`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from spacy_bertcrf.corpora.arrow_tables import kind_of_table, open_table
from spacy_bertcrf.corpora.class_names import class_names
from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, Evidence, Format
from spacy_bertcrf.corpora.formats.json_spans import (
    JsonSpans,
    find_shape,
    read_rows_of_spans,
)
from spacy_bertcrf.corpora.json_keys import text_keys
from spacy_bertcrf.corpora.json_mentions import whole_number
from spacy_bertcrf.corpora.json_parallel import transposed
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Record
from spacy_bertcrf.corpora.row_layout import find_row_layout
from spacy_bertcrf.corpora.saved_datasets import data_files, folder_of, is_beside, split_of
from spacy_bertcrf.corpora.sources import Source
from spacy_bertcrf.corpora.token_rows import read_rows

SPLITS = "Splits"

UNKNOWN_CLASS = "unknown class"

_SAMPLE = 500
# The number that Hugging Face gives to texts of a test set whose classes are kept back.
_NO_CLASS = -1

Row = dict[str, Any]
Rows = Iterable[tuple[int, Row]]


class HuggingFace(Format):
    """Tables in Parquet or Arrow."""

    name = "huggingface"
    description = "Hugging Face's datasets: Parquet, Arrow, folders of save_to_disk"
    options = frozenset({"scheme", "labels", "label", "text_key", "ends"})
    offsets = JsonSpans.offsets
    binary = True

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By its first bytes and what its columns hold. Where pyarrow is not installed, or the file
        is broken, reading it says so."""
        kind = kind_of_table(source)
        if kind is None:
            return None
        try:
            with open_table(source) as table:
                first = [row for _, row in islice(table.rows, _SAMPLE)]
                columns, features = ", ".join(table.columns), table.features
        except (ImportError, ValueError):
            return Evidence(kind, CERTAIN)
        layout = _layout(first, features, options)
        if layout is None:
            none = "no tokens with a tag for each, no text beside entities or a numbered class"
            return Evidence(f"{kind} with the columns {columns}: {none}", AGAINST)
        return Evidence(f"{kind}: {layout.what}", CERTAIN)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a row, its number in the place of a line. Raises ImportError without pyarrow,
        ValueError if the file is broken, if no columns are of tokens and tags or of a text and its
        annotation, or if tags are numbers and nothing says what they mean."""
        if kind_of_table(source) is None:
            raise ValueError(f"{source.path} is no Parquet or Arrow file.")
        with open_table(source) as table:
            first = list(islice(table.rows, _SAMPLE))
            layout = _layout([row for _, row in first], table.features, options)
            if layout is None and first:
                raise ValueError(
                    f"{source.path}: no tokens with a tag for each, no text beside entities or a "
                    f"numbered class. Its columns are {', '.join(table.columns)}."
                )
            if split := split_of(source.path):
                problems.note(SPLITS, split)
            if layout is not None:
                yield from layout.read(chain(first, table.rows), options, problems)

    def files(self, folder: Path) -> Sequence[Path] | None:
        """The data files of a saved data set, of all its splits; or the tables of a folder with
        nothing else in it but descriptions."""
        return data_files(folder)

    def is_beside(self, path: Path) -> bool:
        """Descriptions, and what `map` has kept."""
        return is_beside(path)

    def main_file(self, path: Path) -> Path | None:
        """Of the descriptions that `save_to_disk` writes, the folder."""
        return folder_of(path)


class _Layout(NamedTuple):
    """What a table's rows hold, in words, and how they are read."""

    what: str
    read: Callable[[Rows, Options, ProblemLog], Iterator[Record]]


def _layout(first: list[Row], features: Any, options: Options) -> _Layout | None:
    tokens = find_row_layout(first)
    if tokens is not None:
        return _Layout(str(tokens), partial(read_rows, names=class_names(features)))
    shape = find_shape([_readable(row, features) for row in first], options)
    if shape is not None:

        def read(rows: Rows, options: Options, problems: ProblemLog) -> Iterator[Record]:
            readable = ((number, _readable(row, features)) for number, row in rows)
            return read_rows_of_spans(readable, shape, options, problems)

        return _Layout(f"{shape.text!r} beside {shape.entities!r}", read)
    text, category = _text_key(first, options), _category_key(features)
    if text is None or category is None:
        return None
    names = class_names(features)[category]
    what = f"{text!r} beside {category!r}, the number of a class"
    return _Layout(what, partial(_read_classes, text=text, category=category, names=names))


def _text_key(first: list[Row], options: Options) -> str | None:
    return next(iter(text_keys(first, options)), None)


def _category_key(features: Any) -> str | None:
    """The one feature that is a class of the whole text."""
    found = features.items() if isinstance(features, dict) else ()
    keys = [key for key, of in found if isinstance(of, dict) and of.get("_type") == "ClassLabel"]
    return keys[0] if len(keys) == 1 and keys[0] in class_names(features) else None


def _read_classes(
    rows: Rows,
    options: Options,
    problems: ProblemLog,
    text: str,
    category: str,
    names: Sequence[str],
) -> Iterator[Record]:
    for number, row in rows:
        name = _name(row.get(category), names)
        if isinstance(name, str):
            yield Record(number, text=row.get(text), cats={name: 1.0})
            continue
        if name not in (None, _NO_CLASS):
            problems.add(UNKNOWN_CLASS, number, f"{name!r} for one of {len(names)} names: left out")
        yield Record(number, text=row.get(text))


def _readable(row: Row, features: Any) -> Row:
    """A row as JSON would have it: objects in lists, and names for the numbers of labels."""
    known = features if isinstance(features, dict) else {}
    return {key: _value(value, known.get(key)) for key, value in row.items()}


def _value(value: Any, feature: Any) -> Any:
    if isinstance(feature, dict) and feature.get("_type") == "ClassLabel":
        return _name(value, feature.get("names"))
    of_each = feature[0] if isinstance(feature, list) and feature else None
    if isinstance(feature, dict) and "_type" in feature:
        of_each = feature.get("feature")
        rows = transposed(value)
        value = value if rows is None else rows
    if isinstance(value, list):
        return [_value(one, of_each) for one in value]
    if isinstance(value, dict):
        known: Row = feature if isinstance(feature, dict) else {}
        return {key: _value(of, known.get(key)) for key, of in value.items()}
    return value


def _name(value: Any, names: Any) -> Any:
    number = whole_number(value)
    inside = isinstance(names, list) and number is not None and 0 <= number < len(names)
    return names[number] if inside else value
