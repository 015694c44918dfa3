"""`python -m spacy bertcrf select`."""

import json

import pytest
import srsly
from spacy.cli import app
from typer.testing import CliRunner

from spacy_bertcrf.cli.select import RANKINGS
from spacy_bertcrf.teaching import ranking

KNOWN, NEW = "王小明在北京大学工作。", "赵敏从南开大学到深圳去,郑州李四光也在。"


@pytest.fixture(scope="module")
def pipeline(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("select") / "model"
    trained.to_disk(folder)
    return folder


def select(*arguments):
    return CliRunner().invoke(app, ["bertcrf", "select", *map(str, arguments)])


def test_the_texts_come_out_most_instructive_first(pipeline, tmp_path):
    raw = tmp_path / "raw.jsonl"
    lines = [{"text": KNOWN, "id": 7, "source": "a"}, {"text": NEW, "source": "b"}]
    srsly.write_jsonl(raw, [*lines, {"text": KNOWN}, {"text": "  "}])
    raw.write_text(raw.read_text("utf8") + '{"text": 3}\n', encoding="utf8")
    out = tmp_path / "new" / "out.jsonl"
    result = select(pipeline, raw, out, "--keep", "source")
    assert result.exit_code == 0, result.output
    first, second = srsly.read_jsonl(out)
    assert (first["text"], second["text"]) == (NEW, KNOWN)
    assert (first["source"], second["id"]) == ("b", "7")
    assert first["entropy"] > second["entropy"] >= 0
    assert "entities" not in first, "what nobody has looked at is no annotation"
    for told in ("1 blank", "1 that were there already", "cannot be read", "raw.jsonl:5"):
        assert told in result.output


def test_what_was_written_is_no_input_of_its_folder(pipeline, tmp_path):
    """A second time, texts that are no more in the raw files would still come."""
    raw, out = tmp_path / "raw.txt", tmp_path / "a.jsonl"
    for text in (KNOWN, NEW):
        raw.write_text(f"{text}\n", encoding="utf8")
        assert select(pipeline, tmp_path, out).exit_code == 0
    assert [line["text"] for line in srsly.read_jsonl(out)] == [NEW]


def test_what_is_annotated_is_not_asked_for_again(pipeline, tmp_path):
    raw, done, out = (tmp_path / name for name in ("raw.txt", "done.jsonl", "out.jsonl"))
    raw.write_text(f"{KNOWN}\n{NEW}\n", encoding="utf8")
    srsly.write_jsonl(done, [{"text": NEW}])
    result = select(pipeline, raw, out, "--exclude", done, "--n", 5)
    assert result.exit_code == 0, result.output
    assert [json.loads(line)["text"] for line in out.read_text("utf8").splitlines()] == [KNOWN]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["raw.txt"], "Give the files"),
        (["raw.txt", "raw.txt"], "written over"),
        (["empty.txt", "out.jsonl"], "no text to choose from"),
        (["none.jsonl", "out.jsonl"], "no such file"),
    ],
)
def test_what_cannot_be_done_is_said(pipeline, tmp_path, monkeypatch, arguments, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw.txt").write_text(KNOWN, encoding="utf8")
    (tmp_path / "empty.txt").write_text(" \n", encoding="utf8")
    result = select(pipeline, *arguments)
    assert result.exit_code == 1
    assert told in result.output
    assert (tmp_path / "raw.txt").read_text("utf8") == KNOWN
    assert not (tmp_path / "out.jsonl").exists()


def test_the_command_offers_every_ranking():
    assert set(RANKINGS) == ranking.RANKINGS.keys()
