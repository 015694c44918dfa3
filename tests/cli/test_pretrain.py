"""`python -m spacy bertcrf pretrain`, as the project and users call it."""

import json
import socket
import subprocess
import sys
from contextlib import closing

import pytest
from spacy.cli import app
from transformers import AutoModel, AutoTokenizer
from typer.testing import CliRunner

import spacy_bertcrf.cli  # noqa: F401  # spaCy itself loads it by its entry point

TEXTS = [f"我{i}月在{place}玩游戏。" for i in range(12) for place in ("北京", "上海", "广州")]
SMALL = ["--new", "tiny", "--layers", 1, "--width", 16, "--heads", 2]
TRAINING = ["--steps", 3, "--batch-size", 2, "--max-length", 32, "--held-out", 0.2, "--cpu"]


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text("\n".join(TEXTS), encoding="utf-8")
    return path


@pytest.fixture
def run():
    def run(*args):
        result = CliRunner().invoke(app, ["bertcrf", "pretrain", *map(str, args)])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code, " ".join(result.output.split())

    return run


def test_a_new_bert_without_training(run, corpus, tmp_path):
    """Runs without a download start here; the user should see how large the model is."""
    output = tmp_path / "bert"
    code, said = run(corpus, *SMALL, "--epochs", 0, "--output", output, "--max-length", 64)
    assert code == 0, said
    config = json.loads((output / "config.json").read_text())
    assert config["max_position_embeddings"] == 64
    assert (config["num_hidden_layers"], config["hidden_size"]) == (1, 16)
    assert f"{len(AutoTokenizer.from_pretrained(output)):,} wordpieces" in said


@pytest.mark.slow
def test_new_and_continued_pretraining_with_a_plot(run, corpus, tmp_path):
    """From raw text to a model, and on from there; the loss before and after is what one asks."""
    first, second = tmp_path / "first", tmp_path / "second"
    code, said = run(corpus, *SMALL, *TRAINING, "--output", first, "--masking", "ngrams")
    assert code == 0, said
    plot = tmp_path / "loss.svg"
    code, said = run(tmp_path / "*.txt", "--base", first, "--output", second, *TRAINING,
                     "--plot", plot, "--log-every", 1, "--masking", "pieces")  # fmt: skip
    assert code == 0, said
    assert "perplexity" in said
    assert "Trained 3 steps" in said
    assert "random weights" not in said
    assert b"held out" in plot.read_bytes()
    AutoModel.from_pretrained(second)


@pytest.mark.slow
def test_a_base_without_a_head_is_reported(run, corpus, tmp_path):
    """Its loss before says nothing, and its first steps are spent on the head."""
    base = tmp_path / "base"
    assert run(corpus, *SMALL, "--epochs", 0, "--output", base)[0] == 0
    AutoModel.from_pretrained(base).save_pretrained(base)
    code, said = run(corpus, "--base", base, "--output", tmp_path / "out", *TRAINING)
    assert code == 0, said
    assert "head starts with random weights" in said
    assert "cls.predictions.transform.dense.weight" in said


@pytest.mark.slow
def test_nothing_held_out_is_said(run, corpus, tmp_path):
    """A table without numbers, or a mean of nothing, would be read as a result."""
    (tmp_path / "empty.txt").write_text("")
    code, said = run(corpus, tmp_path / "empty.txt", *SMALL, *TRAINING, "--held-out", 0,
                     "--output", tmp_path / "out")  # fmt: skip
    assert code == 0, said
    assert "No text was held out" in said
    assert "empty.txt holds no text" in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.txt", "--new", "tiny"], "does not exist"),
        (["corpus.txt"], "either --base"),
        (["corpus.txt", "--new", "tiny", "--base", "x"], "either --base"),
        (["corpus.txt", "--new", "huge"], "tiny, mini, small, medium, base"),
        (["corpus.txt", "--base", "no/such/bert"], "Base 'no/such/bert' cannot be trained"),
        (["corpus.txt", "--base", "none", "--epochs", "0"], "nothing is trained"),
        (["corpus.txt", "--new", "tiny", "--heads", "3"], "3 heads do not divide"),
        (["corpus.txt", "--new", "tiny", "--plot", "x.bmp"], ".svg, .png or .pdf"),
        (["corpus.txt", "--new", "tiny", "--resume"], "no checkpoint"),
        (["corpus.txt", "--new", "tiny", "--masked-share", "15"], "between 0 and 1"),
    ],
)
def test_what_cannot_be_is_one_message_and_exit_code_1(
    run, corpus, tmp_path, monkeypatch, arguments, message
):
    """A traceback hides what to mend, and exit code 0 would let the project go on."""
    monkeypatch.chdir(tmp_path)
    code, said = run(*arguments, "--output", "out")
    assert code == 1
    assert message in said
    assert list(tmp_path.iterdir()) == [corpus]


@pytest.mark.slow
def test_several_processes_train_one_model(corpus, start_python, tmp_path, monkeypatch):
    """On several GPUs each process would write, or train a model of its own."""
    monkeypatch.chdir(tmp_path)
    arguments = ["-m", "spacy", "bertcrf", "pretrain", corpus, *SMALL, *TRAINING, "--output", "out"]
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(probe.getsockname()[1])}
    printed = [tmp_path.with_name(f"printed-{rank}.txt") for rank in range(2)]
    processes = []
    for rank in range(2):  # as torchrun does
        told = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", **where}
        environment = {"OMP_NUM_THREADS": "1", "LOCAL_WORLD_SIZE": "2", **told}
        processes.append(start_python(*arguments, printed=printed[rank], environment=environment))
    said = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert "".join(said).count("Wrote the model") == 1
    assert "".join(said).count("'train_runtime'") == 1
    AutoModel.from_pretrained(tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"corpus.txt", "out"}


@pytest.mark.slow
def test_the_command_is_registered_without_loading_transformers():
    """Every `spacy` command would start seconds later."""
    code = (
        "import sys, spacy_bertcrf.cli.pretrain, spacy_bertcrf.cli.extend_vocab; "
        "print('transformers' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert result.stdout.strip() == "False"
