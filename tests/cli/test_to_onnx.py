"""`python -m spacy bertcrf to-onnx`, from a trained pipeline to one without torch."""

import pytest
import spacy
from spacy.cli import app
from typer.testing import CliRunner

import spacy_bertcrf.cli  # noqa: F401  # registers the command

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
TEXT = "王小明在北京大学工作。"


@pytest.fixture
def run():
    def run(*args):
        result = CliRunner().invoke(app, ["bertcrf", "to-onnx", *map(str, args)])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code, " ".join(result.output.split())

    return run


@pytest.fixture
def pipeline(trained_as, tmp_path):
    trained_as("bert_crf").to_disk(tmp_path / "trained")
    return tmp_path / "trained"


def test_the_folder_is_a_pipeline(run, pipeline, tmp_path):
    """The user has what `spacy.load` opens, and what is there is not written over."""
    code, said = run(pipeline, tmp_path / "out")
    assert code == 0, said
    assert "Wrote a pipeline with bertcrf on onnxruntime to" in said
    found, expected = (spacy.load(folder)(TEXT) for folder in (tmp_path / "out", pipeline))
    assert [(e.text, e.label_) for e in found.ents] == [(e.text, e.label_) for e in expected.ents]
    assert spacy.load(tmp_path / "out").get_pipe_meta("bertcrf").factory == "bertcrf_onnx"
    code, said = run(pipeline, tmp_path / "out")
    assert code == 1
    assert "out is not empty" in said
    assert run(pipeline, tmp_path / "out", "--force")[0] == 0


def test_what_is_exported_is_not_written_over(run, pipeline, tmp_path):
    """It is the only one that can still learn. Nor is a file a folder."""
    code, said = run(pipeline, pipeline, "--force")
    assert code == 1
    assert "Name another folder" in said
    assert spacy.load(pipeline).get_pipe_meta("bertcrf").factory == "bertcrf"
    (tmp_path / "file").write_text("mine")
    code, said = run(pipeline, tmp_path / "file", "--force")
    assert code == 1
    assert "is a file" in said


@pytest.mark.slow
def test_in_8_bits_it_is_smaller(run, pipeline, tmp_path):
    """Half of the reason to have it."""
    for name, options in (("plain", []), ("int8", ["--int8"])):
        code, said = run(pipeline, tmp_path / name, *options)
        assert code == 0, said
    plain, int8 = (tmp_path / name / "bertcrf" / "encoder.onnx" for name in ("plain", "int8"))
    assert int8.stat().st_size < 0.6 * plain.stat().st_size  # the tiny BERT is little but nodes
    found, expected = (spacy.load(tmp_path / name)(TEXT) for name in ("int8", "plain"))
    assert [(e.text, e.label_) for e in found.ents] == [(e.text, e.label_) for e in expected.ents]


def test_what_cannot_be_exported_is_told(run, trained, tmp_path):
    """Else a folder would be there that looks like a pipeline."""
    trained.to_disk(tmp_path / "trained")
    code, said = run(tmp_path / "trained", tmp_path / "out")
    assert code == 1
    assert "No pipeline was written" in said
    assert "its token vectors are made by" in said
    assert not (tmp_path / "out").exists()
    assert "Can't find model" in run(tmp_path / "nothing", tmp_path / "out")[1]
