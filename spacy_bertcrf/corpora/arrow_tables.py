"""Parquet and Arrow files, read a batch of rows at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from spacy_bertcrf.corpora.sources import Source

if TYPE_CHECKING:
    from types import ModuleType

PARQUET = b"PAR1"
ARROW = b"ARROW1"
# Before each message of an Arrow stream, which has no other mark.
STREAM = b"\xff\xff\xff\xff"

_ROWS = 1024
_INFO = "dataset_info.json"


class Table(NamedTuple):
    """An open table.

    columns: the names of its columns.
    features: what Hugging Face's datasets say of the columns, as their JSON has it; None if the
        file does not come from there.
    rows: its rows, each with its number from 1; only columns of text, whole numbers, truth values,
        and lists and objects with some of these.
    """

    columns: list[str]
    features: Any
    rows: Iterator[tuple[int, dict[str, Any]]]


def kind_of_table(source: Source) -> str | None:
    """ "a Parquet file", "an Arrow file" or "an Arrow stream" (as data sets of Hugging Face are
    saved), by its first bytes; None if it is none."""
    if source.is_folder or source.is_text:
        return None
    kinds = {PARQUET: "a Parquet file", ARROW: "an Arrow file"}
    found = next((kind for mark, kind in kinds.items() if source.head.startswith(mark)), None)
    if found is None and source.head.startswith(STREAM) and source.suffix == ".arrow":
        return "an Arrow stream"
    return found


@contextmanager
def open_table(source: Source) -> Iterator[Table]:
    """Open a table for a with block.

    Raises ImportError if pyarrow is not installed, ValueError if the file is no whole table.
    """
    pyarrow = import_pyarrow()
    try:
        with _input(source, pyarrow) as file:
            if source.head.startswith(PARQUET):
                from pyarrow.parquet import ParquetFile

                parquet = ParquetFile(file)
                schema = parquet.schema_arrow
                batches = parquet.iter_batches(_ROWS, columns=_readable(schema, pyarrow))
            else:
                is_file = source.head.startswith(ARROW)
                reader = (pyarrow.ipc.open_file if is_file else pyarrow.ipc.open_stream)(file)
                schema = reader.schema
                batches = _batches(reader, is_file, _readable(schema, pyarrow))
            yield Table(schema.names, _features(schema, source), _rows(batches))
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{source.path} is no whole table: {error}") from error


def import_pyarrow() -> ModuleType:
    """Raises ImportError, with the extra to install, if there is no pyarrow."""
    try:
        import pyarrow
    except ImportError as error:
        raise ImportError(
            "Parquet and Arrow files are read by pyarrow. Install it: "
            "pip install 'spacy-bertcrf[parquet]'"
        ) from error
    return pyarrow


def _input(source: Source, pyarrow: ModuleType) -> Any:
    """The file in memory if it is there already or compressed by gzip, else on the disk."""
    return pyarrow.BufferReader(source.data) if source.is_in_memory else open(source.path, "rb")


def _batches(reader: Any, is_file: bool, columns: list[str]) -> Iterator[Any]:
    found = map(reader.get_batch, range(reader.num_record_batches)) if is_file else reader
    for batch in found:
        chosen = batch.select(columns)
        for start in range(0, len(chosen), _ROWS):
            yield chosen.slice(start, _ROWS)


def _rows(batches: Iterator[Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    number = 0
    for batch in batches:
        for row in batch.to_pylist():
            number += 1
            yield number, row


def _readable(schema: Any, pyarrow: ModuleType) -> list[str]:
    return [field.name for field in schema if _holds_values(field.type, pyarrow.types)]


def _holds_values(kind: Any, types: Any) -> bool:
    """Whether a type is one of text, whole numbers and truth values, or has one inside: pictures
    and vectors are large, and no annotation."""
    if types.is_dictionary(kind):
        return _holds_values(kind.value_type, types)
    if kind.num_fields and not types.is_map(kind):
        inner = (kind.field(index).type for index in range(kind.num_fields))
        return any(_holds_values(of, types) for of in inner)
    is_text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    return is_text or types.is_integer(kind) or types.is_boolean(kind)


def _features(schema: Any, source: Source) -> Any:
    said = (schema.metadata or {}).get(b"huggingface")
    try:
        if said is None:
            said = (source.path.parent / _INFO).read_bytes()
        found = json.loads(said)
        return found.get("info", found).get("features")
    except (OSError, ValueError, AttributeError):
        return None
