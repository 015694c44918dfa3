"""A training in a process of its own: nothing of it is left for the next."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def train_separately(
    config: Path, overrides: Sequence[str], folder: Path, gpu_id: int, name: str
) -> None:
    """Train as `bertcrf train --resume` does.

    overrides: as on the command line.
    folder: for the pipelines, checkpoints, and what the training says, in training.log.
    name: of what is trained, for the error.

    Raises ValueError, with the log's place, if it ends with an error.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "spacy_bertcrf.cli", "train", str(config)]
    command += ["--output", str(folder), "--gpu-id", str(gpu_id), "--resume", *overrides]
    log = folder / "training.log"
    with log.open("a", encoding="utf8") as file:
        code = subprocess.run(
            command, stdout=file, stderr=subprocess.STDOUT, check=False
        ).returncode
    if code or not (folder / "model-last").is_dir():
        raise ValueError(f"The training of {name} ended with an error; see {log}.")
