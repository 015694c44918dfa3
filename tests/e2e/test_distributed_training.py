"""Trainings by several processes of the command line, one of which fails."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import spacy

from spacy_bertcrf.training.checkpoints.checkpoints import Checkpoints

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
MODULE = ["-m", "spacy_bertcrf.cli"]


@pytest.fixture
def command(train_corpus, tmp_path):
    """Arguments of a training that goes on for longer than any test."""

    def build(config=ROOT / "configs" / "cpu_cnn_crf.cfg", **overrides):
        settings = {
            "paths.train": train_corpus,
            "paths.dev": train_corpus,
            "components.bertcrf.model.tok2vec.width": 16,
            "components.bertcrf.model.encoder.hidden_width": 16,
            "training.max_epochs": 0,
            "training.max_steps": 100_000,
            "training.eval_frequency": 20,
            "training.batcher.size": 40,
            "training.optimizer.learn_rate": 0.001,
            **overrides,
        }
        arguments = ["train", str(config)]
        arguments += ["--output", str(tmp_path / "output"), "--checkpoint-frequency", "10"]
        for name, value in settings.items():
            arguments += [f"--{name}", str(value)]
        return arguments

    return build


@contextmanager
def started(arguments, **environment):
    """A process with its output, which does not outlive the with block."""
    process = subprocess.Popen(
        [str(argument) for argument in arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def variables(rank, port, address="127.0.0.1"):
    """What torchrun would tell one of two processes."""
    where = {"MASTER_ADDR": address, "MASTER_PORT": str(port)}
    return {"WORLD_SIZE": "2", "RANK": str(rank), **where}


def free_port():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def two_ranks(start_command, tmp_path):
    """Start both ranks of a training, as torchrun would."""
    started = []

    def start(arguments):
        port = free_port()
        for rank in range(2):
            printed = tmp_path / f"printed-{rank}.txt"
            environment = variables(rank, port)
            process = start_command("bertcrf", *arguments, printed=printed, environment=environment)
            started.append(process)
        return started

    yield start
    for process in started:
        process.kill()
        process.wait()


def wait_for_checkpoint(process, folder, seconds=120):
    """Wait until training is under way."""
    end = time.monotonic() + seconds
    while not Checkpoints(folder / "checkpoints").paths():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end, "no checkpoint"
        time.sleep(0.1)


def output_of(process, seconds=60):
    """What it printed until it ended, in one line."""
    output = process.communicate(timeout=seconds)[0]
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", output).split())


def assert_is_whole(folder):
    assert Checkpoints(folder / "checkpoints").newest_whole() is not None
    spacy.load(folder / "model-last")
    assert not list(folder.rglob("*.tmp"))


def test_a_killed_process_ends_the_others_with_its_name(command, two_ranks, tmp_path):
    """Else they would wait, and cost, until somebody looks."""
    first, second = two_ranks(command())
    wait_for_checkpoint(first, tmp_path / "output")
    os.kill(second.pid, signal.SIGKILL)
    second.wait()
    output = output_of(first)
    assert first.returncode == 1
    assert f"Rank 1 (process {second.pid} on {socket.gethostname()})" in output
    assert "it has died" in output
    assert_is_whole(tmp_path / "output")


def test_a_process_that_hangs_trips_the_timeout(command, two_ranks, tmp_path):
    """Nothing else would ever end such a training."""
    first, second = two_ranks([*command(), "--timeout", "4"])
    wait_for_checkpoint(first, tmp_path / "output")
    os.kill(second.pid, signal.SIGSTOP)
    output = output_of(first)
    assert first.returncode == 1
    assert f"Rank 1 (process {second.pid}" in output
    assert "it is stopped" in output
    assert_is_whole(tmp_path / "output")


FAILURES = {
    "between two steps": "            raise ValueError('something is wrong')\n",
    "in a backward pass": (
        "            layer = nlp.get_pipe('bertcrf').model.get_ref('sequence_tagger')\n"
        "            first = next(layer.shims[0].module.parameters())\n"
        "            first.register_hook(fail)\n"
    ),
}


@pytest.mark.parametrize("when", FAILURES)
def test_an_error_in_one_process_is_told_by_the_others(command, two_ranks, tmp_path, when):
    """The log of one process is enough to find out what happened in another, also where this
    one has begun to send its gradients."""
    config = tmp_path / "config.cfg"
    original = (ROOT / "configs" / "cpu_cnn_crf.cfg").read_text("utf-8")
    callback = '[training.before_update]\n@callbacks = "tests.failing.v1"\n'
    config.write_text(original.replace("before_update = null\n", "") + callback, "utf-8")
    code = tmp_path / "code.py"
    code.write_text(
        "import os, spacy\n"
        "from spacy_bertcrf.training.distributed import early_exchange\n"
        "early_exchange.BUCKET_BYTES = 64\n"
        "def fail(gradient):\n"
        "    raise ValueError('something is wrong')\n"
        "@spacy.registry.callbacks('tests.failing.v1')\n"
        "def make():\n"
        "    def before_update(nlp, info):\n"
        "        if os.environ['RANK'] == '1' and info['step'] == 12:\n"
        f"{FAILURES[when]}"
        "    return before_update\n"
    )
    first, second = two_ranks([*command(config), "--code", code])
    output = output_of(first, 120)
    second.wait()
    assert first.returncode == second.returncode == 1
    assert "Rank 1" in output
    assert "ended with ValueError: something is wrong" in output


def test_torchrun_restarts_from_the_newest_checkpoint(command, few_imports, tmp_path):
    """A machine that fails at night costs some steps, not the night."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    launcher += ["--max-restarts=1"]
    arguments = [
        sys.executable,
        *launcher,
        *MODULE,
        *command(**{"training.max_steps": 150}),
        "--resume",
    ]
    with started(arguments, **few_imports) as torchrun:
        wait_for_checkpoint(torchrun, tmp_path / "output")
        os.kill(worker_of(torchrun.pid, rank=1), signal.SIGKILL)
        output = output_of(torchrun, 180)
    assert torchrun.returncode == 0, output
    assert "Resumed from" in output
    assert "Saved pipeline to output directory" in output
    assert_is_whole(tmp_path / "output")


def worker_of(parent, rank):
    for folder in Path("/proc").iterdir():
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            environment = (folder / "environ").read_bytes().split(b"\0")
        except (OSError, ValueError):
            continue
        if int(fields[1]) == parent and f"RANK={rank}".encode() in environment:
            return int(folder.name)
    raise AssertionError(f"no worker with rank {rank}")


@pytest.fixture
def machines():
    """Two network namespaces with a cable between them, and the address of the first."""
    names = [f"bertcrf{os.getpid()}{i}" for i in "ab"]
    commands = [
        *(f"ip netns add {name}" for name in names),
        f"ip link add cable0 netns {names[0]} type veth peer name cable1 netns {names[1]}",
        *(f"ip -n {name} addr add 10.77.0.{i + 1}/24 dev cable{i}" for i, name in enumerate(names)),
        *(f"ip -n {name} link set cable{i} up" for i, name in enumerate(names)),
        *(f"ip -n {name} link set lo up" for name in names),
    ]
    try:
        for line in commands:
            try:
                subprocess.run(line.split(), check=True, capture_output=True, text=True)
            except (OSError, subprocess.CalledProcessError) as error:
                reason = getattr(error, "stderr", None) or error
                pytest.skip(f"network namespaces are not allowed here: {line}: {reason}")
        yield names, "10.77.0.1"
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def test_a_machine_that_is_lost_ends_the_training(command, few_imports, machines, tmp_path):
    """Two machines, each with a network of its own; the cable of one is pulled, then no message
    ever says that it is gone."""
    names, address = machines
    ranks = [["ip", "netns", "exec", name, sys.executable, *MODULE] for name in names]
    arguments = [*command(), "--timeout", "10"]
    port = free_port()
    settings = [{**few_imports, **variables(rank, port, address)} for rank in range(2)]
    with (
        started([*ranks[0], *arguments], **settings[0]) as first,
        started([*ranks[1], *arguments], **settings[1]) as second,
    ):
        wait_for_checkpoint(first, tmp_path / "output")
        subprocess.run(f"ip -n {names[1]} link set cable1 down".split(), check=True)
        os.killpg(second.pid, signal.SIGKILL)
        output = output_of(first)
    assert first.returncode == 1
    assert "Rank 1 (process" in output
    assert "does not answer" in output
    assert_is_whole(tmp_path / "output")
