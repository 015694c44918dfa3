"""`python -m spacy bertcrf calibrate`, from a trained pipeline to a calibrated one."""

import re

import pytest
import spacy
from spacy.cli import app
from spacy.language import Language
from spacy.tokens import DocBin
from spacy.training import Corpus, Example
from typer.testing import CliRunner

import spacy_bertcrf.cli  # noqa: F401  # registers the command
from spacy_bertcrf.evaluation.calibration import measure_calibration

GOLD = [
    ("王小明在北京大学工作。", [(0, 3, "name"), (4, 6, "address")]),
    ("李雷和韩梅梅去了上海。", [(0, 2, "name"), (3, 6, "name"), (8, 10, "address")]),
    ("张伟在广州大学读书,", [(0, 2, "name"), (3, 5, "address")]),
]


@pytest.fixture
def data(tmp_path):
    """Documents of which the pipeline that `trained` is has another opinion, and is sure of it."""
    nlp = spacy.blank("zh")
    docs = DocBin()
    for text, ents in GOLD:
        doc = nlp.make_doc(text)
        doc.ents = [doc.char_span(start, end, label=label) for start, end, label in ents]
        docs.add(doc)
    docs.to_disk(tmp_path / "dev.spacy")
    return tmp_path / "dev.spacy"


@pytest.fixture
def model(trained, tmp_path):
    trained.to_disk(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def calibrate():
    def run(*args):
        result = CliRunner().invoke(app, ["bertcrf", "calibrate", *map(str, args)])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code, " ".join(result.output.split())

    return run


def error_of(nlp, data):
    nlp.get_pipe("bertcrf").spans_key = "sure"
    examples = [Example(nlp(eg.text), eg.reference) for eg in Corpus(data)(nlp)]
    return measure_calibration(examples, "sure").error


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_writes_the_pipeline_with_the_temperature_that_fits(calibrate, model, data, tmp_path):
    """The user gets what `fit_temperature` gives, and nothing else is changed."""
    exit_code, output = calibrate(model, data, tmp_path / "new" / "calibrated")
    assert exit_code == 0, output
    old, new = spacy.load(model), spacy.load(tmp_path / "new" / "calibrated")
    assert new.config == old.config
    assert new.get_pipe("bertcrf").spans_key is None
    for text, _ in GOLD:
        assert [ent.label_ for ent in new(text).ents] == [ent.label_ for ent in old(text).ents]
    old_error = error_of(old, data)
    assert f"error before, temperature 1: {old_error:.2%} " in output
    fitted = old.get_pipe("bertcrf").fit_temperature(Corpus(data)(old))
    # srsly reads some numbers from JSON a last bit off.
    assert new.get_pipe("bertcrf").temperature == pytest.approx(fitted, rel=1e-12)
    assert fitted > 1.5
    assert f"error after, temperature {fitted:.4g}: {error_of(new, data):.2%} " in output
    # Of the 7 entities 5 are right, and in 15 bins hardly two are together.
    assert error_of(new, data) > old_error
    assert "fit no better than before" in output
    assert "0.933 to 1.000 7 100.0% 71.4%" in output
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["calibrated"]


@pytest.mark.slow
def test_a_shared_transformer_is_run_first(trained_as, calibrate, data, tmp_path):
    """The component would have no token vectors without the components before it."""
    trained_as("shared_transformer").to_disk(tmp_path / "model")
    exit_code, output = calibrate(tmp_path / "model", data, tmp_path / "out")
    assert exit_code == 0, output
    assert spacy.load(tmp_path / "out").get_pipe("bertcrf").temperature > 1


@pytest.mark.slow
def test_scores_of_dropped_entities_count(calibrate, model, data, tmp_path):
    """With a threshold, only entities above it would be looked at, before and after others."""
    nlp = spacy.load(model, config={"components.bertcrf.threshold": 1.0})
    nlp.to_disk(tmp_path / "strict")
    exit_code, output = calibrate(tmp_path / "strict", data, tmp_path / "out", "--bins", 1)
    assert exit_code == 0, output
    assert re.search(r"0\.000 to 1\.000 7 100\.0% 71\.4% 7 ", output)
    assert "fit no better" not in output
    assert spacy.load(tmp_path / "out").get_pipe("bertcrf").threshold == 1.0


@pytest.mark.slow
def test_a_pipeline_may_take_its_own_place(calibrate, model, data):
    """Calibrating needs no second copy of a large pipeline."""
    files = set(contents(model))
    for old_temperature in (1, r"\d+\.\d+"):
        exit_code, output = calibrate(model, data, model)
        assert exit_code == 0, output
        assert re.search(f"error before, temperature {old_temperature}: ", output)
        assert set(contents(model)) == files
    assert spacy.load(model).get_pipe("bertcrf").temperature > 1
    assert sorted(path.name for path in model.parent.iterdir()) == ["dev.spacy", "model"]


@pytest.mark.slow
def test_other_folders_are_left_alone(calibrate, model, data, tmp_path):
    """A mistyped OUTPUT must not cost the user what is there."""
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "final.tex").write_text("…", encoding="utf-8")
    (model / "README.md").write_text("mine", encoding="utf-8")
    for folder, file in (("thesis", "final.tex"), ("model", "README.md")):
        before = contents(tmp_path)
        exit_code, output = calibrate(model, data, tmp_path / folder)
        assert exit_code == 1
        assert file in output
        assert contents(tmp_path) == before
    exit_code, output = calibrate(model, data, data)
    assert exit_code == 1
    assert "is a file" in output


@pytest.mark.slow
def test_a_failed_write_leaves_what_was_there(calibrate, model, data, tmp_path, monkeypatch):
    """A full disk must not cost the user the pipeline that was in the folder."""
    before = contents(tmp_path)

    def half_written(self, path):
        path.mkdir()
        (path / "meta.json").write_text("{", encoding="utf-8")
        raise OSError("No space left on device")

    monkeypatch.setattr(Language, "to_disk", half_written)
    for output_path in (model, tmp_path / "out"):
        exit_code, output = calibrate(model, data, output_path)
        assert exit_code == 1
        assert "No space left" in output
        assert contents(tmp_path) == before
        assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_plot_is_drawn(calibrate, model, data, tmp_path):
    """The user who asked for it would look for it in vain."""
    exit_code, output = calibrate(model, data, tmp_path / "out", "--plot", tmp_path / "plot.svg")
    assert exit_code == 0, output
    svg = (tmp_path / "plot.svg").read_text(encoding="utf-8")
    assert ">before, temperature 1<" in svg


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--component", "ner"], "no component 'ner' that is enabled, only: bertcrf"),
        (["--plot", "plot.gif"], "written as .svg, .png or .pdf, not as plot.gif"),
    ],
)
def test_what_cannot_be_done_is_said(arguments, message, calibrate, model, data, tmp_path):
    """A traceback hides what to mend, and exit code 0 would let a script go on."""
    exit_code, output = calibrate(model, data, tmp_path / "out", *arguments)
    assert exit_code == 1
    assert message in output
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_data_that_cannot_be_read_is_said(calibrate, model, tmp_path):
    """Same: the message names the file."""
    (tmp_path / "bad.spacy").write_bytes(b"no DocBin")
    for name, message in (("none.spacy", "is no .spacy file"), ("bad.spacy", "not a DocBin")):
        exit_code, output = calibrate(model, tmp_path / name, tmp_path / "out")
        assert exit_code == 1
        assert name in output
        assert message in output


def test_another_component_is_refused(calibrate, data, tmp_path):
    """Only the CRF has a temperature."""
    nlp = spacy.blank("zh")
    nlp.add_pipe("entity_ruler", name="bertcrf")
    nlp.to_disk(tmp_path / "ruler")
    exit_code, output = calibrate(tmp_path / "ruler", data, tmp_path / "out")
    assert exit_code == 1
    assert "'bertcrf' is no bertcrf" in output
