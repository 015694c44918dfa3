"""A folder as a reader of the guides has it after the first pipeline, but smaller."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from spacy.util import load_config
from typer.testing import CliRunner

from spacy_bertcrf.cli import app

ROOT = Path(__file__).parents[2]
LINES = {"train": 120, "dev": 40, "test": 40}


@pytest.fixture(scope="session")
def run_command() -> Callable[[list[str]], None]:
    """`python -m spacy ARGUMENTS` in this process; a failure shows its output."""

    def run(arguments: list[str]) -> None:
        result = CliRunner().invoke(app, arguments)
        said = f"{arguments}\n{result.output}\n{result.exception!r}"
        assert result.exit_code == 0, said

    return run


@pytest.fixture(scope="session")
def readers_folder(
    run_command: Callable[[list[str]], None], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The sample shortened, a config without BERT, and a pipeline trained by it for a few steps."""
    folder = tmp_path_factory.mktemp("reader")
    shutil.copytree(ROOT / "configs", folder / "configs")
    (folder / "assets" / "sample").mkdir(parents=True)
    for part, n_lines in LINES.items():
        lines = (ROOT / "assets" / "sample" / f"{part}.json").read_text("utf8").splitlines()
        shortened = "\n".join(lines[:n_lines])
        (folder / "assets" / "sample" / f"{part}.json").write_text(shortened, "utf8")
    shutil.copy(folder / "assets" / "sample" / "train.json", folder / "corpus.txt")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for part in LINES:
            source, target = f"assets/sample/{part}.json", f"corpus/sample/{part}.spacy"
            run_command(["bertcrf", "convert", source, target, "--lang", "zh"])
        shutil.copytree("corpus/sample", "corpus", dirs_exist_ok=True)
        _write_config(folder / "config.cfg")
        run_command(["train", "config.cfg", "--output", "training"])
    shutil.copytree(folder / "training", folder / "training" / "sample")
    return folder


def _write_config(path: Path) -> None:
    config = load_config(ROOT / "configs" / "cpu_cnn_crf.cfg")
    config["paths"].update(train="corpus/train.spacy", dev="corpus/dev.spacy")
    config["training"].update(max_steps=12, max_epochs=0, eval_frequency=6)
    config["training"]["logger"] = {
        "@loggers": "spacy-bertcrf.JSONL.v1",
        "path": "training/log.jsonl",
        "overwrite": True,
    }
    config.to_disk(path)
