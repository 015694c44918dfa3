"""`python -m spacy bertcrf confusion`, from a trained pipeline to a figure."""

import pytest
import spacy
from spacy.cli import app
from spacy.tokens import DocBin
from spacy.training import Example
from typer.testing import CliRunner

import spacy_bertcrf.cli  # noqa: F401  # registers the command

TEXTS = [
    ("天气很好", "天气"),
    ("今天天气不好", "天气"),
    ("他去了上海", "地点"),
    ("广州很大", "地点"),
]


@pytest.fixture
def model(tmp_path):
    nlp = spacy.blank("zh")
    config = {"model": {"@architectures": "spacy.TextCatBOW.v3", "exclusive_classes": True,
                        "length": 512, "ngram_size": 1, "no_output_layer": False}}  # fmt: skip
    nlp.add_pipe("textcat", config=config)
    batch = []
    for text, own in TEXTS:
        cats = {label: float(label == own) for label in ("天气", "地点")}
        batch.append(Example.from_dict(nlp.make_doc(text), {"cats": cats}))
    optimizer = nlp.initialize(lambda: batch)
    for _ in range(20):
        nlp.update(batch, sgd=optimizer)
    nlp.to_disk(tmp_path / "model")
    DocBin(docs=[example.reference for example in batch]).to_disk(tmp_path / "dev.spacy")
    return tmp_path / "model"


def run(*args):
    result = CliRunner().invoke(app, ["bertcrf", "confusion", *map(str, args)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, " ".join(result.output.split())


@pytest.mark.slow
def test_a_figure_is_written_and_the_scores_printed(model):
    """Also of a classifier that is not ours."""
    figure = model.with_name("confusion.svg")
    code, output = run(model, model.with_name("dev.spacy"), figure)
    assert code == 0, output
    assert "Accuracy 100.00%, macro F1 100.00%" in output
    assert "天气" in figure.read_text(encoding="utf8")


@pytest.mark.parametrize(
    ("data", "figure", "options", "message"),
    [
        ("dev.spacy", "x.jpg", (), "A plot is written as"),
        ("model", "x.svg", (), "is no .spacy file"),
        ("dev.spacy", "x.svg", ("--component", "tagger"), "no component 'tagger'"),
    ],
)
def test_what_cannot_be_drawn_is_refused(model, data, figure, options, message):
    code, output = run(model, model.with_name(data), model.with_name(figure), *options)
    assert code == 1
    assert message in output
    assert not model.with_name("x.svg").exists()
