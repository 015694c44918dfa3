"""`bertcrf distill` as a process that is killed, and goes on."""

import os
import re
import signal
import sqlite3
import sys
import time
from contextlib import closing
from itertools import chain
from pathlib import Path

import pytest
import spacy
from spacy.tokens import DocBin

ROOT = Path(__file__).parents[2]
RAW = ["上海的王芳去了广州", "韩梅梅喜欢广州大学", "李雷在北京大学读书", "张伟喜欢王芳"]
# Longer than what the teacher reads at once, so that it is asked several times.
LONG = [f"{place}的李雷在北京大学读书。" * 130 for place in ("上海", "广州", "北京")]

SMALL = {
    "components.bertcrf.model.tok2vec.width": 16,
    "components.bertcrf.model.tok2vec.depth": 1,
    "components.bertcrf.model.encoder.hidden_width": 8,
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows kills otherwise"),
]


@pytest.fixture(scope="module")
def start(start_command, make_nlp, make_examples, train_corpus, tmp_path_factory):
    """Start a distillation in a folder, in a new process."""
    given = tmp_path_factory.mktemp("given")
    teacher = make_nlp("cpu_cnn_crf", **SMALL)  # what it believes does not matter
    teacher.initialize(lambda: make_examples(teacher))
    teacher.to_disk(given / "teacher")
    docs = list(DocBin().from_disk(train_corpus).get_docs(spacy.blank("zh").vocab))
    DocBin(docs=docs[:1]).to_disk(given / "dev.spacy")
    DocBin(docs=docs[1:]).to_disk(given / "train.spacy")
    (given / "raw.txt").write_text("\n".join(RAW + LONG), encoding="utf-8")

    def start(folder, **settings):
        return start_command(
            "bertcrf", "distill", given / "teacher",
            "--texts", given / "raw.txt",
            "--student", ROOT / "configs" / "cpu_cnn_crf.cfg",
            "--train", given / "train.spacy",
            "--dev", given / "dev.spacy",
            "--output", folder / "out",
            "--no-baseline",
            "--training.max_epochs", 15,
            *chain.from_iterable((f"--{key}", value) for key, value in SMALL.items()),
            printed=folder / "printed.txt",
            environment={"OMP_NUM_THREADS": "1"},
            **settings,
        )  # fmt: skip

    return start


@pytest.fixture(scope="module")
def unharmed(start, tmp_path_factory):
    """The folder of a distillation that nobody has killed."""
    folder = tmp_path_factory.mktemp("unharmed")
    process = start(folder)
    process.join()
    assert process.exitcode == 0, printed(folder)
    return folder


def printed(folder):
    path = folder / "printed.txt"
    return re.sub(r"\s+", " ", path.read_text()) if path.exists() else ""


def kept(folder):
    """What is kept of the teacher, by text."""
    path = folder / "out" / "beliefs.sqlite"
    if not path.exists():
        return {}
    with closing(sqlite3.connect(path, timeout=60)) as database:
        tables = database.execute("SELECT name FROM sqlite_master").fetchall()
        return dict(database.execute("SELECT key, belief FROM beliefs")) if tables else {}


def weights(folder):
    return [
        (folder / "out" / "student" / name / "bertcrf" / "model").read_bytes()
        for name in ("model-best", "model-last")
    ]


def kill_when(process, folder, is_time):
    while not is_time():
        assert process.is_alive(), printed(folder)
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.join()


def test_kills_change_nothing_and_no_text_is_read_twice(start, unharmed, tmp_path):
    """An hour of a large teacher must not be lost, nor what was learned from it."""
    kill_when(start(tmp_path), tmp_path, lambda: kept(tmp_path))
    early = kept(tmp_path)
    expected = kept(unharmed)
    assert 0 < len(early) < len(expected)
    in_training = tmp_path / "out" / "student" / "model-last"
    process = start(tmp_path)
    kill_when(process, tmp_path, in_training.exists)
    asked = re.findall(r"([\d,]+) of ([\d,]+) texts are still to be read", printed(tmp_path))
    assert asked[1:] == [(str(len(expected) - len(early)), str(len(expected)))]
    all_kept = kept(tmp_path)
    assert {key: all_kept[key] for key in early} == early
    process = start(tmp_path)
    process.join()
    assert process.exitcode == 0, printed(tmp_path)
    assert "Resumed from" in printed(tmp_path)
    assert f"0 of {len(expected)} texts are still to be read" in printed(tmp_path)
    assert kept(tmp_path) == all_kept
    assert weights(tmp_path) == weights(unharmed)
