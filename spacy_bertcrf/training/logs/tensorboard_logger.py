"""`spacy-bertcrf.TensorBoard.v1`: the training in TensorBoard."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

EVENT_FILES = "events.out.tfevents.*"


def tensorboard_logger(
    path: str | Path,
    log_every: int = 10,
    dev_loss: bool = True,
    overwrite: bool = False,
    append: bool = False,
) -> Logger:
    """A logger that writes TensorBoard's event files, and prints nothing: chain it with spaCy's
    own by `spacy.ChainLogger.v1`.

    The numbers are those of `log_records.write_records`, named losses/bertcrf, dev_losses/bertcrf,
    learn_rates/all, gradient_norm, scores/ents_f, scores/ents_per_type/LABEL/f and so on; the
    time, versions and config are under TEXT.

    path: of the run's folder; it is made. TensorBoard shows the runs in the folder above it
        side by side.
    log_every: steps from one record to the next between evaluations; 0 for evaluations alone.
    dev_loss: at each evaluation, take the loss on the development corpus too, which costs
        another pass of the component over it.
    overwrite: erase event files that are in the folder.
    append: continue them; of their records, those from the first new step on are hidden.

    A training that is resumed continues them too, whatever these say.

    Raises ValueError for wrong settings, and if there are event files and neither is set;
    ImportError without the package tensorboard.
    """
    check_log_settings(log_every, overwrite, append)
    path = Path(path)
    _summary_writer()
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path} is a file. Name a folder for the log.")
    # Not later: before it sets up its logger, spaCy has deleted the old model-best.
    if any(path.glob(EVENT_FILES)) and not (overwrite or append or is_resuming()):
        raise old_log_error(f"{path} has event files")

    def setup(nlp: Language, stdout: IO = sys.stdout, stderr: IO = sys.stderr) -> Any:
        if overwrite and not is_resuming():
            for old in path.glob(EVENT_FILES):
                old.unlink()
        return write_records(nlp, Events(path, describe_run(nlp)), log_every, dev_loss)

    return setup


class Events:
    """Writes records to an event file.

    run: written once, as text.
    """

    def __init__(self, path: Path, run: Record):
        self.path = path
        self._run = run
        self._last_step = -1
        self._is_resumed = False
        self._writer: SummaryWriter | None = None

    def write(self, record: Record) -> None:
        """Write one scalar for each number of a record."""
        step = record["step"]
        if self._writer is None:
            # Only now it is known from which step on an older event file is to be hidden.
            first = self._last_step + 1 if self._is_resumed else step
            self._writer = _summary_writer()(
                self.path, purge_step=first if first or self._is_resumed else None
            )
            if self._last_step < 0:
                text = json.dumps(self._run, indent=2, ensure_ascii=False, default=str)
                self._writer.add_text("run", f"```\n{text}\n```", step)
        for tag, number in _numbers(record):
            if tag != "step":
                self._writer.add_scalar(tag, number, step)
        self._writer.flush()
        self._last_step = step

    def close(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()

    def training_state(self) -> State:
        """The step of the last record."""
        return {"last_step": self._last_step}

    def restore_training_state(self, state: State) -> None:
        """Hide what was written after that."""
        self._last_step = state["last_step"]
        self._is_resumed = True


def _numbers(record: Record, prefix: str = "") -> Iterator[tuple[str, float]]:
    for key, value in record.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{prefix}{key}/")
        elif isinstance(value, int | float):
            yield f"{prefix}{key}", value


def _summary_writer() -> "type[SummaryWriter]":
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as err:
        raise ImportError(
            "The logger spacy-bertcrf.TensorBoard.v1 needs the package tensorboard. Install it: "
            "pip install 'spacy-bertcrf[tensorboard]'"
        ) from err
    return SummaryWriter
