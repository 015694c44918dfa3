"""`bertcrf train` as a process that is killed, stopped, or out of disk, and resumed."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from spacy.util import load_config
from thinc.api import Config

ROOT = Path(__file__).parents[2]
N_KILLS = 4

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows kills otherwise"),
]


@pytest.fixture(scope="module")
def start(start_command):
    """Start a training in a new process."""

    def start(*arguments, **settings):
        output = Path(arguments[arguments.index("--output") + 1])
        printed = output.parent / "printed.txt"
        return start_command("bertcrf", "train", *arguments, printed=printed, **settings)

    return start


@pytest.fixture(scope="module")
def config(train_corpus, tmp_path_factory):
    config = load_config(ROOT / "configs" / "cpu_cnn_crf.cfg")
    config["paths"].update({"train": str(train_corpus), "dev": str(train_corpus)})
    config["components"]["bertcrf"]["model"]["tok2vec"].update(width=16, depth=1, embed_size=50)
    config["components"]["bertcrf"]["model"]["encoder"]["hidden_width"] = 8
    config["training"].update(
        {
            "max_epochs": 0,
            "max_steps": 150,
            "eval_frequency": 50,
            "dropout": 0.3,
            "batcher": {"@batchers": "spacy.batch_by_sequence.v1", "size": 2, "get_length": None},
            "logger": {
                "@loggers": "spacy-bertcrf.JSONL.v1",
                "path": "log.jsonl",
                "log_every": 7,
            },
        }
    )
    averages = {"@misc": "spacy-bertcrf.EMA.v1", "decay": 0.9}
    config["training"]["optimizer"]["averages"] = averages
    path = tmp_path_factory.mktemp("config") / "config.cfg"
    Config(config).to_disk(path, interpolate=False)
    return path


@pytest.fixture
def arguments(config, tmp_path):
    # A log of its own would be another config.
    log = ["--training.logger.path", tmp_path / "log.jsonl"]
    output = ["--output", tmp_path / "output"]
    return [config, *output, "--checkpoint-frequency", 10, *log]


@pytest.fixture(scope="module")
def unharmed(start, config, tmp_path_factory):
    """The outcome of a training that nobody has killed, and the seconds that it took."""
    folder = tmp_path_factory.mktemp("unharmed")
    process = start(
        config, "--output", folder / "output", "--checkpoint-frequency", 10,
        "--training.logger.path", folder / "log.jsonl",
    )  # fmt: skip
    wait_until_it_trains(folder, process, n_earlier=0)
    began = time.monotonic()
    process.wait()
    assert process.returncode == 0, printed(folder)
    return outcome(folder), time.monotonic() - began


def outcome(folder):
    weights = {
        name: (folder / "output" / name / "bertcrf" / "model").read_bytes()
        for name in ("model-best", "model-last")
    }
    lines = (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    assert list(records[0]) == ["run"]
    for record in records[1:]:
        del record["seconds"], record["words_per_second"]
        record.get("scores", {}).pop("speed", None)
    return weights, records[1:]


def wait_until_it_trains(folder, process, n_earlier):
    path = folder / "printed.txt"
    while not path.exists() or path.read_text().count("Training pipeline") <= n_earlier:
        assert process.poll() is None, printed(folder)
        time.sleep(0.02)


def whole_pipelines(folder):
    """Raises an error if a pipeline is there in part."""
    import spacy

    for name in ("model-best", "model-last"):
        if (folder / "output" / name).exists():
            spacy.load(folder / "output" / name)


def printed(folder):
    return re.sub(r"\s+", " ", (folder / "printed.txt").read_text())


def test_kills_at_random_moments_change_nothing(start, arguments, unharmed, tmp_path):
    """A node that is taken away must not cost the training, nor give another model."""
    expected, seconds = unharmed
    rng = random.Random()
    n_kills = 0
    while True:
        process = start(*arguments, "--resume")
        wait_until_it_trains(tmp_path, process, n_earlier=n_kills)
        with suppress(subprocess.TimeoutExpired):
            process.wait(rng.uniform(0, 0.4) * seconds if n_kills < N_KILLS else None)
        if process.returncode is not None:
            break
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        n_kills += 1
        whole_pipelines(tmp_path)
    assert n_kills
    assert process.returncode == 0, printed(tmp_path)
    assert outcome(tmp_path) == expected


def test_kills_while_files_are_written_change_nothing(start, arguments, unharmed, tmp_path):
    """A kill while a checkpoint or a pipeline replaces the last one must leave one of them."""
    rng = random.Random()
    for _ in range(N_KILLS):
        process = start(*arguments, "--resume", kill_at=rng.randint(1, 120))
        process.wait()
        assert process.returncode in (-signal.SIGKILL, 0), printed(tmp_path)
        whole_pipelines(tmp_path)
    process = start(*arguments, "--resume")
    process.wait()
    assert process.returncode == 0, printed(tmp_path)
    assert outcome(tmp_path) == unharmed[0]
    left = [path.name for path in (tmp_path / "output").rglob(".*")]
    assert left == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_with_a_checkpoint(number, code, start, arguments, unharmed, tmp_path):
    """Batch systems send SIGTERM before they kill, and users press Ctrl-C."""
    slow = [*arguments, "--checkpoint-frequency", 1000]
    process = start(*slow)
    while not (tmp_path / "output" / "model-last").exists():
        time.sleep(0.01)
        assert process.poll() is None, printed(tmp_path)
    os.kill(process.pid, number)
    process.wait()
    if process.returncode != 0:  # The signal may come in the last step.
        assert process.returncode == code, printed(tmp_path)
        assert "--resume" in printed(tmp_path)
        steps = sorted(path.name for path in (tmp_path / "output" / "checkpoints").iterdir())
        assert steps[0] == "step-0"
        assert len(steps) == 2
    process = start(*slow, "--resume")
    process.wait()
    assert process.returncode == 0, printed(tmp_path)
    assert outcome(tmp_path) == unharmed[0]


def test_a_full_disk_loses_no_checkpoint(start, arguments, unharmed, tmp_path):
    """Else the user frees some space and finds that there is nothing to go on with."""
    process = start(*arguments, kill_at=100)
    process.wait()
    folder = tmp_path / "output" / "checkpoints"
    before = sorted(folder.glob("step-*"))
    process = start(*arguments, "--resume", size_limit=30_000)
    process.wait()
    assert process.returncode == 1
    assert "could not be written" in printed(tmp_path)
    assert sorted(folder.iterdir()) == before
    whole_pipelines(tmp_path)
    process = start(*arguments, "--resume")
    process.wait()
    assert process.returncode == 0, printed(tmp_path)
    assert outcome(tmp_path) == unharmed[0]


def test_an_earlier_training_is_not_lost_by_mistake(start, arguments, tmp_path):
    """Without --resume, one more call of the same command would erase days of training."""
    process = start(*arguments, kill_at=100)
    process.wait()
    folder = tmp_path / "output" / "checkpoints"
    before = sorted(folder.glob("step-*"))
    process = start(*arguments)
    process.wait()
    assert process.returncode == 1
    assert "--resume" in printed(tmp_path)
    process = start(*arguments, "--resume", "--training.dropout", 0.2)
    process.wait()
    assert process.returncode == 1
    assert "training.dropout was 0.3 and is 0.2" in printed(tmp_path)
    for path in before:
        (path / "state.json").write_text("{}")
    process = start(*arguments, "--resume")
    process.wait()
    assert process.returncode == 1
    assert "is whole" in printed(tmp_path)
    assert sorted(folder.glob("step-*")) == before
