"""The records of a file: lines, rows of a table, or the file as a whole."""

import csv
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple, cast

from spacy_bertcrf.annotation.inputs import InputFile
from spacy_bertcrf.annotation.settings import Settings
from spacy_bertcrf.annotation.streams import CHUNK, import_pyarrow, open_stream

BOM = b"\xef\xbb\xbf"
PARQUET_BATCH = 1024  # rows
MAX_FIELD = 2**31 - 1  # characters: as many as Python's csv can count everywhere
# Bytes of a CSV file that are not UTF-8 become these, so that the row can be told of.
UNDECODED = "surrogateescape"


class Place(NamedTuple):
    """Where a record begins.

    offset: in bytes of the uncompressed file, in a Parquet file in rows.
    line: number of its first line, from 1; in a Parquet file, of the row.
    """

    offset: int
    line: int


START = Place(0, 1)


class Record(NamedTuple):
    """A text and what else is known of it, not yet looked into.

    content: the bytes of a line or file, the fields of a CSV row, the values of a Parquet row.
    next: where the next record may begin.
    """

    line: int
    content: Any
    next: Place


def records(
    file: InputFile, settings: Settings, start: Place = START, digest: Any = None
) -> Iterator[Record]:
    """The records of a file from some place on. Of text files, lines without text are none.

    start: the place of a record. A compressed file can be read from its start alone.
    digest: as of `open_stream`; not for Parquet files.

    Raises ValueError for a file that cannot be read.
    """
    if file.kind == "parquet":
        yield from _parquet_records(file, settings, start)
        return
    with open_stream(file, digest) as stream:
        if start.offset:
            stream.seek(start.offset)
        if file.kind == "csv":
            yield from _csv_records(stream, start, file, settings)
        elif file.kind == "text" and settings.whole_files:
            content = stream.read().removeprefix(BOM)
            yield Record(1, content, Place(len(content), 2))
        else:
            yield from _lines(stream, start)


def open_parquet(file: InputFile) -> Any:
    """A pyarrow ParquetFile; of a compressed file, from a temporary one, for Parquet is read from
    its end. Raises ValueError if it is none."""
    pyarrow = import_pyarrow()
    from pyarrow.parquet import ParquetFile

    try:
        return ParquetFile(_unpacked(file) if file.compression else file.path)
    except pyarrow.ArrowInvalid as error:
        raise ValueError(f"{file.name} is no whole Parquet file: {error}.") from error


def delimiter(file: InputFile, settings: Settings) -> str:
    """What stands between the columns of a CSV file."""
    if settings.delimiter is not None:
        return settings.delimiter
    name = file.path.name.removesuffix(file.compression).lower()
    return "\t" if name.endswith(".tsv") else ","


def _lines(stream: BinaryIO, start: Place) -> Iterator[Record]:
    offset, line = start
    for data in stream:
        offset += len(data)
        if line == 1:
            data = data.removeprefix(BOM)
        if data.strip():
            yield Record(line, data, Place(offset, line + 1))
        line += 1


def _csv_records(
    stream: BinaryIO, start: Place, file: InputFile, settings: Settings
) -> Iterator[Record]:
    offset = start.offset
    separator = delimiter(file, settings)
    of_row: list[str] = []

    def lines() -> Iterator[str]:
        nonlocal offset
        for data in stream:
            offset += len(data)
            text = data.decode("utf-8", UNDECODED)
            of_row.append(text)
            yield text.removeprefix("\ufeff") if offset == len(data) else text

    csv.field_size_limit(MAX_FIELD)
    quotes: Any = {} if settings.quotes else {"quoting": csv.QUOTE_NONE}
    reader = csv.reader(lines(), delimiter=separator, strict=True, **quotes)
    line = start.line
    try:
        for fields in reader:
            following = start.line + reader.line_num
            if len(of_row) > 1 and separator == "\t" and _are_rows(of_row, len(fields)):
                raise ValueError(
                    f"{file.name}:{line}: {len(of_row)} lines are one row, by the quotes in them, "
                    "but each could be one by itself. If they are, --no-quotes reads them so; else "
                    "convert the file to .jsonl."
                )
            of_row.clear()
            if fields:
                yield Record(line, fields, Place(offset, following))
            line = following
    except csv.Error as error:
        raise ValueError(
            f"{file.name}:{line} is no row of a CSV file: {error}. A field with quotes in it is "
            'written "in quotes, and these ""twice"""; where they are characters as any other, '
            "give --no-quotes."
        ) from error


def _are_rows(lines: Sequence[str], n_fields: int) -> bool:
    """Whether each of these lines has as many fields, apart by tabs, as their row."""
    return n_fields > 1 and all(line.count("\t") == n_fields - 1 for line in lines)


def _unpacked(file: InputFile) -> BinaryIO:
    # It goes with the last reference to it.
    unpacked = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115
    with open_stream(file) as stream:
        shutil.copyfileobj(stream, unpacked, CHUNK)
    unpacked.seek(0)
    return unpacked


def _parquet_records(file: InputFile, settings: Settings, start: Place) -> Iterator[Record]:
    opened = open_parquet(file)
    row, groups, first = 0, [], 0
    for group in range(opened.num_row_groups):
        n = opened.metadata.row_group(group).num_rows
        if row + n > start.offset:
            groups.append(group)
            first = row if len(groups) == 1 else first
        row += n
    wanted = _parquet_columns(opened.schema_arrow.names, settings)
    for batch in opened.iter_batches(PARQUET_BATCH, row_groups=groups, columns=wanted):
        for values in batch.slice(max(0, start.offset - first)).to_pylist():
            row = max(first, start.offset)
            yield Record(row + 1, values, Place(row + 1, row + 2))
            start = Place(row + 1, row + 2)
        first += len(batch)


def _parquet_columns(names: Sequence[str], settings: Settings) -> list[str]:
    wanted = {settings.text_field, settings.id_field or "id", *settings.keep}
    return [name for name in names if name in wanted]
