"""`python -m spacy bertcrf annotate`, from files to files."""

import json
import signal
import subprocess
import sys
from contextlib import suppress

import pytest
from spacy.cli import app
from typer.testing import CliRunner

import spacy_bertcrf.cli  # noqa: F401  # registers the command
from spacy_bertcrf.annotation.engine_local import annotate_here


@pytest.fixture
def model(trained, tmp_path):
    trained.to_disk(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def annotate():
    def run(*args):
        result = CliRunner().invoke(app, ["bertcrf", "annotate", *map(str, args)])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code, " ".join(result.output.split())

    return run


def rows(folder):
    return [
        json.loads(line) for path in sorted((folder / "parts").iterdir()) for line in path.open()
    ]


def test_texts_get_their_entities(model, annotate, tmp_path):
    (tmp_path / "titles.csv").write_text("key,title,when\na,王小明在北京大学工作。,1999\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "titles.jsonl").write_text('{"key": "b", "title": "李雷", "when": 2}')
    inputs = model, tmp_path / "titles.csv", tmp_path / "more"
    code, output = annotate(
        *inputs, tmp_path / "out", "--text-field", "title", "--id-field", "key", "--keep", "when",
        "--save-texts",
    )  # fmt: skip
    assert code == 0, output
    assert "2 texts in 2 files" in output
    first, second = rows(tmp_path / "out")
    assert list(first) == ["id", "text", "when", "entities"]
    assert [first["id"], first["when"], second["when"]] == ["a", "1999", 2]
    assert (first["entities"][0]["text"], first["entities"][0]["label"]) == ("王小明", "name")
    assert 0.5 < first["entities"][0]["score"] <= 1
    assert "is complete: 2 texts" in output


def test_parquet(model, annotate, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    (tmp_path / "a.txt").write_text("王小明在北京大学工作。\n李雷\n")
    code, output = annotate(
        model, tmp_path / "a.txt", tmp_path / "out", "--format", "parquet", "--shard-size", 1
    )
    assert code == 0, output
    found = parquet.read_table(tmp_path / "out" / "parts")
    assert found.column_names == ["id", "entities", "spans", "cats"]
    assert found.column("id").to_pylist() == [f"{tmp_path}/a.txt:{i}" for i in (1, 2)]
    assert found.column("entities").to_pylist()[0][0]["label"] == "name"


def test_failures_are_told(model, annotate, tmp_path):
    """An archive that is complete but for some texts must not look as if it were whole."""
    (tmp_path / "a.jsonl").write_text('{"text": "李雷"}\n{"text": 3}\n')
    code, output = annotate(model, tmp_path / "a.jsonl", tmp_path / "out")
    assert code == 0
    assert "1 of them could not be annotated" in output
    assert "errors.jsonl" in output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["model", "a.txt"], "at last the folder"),
        (["model", "missing.txt", "out"], "no such file"),
        (["model", "a.txt", "out", "--keep", "text"], "--save-texts"),
        (["model", "a.txt", "out", "--delimiter", "::"], "one character"),
        (["nothing", "a.txt", "out"], "There is no pipeline nothing"),
        (["model", "a.txt", "a.txt"], "is a file"),
    ],
)
def test_mistakes_are_told(args, expected, model, annotate, tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("李雷\n")
    monkeypatch.chdir(tmp_path)
    code, output = annotate(*args)
    assert code == 1
    assert expected in output


def test_between_pipes(model, tmp_path):
    result = CliRunner().invoke(
        app,
        ["bertcrf", "annotate", str(model), "-", "--stdin", "text"],
        input="王小明在北京大学工作。\n李雷\n",
    )
    assert result.exit_code == 0, result.output
    first, _ = map(json.loads, result.stdout.splitlines())
    assert (first["id"], first["entities"][0]["text"]) == ("-:1", "王小明")


def test_between_pipes_an_error_is_no_result(tmp_path):
    """Who reads the results would take it for one."""
    result = CliRunner().invoke(app, ["bertcrf", "annotate", str(tmp_path), "-"], input="{}\n")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "The annotation has ended early" in result.stderr


@pytest.mark.slow
def test_who_reads_may_stop_it(model):
    """`annotate … - | head` would be a failure to the shell."""
    command = [sys.executable, "-m", "spacy_bertcrf.cli", "annotate", str(model), "-"]
    pipes = dict.fromkeys(("stdin", "stdout"), subprocess.PIPE)
    with subprocess.Popen([*command, "--stdin", "text"], **pipes) as process:
        process.stdout.close()
        with suppress(BrokenPipeError):
            process.stdin.write("王小明在北京大学工作。\n".encode() * 5000)
            process.stdin.close()
        assert process.wait() == 0


@pytest.mark.slow
def test_between_pipes_it_can_be_interrupted(model):
    """While it waits for a line: what it says is no result, and Python does not abort."""
    command = [sys.executable, "-m", "spacy_bertcrf.cli", "annotate", str(model), "-"]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    # What a shell starts in the background is deaf to Ctrl-C, and so is all that it starts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen([*command, "--stdin", "text"], **pipes) as process:
        signal.signal(signal.SIGINT, before)
        process.stdin.write("\ufeff王小明在北京大学工作。\n".encode())
        process.stdin.flush()
        entities = json.loads(process.stdout.readline())["entities"]
        assert (entities[0]["start"], entities[0]["text"]) == (0, "王小明")
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(60) == 130
        finally:
            process.kill()
        assert process.stdout.read() == b""
        said = process.stderr.read().decode()
    assert said.strip().endswith("The annotation was stopped")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "address"),
    [(["--ray"], ""), (["--ray", "--nproc", "2"], ""), (["--ray", "auto"], "auto")],
)
def test_ray_may_find_its_address_itself(options, address, model, annotate, tmp_path, monkeypatch):
    """From a laptop to a cluster by the address alone, and on a laptop without one."""
    given = []

    def annotate_on_ray(job, shards, address, *bounds):
        given.append(address)
        return annotate_here(job, shards)

    monkeypatch.setattr("spacy_bertcrf.annotation.engine_ray.annotate_on_ray", annotate_on_ray)
    (tmp_path / "a.txt").write_text("李雷\n")
    code, output = annotate(model, tmp_path / "a.txt", tmp_path / "out", *options)
    assert code == 0, output
    assert given == [address]
