"""An archive cut into shards: the pieces of work that are done as a whole or not at all."""

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from spacy_bertcrf.annotation.inputs import InputFile
from spacy_bertcrf.annotation.records import START, Place, Record, open_parquet, records
from spacy_bertcrf.annotation.rows import Row, check_columns, read_row
from spacy_bertcrf.annotation.settings import Settings
from spacy_bertcrf.annotation.streams import file_digest

MAX_SHARD_BYTES = 1 << 24


class Source(NamedTuple):
    """A file as it was when it was cut.

    digest: SHA-256 of its content; size: in bytes; changed: when it was changed, in ns.
    """

    file: InputFile
    columns: tuple[str, ...]
    n_texts: int
    digest: str
    size: int
    changed: int


class Stretch(NamedTuple):
    """Some records in a row. source: number of the file; first: of the record in it, from 0."""

    source: int
    first: int
    n: int
    start: Place


class Shard(NamedTuple):
    """Texts that are annotated together. number: from 0."""

    number: int
    stretches: tuple[Stretch, ...]

    @property
    def n_texts(self) -> int:
        return sum(stretch.n for stretch in self.stretches)


class Archive(NamedTuple):
    """All files, and the shards that they are cut into."""

    sources: list[Source]
    shards: list[Shard]

    @property
    def n_texts(self) -> int:
        return sum(source.n_texts for source in self.sources)


def cut(files: Sequence[InputFile], settings: Settings) -> Archive:
    """Read all files once and cut them. The same files and settings give the same shards.

    Raises ValueError for a file that cannot be read, or whose first record has no text where the
    settings say.
    """
    cutter = _Cutter(settings.shard_size)
    sources = [_cut_file(i, file, settings, cutter) for i, file in enumerate(files)]
    return Archive(sources, cutter.end())


class ShardReader:
    """Reads the rows of shards; fastest if those of a file come in their order."""

    def __init__(self, sources: Sequence[Source], settings: Settings):
        self._sources, self._settings = sources, settings
        self._source = -1
        self._next = 0
        self._records: Iterator[Record] = iter(())

    def read(self, shard: Shard) -> list[Row]:
        """The rows of a shard. Raises ValueError if a file is no longer what it was."""
        return [row for stretch in shard.stretches for row in self._rows(stretch)]

    def _rows(self, stretch: Stretch) -> list[Row]:
        source = self._sources[stretch.source]
        if _state(source.file) != (source.size, source.changed):
            raise ValueError(f"{source.file.name} was changed while it was being annotated.")
        self._go_to(stretch, source.file)
        found = list(itertools.islice(self._records, stretch.n))
        self._next += stretch.n
        return [read_row(record, source.file, self._settings, source.columns) for record in found]

    def _go_to(self, stretch: Stretch, file: InputFile) -> None:
        if (self._source, self._next) == (stretch.source, stretch.first):
            return
        can_seek = not file.compression
        if can_seek or self._source != stretch.source or self._next > stretch.first:
            start = stretch.start if can_seek else START
            self._records = records(file, self._settings, start)
            # Of a compressed CSV file the header is read again.
            self._next = stretch.first if can_seek else -1 if file.kind == "csv" else 0
            self._source = stretch.source
        for _ in range(stretch.first - self._next):
            next(self._records)
        self._next = stretch.first


class _Cutter:
    def __init__(self, shard_size: int):
        self._size = shard_size
        self._shards: list[Shard] = []
        self._stretches: list[Stretch] = []
        self._n_texts = self._n_bytes = 0

    def add(self, source: int, first: int, n: int, start: Place, n_bytes: int) -> None:
        """Add records in a row that are to stay together."""
        is_full = self._n_texts + n > self._size or self._n_bytes + n_bytes > MAX_SHARD_BYTES
        if is_full and self._n_texts:
            self._close()
        last = self._stretches[-1] if self._stretches else None
        if last is not None and last.source == source:
            self._stretches[-1] = last._replace(n=last.n + n)
        else:
            self._stretches.append(Stretch(source, first, n, start))
        self._n_texts += n
        self._n_bytes += n_bytes

    def end(self) -> list[Shard]:
        if self._n_texts:
            self._close()
        return self._shards

    def _close(self) -> None:
        self._shards.append(Shard(len(self._shards), tuple(self._stretches)))
        self._stretches = []
        self._n_texts = self._n_bytes = 0


def _cut_file(number: int, file: InputFile, settings: Settings, cutter: _Cutter) -> Source:
    size, changed = _state(file)
    if file.kind == "parquet":
        names, n = _cut_parquet(number, file, settings, cutter)
        return Source(file, names, n, file_digest(file), size, changed)
    digest = hashlib.sha256()
    names, n, place = (), 0, START
    for record in records(file, settings, digest=digest):
        if file.kind == "csv" and not names:
            names = tuple(record.content)
            check_columns(names, file, settings)
        else:
            if n == 0:
                _check_first(read_row(record, file, settings, names), settings.text_field)
            cutter.add(number, n, 1, place, record.next.offset - place.offset)
            n += 1
        place = record.next
    if file.kind == "csv" and not names:
        raise ValueError(f"{file.name} has no header.")
    return Source(file, names, n, digest.hexdigest(), size, changed)


def _cut_parquet(
    number: int, file: InputFile, settings: Settings, cutter: _Cutter
) -> tuple[tuple[str, ...], int]:
    opened = open_parquet(file)
    names = tuple(opened.schema_arrow.names)
    check_columns(names, file, settings)
    n: int = opened.metadata.num_rows
    groups = [opened.metadata.row_group(i) for i in range(opened.num_row_groups)]
    # All columns: more than is read, and so on the safe side.
    bytes_a_row = sum(group.total_byte_size for group in groups) // max(1, n)
    for record in itertools.islice(records(file, settings), 1):
        _check_first(read_row(record, file, settings), settings.text_field)
    for i in range(n):
        cutter.add(number, i, 1, Place(i, i + 1), bytes_a_row)
    return names, n


def _check_first(row: Row, text_field: str) -> None:
    if row.fault is None:
        return
    # It may be a fault of the bytes, of JSON, or of the id.
    is_of_field = repr(text_field) in row.fault
    mend = " Name the field of the texts with --text-field." if is_of_field else ""
    raise ValueError(f"{row.place} cannot be read: {row.fault}.{mend}")


def _state(file: InputFile) -> tuple[int, int]:
    found = file.path.stat()
    return found.st_size, found.st_mtime_ns
