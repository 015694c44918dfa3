"""Annotation line by line, between two pipes."""

import queue
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from spacy_bertcrf.annotation.annotator import Annotator, Failure
from spacy_bertcrf.annotation.inputs import InputFile
from spacy_bertcrf.annotation.records import BOM, Place, Record
from spacy_bertcrf.annotation.results import json_line
from spacy_bertcrf.annotation.rows import Row, read_row
from spacy_bertcrf.annotation.settings import Settings

BATCH_SIZE = 64
MAX_WAIT = 0.05  # seconds


def annotate_stream(
    annotator: Annotator,
    lines: BinaryIO,
    output: BinaryIO,
    settings: Settings,
    *,
    kind: str = "jsonl",
    batch_size: int = BATCH_SIZE,
    max_wait: float = MAX_WAIT,
) -> int:
    """Write a line of JSON for each line that has text, in their order. One that could not be
    annotated has an `error` in place of entities.

    kind: what a line is, "jsonl" or "text".
    batch_size: most lines that are annotated together.
    max_wait: seconds that a line waits for others.

    Returns how many could not be annotated. Raises OSError if a pipe breaks.
    """
    file = InputFile(Path("-"), kind, "")
    n_failed = 0
    for batch in _batches(lines, batch_size, max_wait):
        rows = [read_row(record, file, settings) for record in batch]
        readable = annotator.annotate([row.text for row in rows if row.text is not None])
        for row in rows:
            found = next(readable) if row.text is not None else Failure(str(row.fault))
            n_failed += isinstance(found, Failure)
            output.write(json_line(_result(row, found, settings)))
        readable.close()
        output.flush()
    return n_failed


def _result(row: Row, found: dict | Failure, settings: Settings) -> dict:
    text = {"text": row.text} if settings.save_texts else {}
    annotation = {"error": found.reason} if isinstance(found, Failure) else found
    return {"id": row.id, **text, **row.kept, **annotation}


def _batches(lines: BinaryIO, size: int, max_wait: float) -> Iterator[list[Record]]:
    # A thread reads, for nobody can tell beforehand how long the next line will take.
    waiting: queue.Queue[Record | Exception | None] = queue.Queue(2 * size)
    threading.Thread(target=_read, args=(lines, waiting), daemon=True).start()
    is_open = True
    while is_open:
        batch: list[Record] = []
        deadline = None
        while len(batch) < size:
            try:
                left: float | None = (
                    None if deadline is None else max(0.0, deadline - time.monotonic())
                )
                record = waiting.get(timeout=left)
            except queue.Empty:
                break
            if isinstance(record, Exception):
                raise record
            if record is None:
                is_open = False
                break
            batch.append(record)
            deadline = deadline or time.monotonic() + max_wait
        if batch:
            yield batch


def _read(lines: BinaryIO, waiting: "queue.Queue[Record | Exception | None]") -> None:
    try:
        for number, line in enumerate(lines, start=1):
            if number == 1:
                line = line.removeprefix(BOM)
            if line.strip():
                waiting.put(Record(number, line, Place(0, number + 1)))
        waiting.put(None)
    except Exception as error:
        waiting.put(error)
