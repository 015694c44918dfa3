"""`python -m spacy bertcrf report`, from a trained pipeline to a page."""

import json

import pytest
import spacy
from spacy.cli import app
from spacy.tokens import DocBin
from spacy.training import Example
from typer.testing import CliRunner

import spacy_bertcrf.cli  # noqa: F401  # registers the command

GOLD = [
    ("王小明在北京大学工作。", [(0, 3, "name"), (4, 6, "address")]),
    ("李雷和韩梅梅去了上海。", [(0, 2, "name"), (3, 6, "name"), (8, 10, "address")]),
    ("张伟在广州大学读书,", [(0, 2, "name"), (3, 5, "地点")]),
]


def corpus(path, gold):
    nlp = spacy.blank("zh")
    docs = DocBin()
    for text, ents in gold:
        doc = nlp.make_doc(text)
        if ents is not None:
            doc.ents = [doc.char_span(start, end, label=label) for start, end, label in ents]
        docs.add(doc)
    docs.to_disk(path)
    return path


@pytest.fixture
def test(tmp_path):
    return corpus(tmp_path / "test.spacy", GOLD)


@pytest.fixture
def model(trained, tmp_path):
    trained.to_disk(tmp_path / "model")
    return tmp_path / "model"


def run(*args):
    result = CliRunner().invoke(app, ["bertcrf", "report", *map(str, args)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, " ".join(result.output.split())


@pytest.mark.slow
def test_the_scores_are_spacys_and_the_probabilities_the_models(model, test, tmp_path):
    """What the page says is what `spacy evaluate` and `span_probabilities` say."""
    page, tables = tmp_path / "report.html", tmp_path / "report.json"
    exit_code, output = run(model, test, page, "--json", tables)
    assert exit_code == 0, output
    assert "Only gold entities have the labels 地点" in output
    nlp = spacy.load(model)
    docs = DocBin().from_disk(test).get_docs(nlp.vocab)
    scores = nlp.evaluate([Example(nlp.make_doc(doc.text), doc) for doc in docs])
    content = json.loads(tables.read_text(encoding="utf8"))
    for name, of_spacy in (("precision", "ents_p"), ("recall", "ents_r"), ("f1", "ents_f")):
        assert content["scores"][0][name]["value"] == pytest.approx(scores[of_spacy], abs=1e-4)
    html = page.read_text(encoding="utf8")
    bins = content["calibration"]["bins"]
    assert sum(row["entities"] for row in bins) == content["scores"][0]["predicted"]
    assert "Best readings" in html
    run(model, test, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text(encoding="utf8") == html


@pytest.mark.slow
def test_a_pipeline_without_probabilities_has_a_page(model, test, tmp_path):
    """Of spaCy's `ner`, or rules: errors in the order of the corpus."""
    nlp = spacy.blank("zh")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "address", "pattern": [{"ORTH": "北"}, {"ORTH": "京"}]}])
    nlp.to_disk(tmp_path / "rules")
    page = tmp_path / "report.html"
    code, output = run(tmp_path / "rules", test, page, "--against", model, "--train", test)
    assert code == 0, output
    html = page.read_text(encoding="utf8")
    assert "Reliability" not in html
    assert "Against model" in html
    assert "seen with this label" in html


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gold", "options", "message"),
    [
        ([("王小明", None)], (), "No document of the corpus is annotated"),
        ([], (), "no document with a token"),
        (GOLD, ("--component", "ner"), "no component 'ner'"),
        (GOLD, ("--train", "nothing.spacy"), "nothing.spacy is no .spacy file"),
    ],
)
def test_bad_input_is_an_error_and_writes_nothing(model, tmp_path, gold, options, message):
    page = tmp_path / "report.html"
    code, output = run(model, corpus(tmp_path / "bad.spacy", gold), page, *options)
    assert code == 1
    assert message in output
    assert not page.exists()


@pytest.mark.parametrize(
    "options", [("none/report.html",), ("report.html", "--json", "none/a.json")]
)
def test_the_place_is_looked_at_first(tmp_path, options):
    """Else an hour of explanations is lost at its end."""
    paths = [part if part.startswith("--") else tmp_path / part for part in options]
    code, output = run(tmp_path / "no pipeline", tmp_path / "no.spacy", *paths)
    assert code == 1
    assert "name a file in a folder that exists" in output


def test_the_page_has_to_be_html(model, test, tmp_path):
    code, output = run(model, test, tmp_path / "report.pdf")
    assert code == 1
    assert "is written as .html" in output


def test_a_corpus_without_entities_has_a_page(model, tmp_path):
    page = tmp_path / "report.html"
    code, output = run(model, corpus(tmp_path / "empty.spacy", [("天气很好", [])]), page)
    assert code == 0, output
    assert "R is not known" in output
    assert page.exists()


@pytest.mark.slow
def test_errors_are_explained(model, test, tmp_path):
    """With what is like them in training, as many as are asked for, and the same each time."""
    page, other = tmp_path / "report.html", tmp_path / "other.html"
    trained_on = [("上海大学的王芳来自广州。", [(0, 4, "organization"), (5, 7, "name")])]
    train = corpus(tmp_path / "train.spacy", trained_on)
    args = ("--train", train, "--explain", "--explain-language", "zh")
    exit_code, output = run(model, test, page, *args)
    assert exit_code == 0, output
    html = page.read_text(encoding="utf8")
    assert html.count('<details class="why">') > 1
    assert "的概率为" in html
    assert "训练语料中最接近的是" in html
    assert run(model, test, other, *args)[0] == 0
    assert other.read_text(encoding="utf8") == html
    assert run(model, test, other, "--explain", "--explain-limit", "1")[0] == 0
    assert other.read_text(encoding="utf8").count('<details class="why">') == 1


def test_what_cannot_be_explained_is_said(model, test, tmp_path):
    page = tmp_path / "report.html"
    spacy.blank("zh").to_disk(tmp_path / "empty")
    exit_code, output = run(tmp_path / "empty", test, page, "--explain")
    assert exit_code == 1
    assert "--explain asks a bertcrf or a bertcrf_spans" in output
    exit_code, output = run(model, test, page, "--explain", "--explain-language", "fr")
    assert exit_code == 1
    assert "en or zh, not in fr" in output
    assert not page.exists()
