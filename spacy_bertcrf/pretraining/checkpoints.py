"""Checkpoints of a training that may be interrupted, and which training they are of."""

import json
import shutil
from pathlib import Path
from typing import Any

from transformers.trainer_utils import get_last_checkpoint

RUN_FILE = "run.json"
# What is compared by a checksum, which says nothing to a reader: what has happened then.
_CHANGED = {
    "contents of texts": "the texts are not what they were when it began",
    "base": "the BERT that it began with is not this one",
}


def checkpoints_of(output: Path) -> Path:
    """The folder of the checkpoints, until the output of their training is written."""
    return output.with_name(f"{output.name}.checkpoints")


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint in a folder, if there is one."""
    last = get_last_checkpoint(str(folder)) if folder.is_dir() else None
    return None if last is None else Path(last)


def checkpoint_to_start_from(folder: Path, run: dict[str, Any], resume: bool) -> Path | None:
    """The checkpoint that a training goes on from; None if it starts at the beginning.

    run: what tells the training from others.

    Raises ValueError if there is no checkpoint to resume from, there is one of another training,
    or there is one and `resume` is false.
    """
    last = last_checkpoint(folder)
    if not resume:
        if last:
            raise ValueError(
                f"{folder} holds checkpoints of a training that did not come to its end. Go on "
                "with --resume, or remove the folder."
            )
        return None
    if not last:
        raise ValueError(f"There is no checkpoint in {folder} to resume from.")
    before = json.loads((folder / RUN_FILE).read_text("utf-8"))
    for name, value in json.loads(json.dumps(run)).items():
        if before.get(name, value) != value:
            what = _CHANGED.get(name, f"it began with {name} {before.get(name)}, not {value}")
            raise ValueError(
                f"{folder} is of another training: {what}. Resume with the same texts, BERT and "
                "settings, or remove the folder."
            )
    return last


def describe_run(folder: Path, run: dict[str, Any]) -> None:
    """Note beside the checkpoints which training they are of."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RUN_FILE).write_text(json.dumps(run, indent=1), "utf-8")


def remove_checkpoints(folder: Path) -> None:
    """Remove what a training no longer needs."""
    shutil.rmtree(folder, ignore_errors=True)
