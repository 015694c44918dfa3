"""`bertcrf distill`, as a user runs it: what comes out, and what is not done twice."""

import json
from pathlib import Path

import pytest
import spacy
from spacy.cli import app
from typer.testing import CliRunner

import spacy_bertcrf.cli  # noqa: F401  # registers the command

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow
RAW = [
    "李雷在北京",
    "上海的王芳去了广州",
    "王小明在北京大学工作。",
    "李雷在北京",
    "韩梅梅喜欢广州大学",
]


@pytest.fixture(scope="module")
def distilled(trained, train_corpus, tmp_path_factory):
    """The folder, what was printed, and the arguments."""
    folder = tmp_path_factory.mktemp("distilled")
    trained.to_disk(folder / "teacher")
    nlp = spacy.blank("zh")
    train = spacy.tokens.DocBin().from_disk(train_corpus)
    docs = list(train.get_docs(nlp.vocab))
    spacy.tokens.DocBin(docs=docs[:1]).to_disk(folder / "dev.spacy")
    spacy.tokens.DocBin(docs=docs[1:]).to_disk(folder / "train.spacy")
    (folder / "raw.txt").write_text("\n".join(RAW), encoding="utf-8")
    arguments = [
        "bertcrf",
        "distill",
        str(folder / "teacher"),
        *("--texts", str(folder / "raw.txt")),
        *("--student", str(ROOT / "configs" / "cpu_cnn_crf.cfg")),
        *("--train", str(folder / "train.spacy")),
        *("--dev", str(folder / "dev.spacy")),
        *("--output", str(folder / "out")),
        *("--training.max_epochs", "3"),
    ]
    return folder, run(arguments), arguments


def run(arguments, code=0):
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, result.output
    return result.output


def test_it_compares_all_three(distilled):
    _, output, _ = distilled
    table = output.partition("What it was worth")[2]
    rows = {line.split()[0]: line.split()[-2:] for line in table.splitlines() if "%" in line}
    teacher, *others = rows
    assert teacher.endswith("teacher")
    assert others == ["student", "undistilled"]
    assert all(float(speed.replace(",", "")) > 0 for _, speed in rows.values())


def test_what_is_judged_by_is_not_learned_from(distilled):
    folder, output, _ = distilled
    assert "3 raw texts; left out: 1 that are in dev, 0 that are in train, 1 repeated" in " ".join(
        output.split()
    )
    texts = spacy.tokens.DocBin().from_disk(folder / "out" / "texts.spacy")
    assert RAW[2] not in [doc.text for doc in texts.get_docs(spacy.blank("zh").vocab)]


def test_the_student_knows_nothing_of_its_teacher(distilled):
    """Else a later training of it would look for a folder that is not there."""
    folder, *_ = distilled
    config = (folder / "out" / "student" / "model-best" / "config.cfg").read_text(encoding="utf8")
    assert "Distillation" not in config
    assert "texts.spacy" not in config
    assert spacy.load(folder / "out" / "student" / "model-best").pipe_names == ["bertcrf"]


def test_the_same_command_does_nothing_twice(distilled):
    folder, _, arguments = distilled
    kept = (folder / "out" / "beliefs.sqlite").read_bytes()
    output = run([*arguments, "--no-baseline"])
    assert "0 of 8 texts are still to be read" in output
    assert (folder / "out" / "beliefs.sqlite").read_bytes() == kept
    assert "undistilled" not in output.partition("What it was worth")[2]


def test_another_setting_wants_another_folder(distilled):
    *_, arguments = distilled
    assert "Take a new --output" in run([*arguments, "--weight", "2"], code=1)


def test_what_it_is_made_by_is_remembered_whole(distilled):
    folder, *_ = distilled
    made_by = json.loads((folder / "out" / "distill.json").read_text(encoding="utf8"))
    assert made_by["config"]["training"]["max_epochs"] == 3
