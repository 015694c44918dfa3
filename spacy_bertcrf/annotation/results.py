"""What is written of the annotated texts: JSON lines or Parquet."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from spacy_bertcrf.annotation.records import open_parquet
from spacy_bertcrf.annotation.settings import Settings
from spacy_bertcrf.annotation.shards import Source
from spacy_bertcrf.annotation.streams import import_pyarrow
from spacy_bertcrf.annotation.whole_file import whole_file


def write_results(path: Path, results: Sequence[dict[str, Any]], schema: Any = None) -> None:
    """Write rows, whole or not at all.

    schema: pyarrow's, for a Parquet file; None for JSON lines.

    Raises OSError if the file cannot be written.
    """
    if schema is None:
        with whole_file(path) as file:
            file.writelines(json_line(result) for result in results)
        return
    import_pyarrow()
    from pyarrow import Table, string
    from pyarrow.parquet import write_table

    texts = {field.name for field in schema if field.type == string()}
    rows = [
        {
            name: _as_text(result.get(name)) if name in texts else result.get(name)
            for name in schema.names
        }
        for result in results
    ]
    table = Table.from_pylist(rows, schema)
    with whole_file(path) as file:
        write_table(table, file, compression="zstd")


def json_line(value: dict[str, Any]) -> bytes:
    """A line of JSON, in UTF-8."""
    try:
        return json.dumps(value, ensure_ascii=False, default=str).encode("utf-8") + b"\n"
    except UnicodeEncodeError:
        # Half a character, which JSON can write and UTF-8 cannot.
        return json.dumps(value, default=str).encode("ascii") + b"\n"


def parquet_schema(sources: Sequence[Source], settings: Settings) -> Any:
    """The columns of the output as a pyarrow schema.

    Kept columns have the types of the input where all of that is Parquet; else they are texts,
    what is none in JSON.

    Raises ImportError without pyarrow, and ValueError if columns differ in type between files.
    """
    pyarrow = import_pyarrow()
    span = pyarrow.struct(
        {
            "start": pyarrow.int32(),
            "end": pyarrow.int32(),
            "text": pyarrow.string(),
            "label": pyarrow.string(),
            "score": pyarrow.float32(),
        }
    )
    text = {"text": pyarrow.string()} if settings.save_texts else {}
    return pyarrow.schema(
        {
            "id": pyarrow.string(),
            **text,
            **_kept_types(sources, settings.keep),
            "entities": pyarrow.list_(span),
            "spans": pyarrow.map_(pyarrow.string(), pyarrow.list_(span)),
            "cats": pyarrow.map_(pyarrow.string(), pyarrow.float32()),
        }
    )


def _kept_types(sources: Sequence[Source], keep: Iterable[str]) -> dict[str, Any]:
    if any(source.file.kind != "parquet" for source in sources):
        return {column: import_pyarrow().string() for column in keep}
    types: dict[str, Any] = {}
    for source in sources if keep else ():
        schema = open_parquet(source.file).schema_arrow
        for column in keep:
            found = schema.field(column).type
            if types.setdefault(column, found) != found:
                raise ValueError(
                    f"{source.file.name}: the column {column!r} is {found}, and in "
                    f"{sources[0].file.name} it is {types[column]}. Annotate them apart."
                )
    return types


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
