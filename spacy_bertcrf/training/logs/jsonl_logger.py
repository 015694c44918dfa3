"""`spacy-bertcrf.JSONL.v1`: the training as lines of JSON."""

import json
import math
import os
import sys
import warnings
from pathlib import Path
from typing import IO, Any

from spacy.language import Language

from spacy_bertcrf.models.resumable import State, is_resuming
from spacy_bertcrf.training.logs.log_records import (
    Logger,
    Record,
    check_log_settings,
    describe_run,
    old_log_error,
    write_records,
)


def jsonl_logger(
    path: str | Path,
    log_every: int = 10,
    dev_loss: bool = True,
    overwrite: bool = False,
    append: bool = False,
) -> Logger:
    """A logger that writes a file with one JSON object a line, and prints nothing: chain it with
    spaCy's own by `spacy.ChainLogger.v1`.

    The first line, `{"run": …}`, has the time, the versions and the config; each of the others
    is a record as `log_records.write_records` explains it. A number that is not finite is null.
    Every line is handed to the system at once, so that a kill loses none.

    path: of the file; its folder is made.
    log_every: steps from one record to the next between evaluations; 0 for evaluations alone.
    dev_loss: at each evaluation, take the loss on the development corpus too, which costs
        another pass of the component over it.
    overwrite: erase a file that is there.
    append: continue it, with a first line of its own.

    A training that is resumed continues the file as if it had not been stopped, whatever these
    say.

    Raises ValueError for wrong settings, and if the file is there and neither is set.
    """
    check_log_settings(log_every, overwrite, append)
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder. Name a file for the log.")
    # Not later: before it sets up its logger, spaCy has deleted the old model-best.
    if path.exists() and not (overwrite or append or is_resuming()):
        raise old_log_error(f"{path} is the log")

    def setup(nlp: Language, stdout: IO = sys.stdout, stderr: IO = sys.stderr) -> Any:
        writer = JsonLines(path, "a" if append else "w" if overwrite else "x", describe_run(nlp))
        return write_records(nlp, writer, log_every, dev_loss)

    return setup


class JsonLines:
    """Writes records to a file, flushed one by one.

    mode: as of `open`: "x", "w" or "a". If a file to append to ends within a line, as a crash of
        the machine can leave it, this line is dropped.
    run: written as the first line, together with the first record. Before that, the file is left
        as it is.
    """

    def __init__(self, path: Path, mode: str, run: Record | None = None):
        self.path = path
        self._mode = mode
        self._run = run
        self._file: IO[str] | None = None

    def write(self, record: Record) -> None:
        """Write one line."""
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self._mode == "a" and self.path.exists():
                _drop_unfinished_line(self.path)
            self._file = self.path.open(self._mode, encoding="utf-8")
            if self._run is not None:
                self._file.write(_line({"run": self._run}))
        self._file.write(_line(record))
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def training_state(self) -> State:
        """The size of the file, as far as it is on the disk."""
        if self._file is not None:
            os.fsync(self._file.fileno())
        is_kept = self._file is not None or (self._mode == "a" and self.path.exists())
        size = self.path.stat().st_size if is_kept else 0
        # A resumed log is not open before its first record.
        return {"bytes": size, "is_begun": self._file is not None or self._run is None}

    def restore_training_state(self, state: State) -> None:
        """Cut off what was written after that."""
        self._mode = "a"
        size = self.path.stat().st_size if self.path.exists() else 0
        if size < state["bytes"]:
            warnings.warn(
                f"{self.path} has lost lines since the checkpoint was written; the log goes on "
                "without them.",
                stacklevel=2,
            )
        elif size:
            os.truncate(self.path, state["bytes"])
        if state["is_begun"] and size:
            self._run = None


def _line(record: Record) -> str:
    return json.dumps(_finite(record), ensure_ascii=False, allow_nan=False, default=_plain) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def _plain(value: Any) -> Any:
    # Scorers of any component may give anything, and a log is no reason to end a training.
    return value.item() if hasattr(value, "item") else str(value)


def _drop_unfinished_line(path: Path) -> None:
    with path.open("rb+") as file:
        content = file.read()
        if not content.endswith(b"\n"):
            file.seek(content.rfind(b"\n") + 1)
            file.truncate()
