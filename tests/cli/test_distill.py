"""`bertcrf distill`, as a user runs it: what comes out, and what is not done twice."""

import json
from pathlib import Path

import pytest
import spacy
from spacy.cli import app
from spacy.tokens import Span
from spacy.training import Example
from typer.testing import CliRunner

import spacy_bertcrf.cli  # noqa: F401  # registers the command
from spacy_bertcrf.cli.distill import _judged

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow
RAW = [
    "李雷在北京",
    "上海的王芳去了广州",
    "王小明在北京大学工作。",
    "李雷在北京",
    "韩梅梅喜欢广州大学",
]

CODE = """
import spacy
from spacy.training.loggers import console_logger

@spacy.registry.loggers("of_this_test.v1")
def make(progress_bar):
    return console_logger()
"""


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


def test_other_lines_in_the_same_file_want_another_folder(distilled):
    folder, _, arguments = distilled
    raw, kept = folder / "raw.txt", folder / "out" / "texts.spacy"
    before = kept.read_bytes()
    raw.write_text("\n".join(RAW[:2]), encoding="utf-8")
    try:
        assert "other texts" in " ".join(run(arguments, code=1).split())
    finally:
        raw.write_text("\n".join(RAW), encoding="utf-8")
    assert kept.read_bytes() == before
    assert [path.name for path in kept.parent.glob("texts*.spacy")] == [kept.name]


def test_files_that_a_shell_has_found_are_no_teachers(distilled):
    folder, _, arguments = distilled
    more = [*arguments[:5], str(folder / "raw.txt"), *arguments[5:]]
    assert "quote it" in " ".join(run(more, code=1).split())


def test_a_teacher_may_have_another_recogniser(distilled, tmp_path):
    """Else its score would be missed when all trainings are done."""
    folder, *_ = distilled
    nlp = spacy.load(folder / "teacher")
    other = spacy.blank("zh")
    other.vocab.strings.add("place")
    cnn = {"@architectures": "spacy.HashEmbedCNN.v2", "pretrained_vectors": None, "width": 16}
    cnn |= {"depth": 1, "embed_size": 100, "window_size": 1, "maxout_pieces": 2}
    model = {
        "@architectures": "spacy-bertcrf.SpanTagger.v1",
        "freeze_tok2vec": False,
        "tok2vec": {**cnn, "subword_features": True},
        "encoder": {"@layers": "spacy-bertcrf.Identity.v1"},
        "head": {"@layers": "spacy-bertcrf.GlobalPointer.v1", "width": 16},
    }
    doc = nlp.make_doc(RAW[0])
    doc.spans["sc"] = [Span(doc, 3, 5, "place")]
    pipe = nlp.add_pipe("bertcrf_spans", config={"model": model})
    pipe.initialize(lambda: [Example(nlp.make_doc(RAW[0]), doc)], nlp=nlp)
    nlp.to_disk(tmp_path)
    f, _ = _judged(str(tmp_path), folder / "dev.spacy")
    assert f == _judged(str(folder / "teacher"), folder / "dev.spacy")[0] > 0


def test_registered_functions_are_imported_for_the_trainings_too(distilled, tmp_path):
    *_, arguments = distilled
    code = tmp_path / "code.py"
    code.write_text(CODE, encoding="utf8")
    arguments = [*arguments, "--no-baseline", "--training.logger.@loggers", "of_this_test.v1"]
    arguments += ["--output", str(tmp_path / "out"), "--code", str(code)]
    arguments += ["--training.max_epochs", "1"]
    assert "student" in run(arguments).partition("What it was worth")[2]


def test_what_it_is_made_by_is_remembered_whole(distilled):
    folder, *_ = distilled
    made_by = json.loads((folder / "out" / "distill.json").read_text(encoding="utf8"))
    assert made_by["config"]["training"]["max_epochs"] == 3
