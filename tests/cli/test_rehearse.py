"""`bertcrf train --rehearse`: new labels are learned, and what was known before stays."""

import shutil
from pathlib import Path

import pytest
import spacy
import srsly
from spacy.cli import app
from spacy.tokens import DocBin
from typer.testing import CliRunner

import spacy_bertcrf.cli  # noqa: F401  # registers the command
from spacy_bertcrf.corpora.annotated_labels import mark_annotated

ROOT = Path(__file__).parents[2]
RAW = ["王小明在北京", "上海的王芳去了广州", "李雷喜欢北京大学", "张伟在广州大学读书"]


def run(*arguments):
    result = CliRunner().invoke(app, ["bertcrf", "train", *map(str, arguments)])
    return result.exit_code, " ".join(result.output.split())


@pytest.fixture(scope="module")
def corpora(trained, tmp_path_factory):
    """A folder with a pipeline, raw texts, and examples annotated for a new label alone."""
    folder = tmp_path_factory.mktemp("rehearse")
    trained.to_disk(folder / "old")
    shutil.copytree(folder / "old", folder / "out" / "model-best")
    (folder / "raw.txt").write_text("\n".join(RAW), encoding="utf-8")
    docs = DocBin(store_user_data=True)
    for text in ("李雷喜欢上海", "王芳喜欢北京", "她喜欢张伟"):
        doc = trained.make_doc(text)
        start = text.index("喜欢")
        doc.ents = [doc.char_span(start, start + 2, label="verb")]
        mark_annotated(doc, ["verb"])
        docs.add(doc)
    docs.to_disk(folder / "new.spacy")
    return folder


@pytest.mark.slow
def test_new_labels_are_learned_beside_the_old(corpora, trained, tmp_path):
    arguments = [
        ROOT / "configs" / "cpu_cnn_crf.cfg",
        *("--rehearse", corpora / "old", "--raw", corpora / "raw.txt"),
        *("--paths.train", corpora / "new.spacy", "--paths.dev", corpora / "new.spacy"),
        *("--output", tmp_path, "--training.max_epochs", 12),
        *("--training.optimizer.learn_rate.initial_rate", 0.005),
    ]
    code, output = run(*arguments)
    assert code == 0, output
    assert "4 raw texts" in output
    assert "is new" not in output
    nlp = spacy.load(tmp_path / "model-last")
    assert set(nlp.get_pipe("bertcrf").labels) == {*trained.get_pipe("bertcrf").labels, "verb"}
    for text in RAW:
        old = {(e.start, e.end, e.label_) for e in trained(text).ents}
        found = {(e.start, e.end, e.label_) for e in nlp(text).ents}
        assert {span for span in found if span[2] != "verb"} == old
    assert [(e.text, e.label_) for e in nlp(RAW[2]).ents if e.label_ == "verb"] == [
        ("喜欢", "verb")
    ]
    config = (tmp_path / "model-last" / "config.cfg").read_text(encoding="utf8")
    assert not any(name in config for name in ("Distillation", "begin_with", "with_texts"))
    code, output = run(*arguments, "--resume")
    assert code == 0
    assert "nothing to resume" in output


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--rehearse", "old"], "need one another"),
        (["--rehearse", "old", "--raw", "raw.txt"], "needs an --output"),
        (
            ["--rehearse", "out/model-best", "--raw", "raw.txt", "--output", "./out"],
            "would be written over",
        ),
        (["--rehearse", "nowhere", "--raw", "raw.txt", "--output", "out"], "no pipeline"),
    ],
)
def test_what_is_missing_is_said(corpora, options, problem, monkeypatch):
    monkeypatch.chdir(corpora)
    code, output = run(ROOT / "configs" / "cpu_cnn_crf.cfg", *options)
    assert code == 1
    assert problem in output


@pytest.mark.slow
def test_a_training_goes_on_with_its_own_teacher_alone(corpora, trained, tmp_path):
    """Else half of it would have kept what one model knew, and half what another."""
    old = tmp_path / "old"
    trained.to_disk(old)
    arguments = [
        ROOT / "configs" / "cpu_cnn_crf.cfg",
        *("--rehearse", old, "--raw", corpora / "raw.txt"),
        *("--paths.train", corpora / "new.spacy", "--paths.dev", corpora / "new.spacy"),
        *("--output", tmp_path / "out", "--checkpoint-frequency", 1, "--training.max_epochs", 3),
    ]
    code, output = run(*arguments)
    assert code == 0, output
    *_, finished = sorted(
        (tmp_path / "out" / "checkpoints").iterdir(), key=lambda path: int(path.name[5:])
    )
    shutil.rmtree(finished)
    meta = srsly.read_json(old / "meta.json")
    srsly.write_json(old / "meta.json", {**meta, "version": "0.0.2"})
    code, output = run(*arguments, "--resume")
    assert code == 1
    assert "The training cannot be resumed" in output
    assert "what initialize.before_init.path names has other content" in output
    assert "--overwrite" in output
