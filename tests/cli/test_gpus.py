"""`--gpu-id` where no GPU can be used, and `python -m spacy bertcrf info`."""

from pathlib import Path

import pytest
import spacy
from spacy.cli import app
from typer.testing import CliRunner

import spacy_bertcrf.cli  # noqa: F401  # registers the commands
from spacy_bertcrf.models.bridge import gpus
from spacy_bertcrf.models.bridge.gpus import GPUs

ROOT = Path(__file__).parents[2]
SOUND = GPUs("Linux", "14.2.0", None, "12.8", None, n_torch=1, n_cupy=1)
MACHINES = {
    'pip install "spacy-bertcrf[cuda12x]"': SOUND._replace(cupy=None, n_cupy=0),
    "There is no GPU 3": SOUND,
}
CONFIG = str(ROOT / "configs/cpu_cnn_crf.cfg")
COMMANDS = {
    "train": ["train", CONFIG],
    "train in processes": ["train", CONFIG, "--nproc", "2"],
    "annotate": ["annotate", "{model}", "texts.txt", "{out}"],
    "annotate a stream": ["annotate", "{model}", "-"],
    "calibrate": ["calibrate", "{model}", "dev.spacy", "{out}"],
    "confusion": ["confusion", "{model}", "dev.spacy", "confusion.svg"],
    "report": ["report", "{model}", "dev.spacy", "report.html"],
    "serve": ["serve", "{model}"],
    "export": ["export", "{model}", "texts.txt", "{out}", "--format", "prodigy"],
}


def run(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["bertcrf", *args])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipeline") / "model"
    spacy.blank("zh").to_disk(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("expected", MACHINES)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_gpu_that_cannot_be_used_is_told_in_a_line(
    model, tmp_path, monkeypatch, command, expected
):
    """It was a traceback that says of CuPy that it is not installed, whatever was missing."""
    monkeypatch.setattr(gpus, "present_gpus", lambda: MACHINES[expected])
    named = {"model": str(model), "out": str(tmp_path / "out")}
    arguments = [argument.format(**named) for argument in COMMANDS[command]]
    exit_code, output = run(*arguments, "--gpu-id", "3")
    expected = expected.replace("There is no GPU 3", "There is no ")
    assert exit_code == 1
    assert expected in " ".join(output.split())
    assert "Traceback" not in output
    assert len(output.strip().splitlines()) <= 4, output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", [[], ["--markdown"]])
def test_info_says_what_a_bug_report_needs(form, monkeypatch):
    """Else a report is followed by the question after versions and GPUs."""
    monkeypatch.setattr(gpus, "present_gpus", lambda: SOUND._replace(cupy=None, n_torch=0))
    exit_code, output = run("info", *form)
    assert exit_code == 0
    for expected in (
        *("spacy-bertcrf", spacy.__version__, "transformers", "numpy", "Python", "cores"),
        *("--gpu-id 0", 'pip install "spacy-bertcrf[cuda12x]"', "bfloat16"),
    ):
        assert expected in output
