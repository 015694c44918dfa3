"""`python -m spacy bertcrf plot`, from the log of a training to a figure."""

from pathlib import Path

import pytest
from spacy.cli import app
from typer.testing import CliRunner

import spacy_bertcrf.cli  # noqa: F401  # registers the command
from spacy_bertcrf.cli.plot import named
from spacy_bertcrf.evaluation import figure_file
from spacy_bertcrf.training.logs.jsonl_logger import JsonLines
from spacy_bertcrf.training.logs.log_records import write_records


@pytest.fixture
def log(make_nlp, make_examples, tmp_path):
    """A log, written as in a training of two steps."""
    nlp = make_nlp()
    optimizer = nlp.initialize(lambda: make_examples(nlp))
    writer = JsonLines(tmp_path / "log.jsonl", "x")
    writer.write({"run": {}})
    log_step, finalize = write_records(nlp, writer, log_every=1, dev_loss=True)
    for step in range(2):
        losses = nlp.update(make_examples(nlp), sgd=optimizer, losses={})
        scores = nlp.evaluate(make_examples(nlp))
        log_step(
            {"step": step, "epoch": 0, "losses": losses, "score": step, "other_scores": scores}
        )
    finalize()
    return tmp_path / "log.jsonl"


@pytest.fixture
def plot():
    def run(*args):
        result = CliRunner().invoke(app, ["bertcrf", "plot", *map(str, args)])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code, " ".join(result.output.split())

    return run


@pytest.mark.slow
def test_a_log_becomes_a_figure(plot, log, tmp_path):
    """The user gets what was logged, in each format, and is told the best step."""
    for name, start in (("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF")):
        exit_code, output = plot(log, tmp_path / name, "--by-label")
        assert exit_code == 0, output
        assert (tmp_path / name).read_bytes().startswith(start)
        assert "log: best at step 1 of 1" in output
    assert b"organization" in (tmp_path / "a.svg").read_bytes()


@pytest.mark.slow
def test_several_logs_are_named_by_what_differs(plot, log, tmp_path):
    """Ten trainings have ten logs of the same name in ten folders."""
    (tmp_path / "fgm").mkdir()
    (tmp_path / "fgm" / "log.jsonl").write_bytes(log.read_bytes())
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "log.jsonl").write_bytes(log.read_bytes())
    logs = [tmp_path / name / "log.jsonl" for name in ("fgm", "base")]
    exit_code, output = plot(*logs, tmp_path / "both.svg")
    assert exit_code == 0, output
    assert b">fgm, development<" in (tmp_path / "both.svg").read_bytes()
    assert list(named([Path("a.jsonl"), Path("b.jsonl")])) == ["a", "b"]
    assert list(named([Path("x/a/log.jsonl"), Path("x/a/b/log.jsonl")])) == ["a", "a/b"]
    assert list(named([Path("run/log.jsonl")])) == ["log"]
    with pytest.raises(ValueError, match="given twice"):
        named([Path("a.jsonl"), Path("./a.jsonl")])


@pytest.mark.slow
def test_what_cannot_be_done_is_said_and_nothing_is_written(plot, log, tmp_path):
    """A traceback hides what to mend, and a figure of half a log would be believed."""
    bad = tmp_path / "bad.jsonl"
    bad.write_text(log.read_text() + "oops\n")
    before = set(tmp_path.iterdir())
    for args, message in (
        ((log, tmp_path / "a.gif"), "written as .svg, .png or .pdf"),
        ((tmp_path / "none.jsonl", tmp_path / "a.png"), "There is no log"),
        ((bad, tmp_path / "a.png"), "bad.jsonl, line 4: not JSON"),
        ((log, tmp_path / "a.png", "--component", "ner"), "no losses of 'ner'; it has: bertcrf"),
        ((log, bad, tmp_path / "a.png", "--by-label"), "line 4"),
    ):
        exit_code, output = plot(*args)
        assert exit_code == 1
        assert message.replace(" ", "") in output.replace(" ", "")
        assert set(tmp_path.iterdir()) == before


def test_the_format_is_checked_first(plot, tmp_path):
    """The user need not mend a log for a figure that could not be written anyway."""
    _, output = plot(tmp_path / "none.jsonl", tmp_path / "a.gif")
    assert "written as .svg" in output
    assert "no log" not in output


@pytest.mark.slow
def test_characters_without_a_font_are_said(plot, log, tmp_path, monkeypatch):
    """The user sees boxes, and how to be rid of them."""
    monkeypatch.setattr(figure_file, "_without_glyph", lambda path, characters: {"地"})
    exit_code, output = plot(log, tmp_path / "a.png")
    assert exit_code == 0
    assert "the characters 地" in output
    assert "fonts-noto-cjk" in output
    _, output = plot(log, tmp_path / "a.svg")
    assert "installed font" not in output
