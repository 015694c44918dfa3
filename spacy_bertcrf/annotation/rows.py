"""A text, its id and its kept columns, as a record has them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from spacy_bertcrf.annotation.inputs import InputFile
from spacy_bertcrf.annotation.records import UNDECODED, Record
from spacy_bertcrf.annotation.settings import Settings


class Row(NamedTuple):
    """A text to annotate.

    id: as the record has it, as text; else made from file and line.
    text: None where it cannot be read.
    kept: the columns that are to be written too.
    place: file and line.
    fault: why it cannot be read, or None.
    """

    id: str
    text: str | None
    kept: dict[str, Any]
    place: str
    fault: str | None = None


class Faulty(ValueError):
    """Raised for a record that cannot be read."""


def read_row(
    record: Record, file: InputFile, settings: Settings, columns: Sequence[str] = ()
) -> Row:
    """What a record says; if it cannot be read, the row has a fault.

    columns: of a CSV file.
    """
    place = f"{file.name}:{record.line}"
    made_id = file.name if file.kind == "text" and settings.whole_files else place
    try:
        if file.kind == "text":
            text = _decoded(record.content)
            return Row(made_id, text if settings.whole_files else text.rstrip("\r\n"), {}, place)
        values = _values(record.content, file.kind, columns)
    except Faulty as fault:
        return Row(made_id, None, {}, place, str(fault))
    kept = {column: values.get(column) for column in settings.keep}
    row_id = values.get(settings.id_field or "id")
    row = Row(made_id if row_id is None else str(row_id), None, kept, place)
    try:
        if row_id is None and settings.id_field is not None:
            raise Faulty(f"it has no id under {settings.id_field!r}")
        text = _text(values, settings.text_field)
        _check_unicode(text, row.id, json.dumps(kept, ensure_ascii=False, default=str))
    except Faulty as fault:
        return row._replace(fault=str(fault))
    return row._replace(text=text)


def check_columns(columns: Sequence[str], file: InputFile, settings: Settings) -> None:
    """Raise ValueError if a table lacks a column that the settings name, has one twice, or
    one whose name is not UTF-8."""
    for name in columns:
        try:
            _check_unicode(name)
        except Faulty as fault:
            raise ValueError(f"{file.name}:1: {fault}.") from None
    needed = {"--text-field": settings.text_field, "--id-field": settings.id_field}
    named = [*needed.items(), *(("--keep", column) for column in settings.keep)]
    for option, column in named:
        if column is not None and column not in columns:
            hint = " Or is --delimiter another?" if file.kind == "csv" else ""
            raise ValueError(
                f"{file.name} has no column {column!r}, only {', '.join(map(repr, columns))}. "
                f"Name another with {option}.{hint}"
            )
        if columns.count(column) > 1:
            raise ValueError(f"{file.name} has {columns.count(column)} columns {column!r}.")


def _values(content: Any, kind: str, columns: Sequence[str]) -> Mapping[str, Any]:
    if kind == "parquet":
        values: Mapping[str, Any] = content
        return values
    if kind == "csv":
        if len(content) != len(columns):
            raise Faulty(f"it has {len(content)} fields, and the header {len(columns)}")
        return dict(zip(columns, content, strict=True))
    try:
        values = json.loads(_decoded(content))
    except (ValueError, RecursionError) as error:
        raise Faulty(str(error) if isinstance(error, Faulty) else f"no JSON: {error}") from error
    if not isinstance(values, dict):
        raise Faulty("no JSON object, as each line of a JSONL file must be")
    return values


def _text(values: Mapping[str, Any], field: str) -> str:
    if field not in values:
        raise Faulty(f"it has no {field!r}, only {', '.join(map(repr, values)) or 'nothing'}")
    text = values[field]
    if not isinstance(text, str):
        raise Faulty(f"{field!r} is {json.dumps(text, default=str)[:80]}, which is no text")
    return text


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Faulty(
            f"byte 0x{data[error.start]:02X} is not UTF-8; convert the file, e.g. with iconv"
        ) from None


def _check_unicode(*texts: str) -> None:
    for text in texts:
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            character = text[error.start]
            try:
                byte = character.encode("utf-8", UNDECODED)
            except UnicodeEncodeError:
                raise Faulty(f"\\u{ord(character):04x} is half a character") from None
            raise Faulty(
                f"byte 0x{byte.hex().upper()} is not UTF-8; convert the file, e.g. with iconv"
            ) from None
