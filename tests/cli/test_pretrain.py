"""`python -m spacy bertcrf init-bert`, as the project calls it."""

import subprocess
import sys

import pytest
from spacy.cli import app
from typer.testing import CliRunner

import spacy_bertcrf.cli  # noqa: F401  # spaCy itself loads it by its entry point


@pytest.fixture
def run():
    return lambda *args: CliRunner().invoke(app, ["bertcrf", "init-bert", *map(str, args)])


def test_writes_a_model_and_says_how_large(run, tmp_path):
    """The user would not know what was made, or with which options."""
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("我在2008年玩CSOL。\n", encoding="utf-8")
    options = ["--layers", 1, "--width", 16, "--heads", 2, "--max-length", 32, "--seed", 3]
    result = run(tmp_path / "bert", corpus, *options)
    assert result.exit_code == 0, result.output
    assert "wordpieces from 1 texts" in result.output
    assert (tmp_path / "bert" / "model.safetensors").is_file()
    assert '"max_position_embeddings": 32' in (tmp_path / "bert" / "config.json").read_text()


def test_a_bad_input_is_one_message_and_exit_code_1(run, tmp_path):
    """A traceback hides what to mend, and exit code 0 would let the project go on."""
    result = run(tmp_path / "bert", tmp_path / "none.spacy")
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "does not exist" in " ".join(result.output.split())


def test_the_command_is_registered_without_loading_transformers():
    """Every `spacy` command would start seconds later."""
    code = "import sys, spacy_bertcrf.cli.init_bert; print('transformers' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert result.stdout.strip() == "False"
