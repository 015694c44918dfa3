"""Trainings of benchmarks by `bertcrf train`, which are not repeated and go on where they ended."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

CONFIGS = Path(__file__).parents[1] / "configs"


def train(output: Path, config: str, settings: Mapping[str, object], *options: str) -> Path:
    """The folder of the pipeline of the last step.

    config: a name in configs/. settings: what is changed in it, but for evaluations, of which
        there is one.
    """
    command = [sys.executable, "-m", "spacy_bertcrf.cli", "train"]
    command += [str(CONFIGS / f"{config}.cfg"), *options, "--resume", "--output", str(output)]
    command += ["--checkpoint-frequency", "50"]
    rarely = {"training.eval_frequency": 100000, "initialize.after_init.evaluations": 1}
    for key, value in {**rarely, **settings}.items():
        command += [f"--{key}", str(value)]
    subprocess.run(command, check=True, stdout=sys.stderr)
    return output / "model-last"
