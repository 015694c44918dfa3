"""`python -m spacy bertcrf learning-curve`, with real trainings."""

import json
from pathlib import Path

import pytest
import spacy
from spacy.cli import app
from spacy.tokens import DocBin
from typer.testing import CliRunner

import spacy_bertcrf.cli  # noqa: F401  # registers the command
from spacy_bertcrf.corpora.subsets import shuffled, subset_sizes

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "configs" / "cpu_cnn_crf.cfg"


def run(*args):
    result = CliRunner().invoke(app, ["bertcrf", "learning-curve", *map(str, args)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, " ".join(result.output.split())


def corpus(path, n):
    nlp = spacy.blank("zh")
    docs = DocBin()
    for i in range(n):
        doc = nlp.make_doc(f"王{chr(0x4E00 + i)}去了北京。")
        doc.ents = [doc.char_span(0, 2, label="name"), doc.char_span(4, 6, label="address")]
        docs.add(doc)
    docs.to_disk(path)
    return path


@pytest.mark.slow
@pytest.mark.usefixtures("forked_commands")
def test_it_trains_on_parts_and_goes_on_where_it_stopped(tmp_path):
    train, dev = corpus(tmp_path / "train.spacy", 40), corpus(tmp_path / "dev.spacy", 5)
    options = ("--output", tmp_path / "out", "--sizes", "5%,50%", "--paths.train", train,
               "--paths.dev", dev, "--training.max_epochs", 2)  # fmt: skip
    code, output = run(CONFIG, *options)
    assert code == 0, output
    assert "2 documents, seed 0" in output
    assert "takes 3 --sizes" in output
    parts = {}
    for n in (2, 20):
        part = DocBin().from_disk(tmp_path / "out" / f"{n}-0" / "train.spacy")
        parts[n] = {doc.text for doc in part.get_docs(spacy.blank("zh").vocab)}
        assert len(parts[n]) == n
    assert parts[2] < parts[20]
    scores = tmp_path / "out" / "2-0" / "scores.json"
    before = scores.stat().st_mtime_ns
    assert run(CONFIG, *options)[0] == 0
    assert scores.stat().st_mtime_ns == before, "what was trained is trained again"
    assert "ents_f" in json.loads(scores.read_text(encoding="utf8"))["scores"]
    code, output = run(CONFIG, *options, "--training.dropout", 0.3)
    assert code == 1
    assert "is of another override. Name" in output
    corpus(dev, 6)
    code, output = run(CONFIG, *options)
    assert code == 1, "scores of another corpus are told"
    assert "is of another dev corpus. Name" in output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--sizes", "half"), "'half' is no size"),
        (("--sizes", "500"), "500 are 500 documents, and the corpus has 4"),
        (("--paths.train", "nothing.spacy"), "needs one .spacy file"),
    ],
)
def test_bad_input_is_an_error(tmp_path, options, message):
    paths = ("--paths.train", corpus(tmp_path / "train.spacy", 4), "--paths.dev", "dev.spacy")
    code, output = run(CONFIG, "--output", tmp_path / "out", *paths, *options)
    assert code == 1
    assert message in output


def test_sizes_are_shares_or_numbers():
    assert subset_sizes(["100%", "10%", "30", "30"], 200) == [20, 30, 200]
    assert shuffled(range(9), 1)[:5] == shuffled(range(9), 1)[:7][:5]
