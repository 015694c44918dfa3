"""`python -m spacy bertcrf serve`: what it does not start with."""

import pytest
from typer.testing import CliRunner

from spacy_bertcrf.cli import bertcrf_app

pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")
pytest.importorskip("fastapi", reason="the extra `serve` is not installed")

TEXT = "王小明在北京大学工作。"


@pytest.fixture(scope="module")
def pipeline(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("serve") / "model"
    trained.to_disk(folder)
    return folder


def refused(*arguments):
    result = CliRunner().invoke(bertcrf_app, ["serve", *map(str, arguments)])
    assert result.exit_code
    return " ".join(result.output.split())


@pytest.mark.parametrize("token", ["", " ", "with space", "ключ"])
def test_a_token_that_protects_nothing_is_refused(token):
    """As where a shell's variable is empty; or which no client could send."""
    assert "A token is" in refused("no pipeline", "--host", "0.0.0.0", "--token", token)


def test_other_machines_need_a_token():
    assert "Give a --token" in refused("no pipeline", "--host", "0.0.0.0")


def test_a_port_is_one():
    assert "less than or equal to 65535" in refused("no pipeline", "--port", 65536)


def test_trainings_need_a_folder(pipeline, tmp_path):
    """Here --save has no suffix, so that the default would be the file itself."""
    raw, saved, config = (tmp_path / name for name in ("raw.txt", "saved", "config.cfg"))
    raw.write_text(TEXT, encoding="utf8")
    config.write_text("[paths]\ntrain = null\n", encoding="utf8")
    files = ["--queue", raw, "--save", saved, "--retrain", config]
    assert "--retrain-output" in refused(pipeline, *files)
