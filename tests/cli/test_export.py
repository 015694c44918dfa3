"""The command as a user runs it."""

import json

import pytest
import spacy
from spacy.cli import app
from typer.testing import CliRunner

import spacy_bertcrf.cli  # noqa: F401  # registers the command

# What `trained` knows by heart.
TEXTS = [
    ("王小明在北京大学工作。", 2),
    ("李雷和韩梅梅去了上海。", 3),
    ("今天天气很好,适合出门。", 0),
    ("北京的张伟喜欢Windows10。", 2),
]

CORPUS = "王\tB-PER\n明\tI-PER\n在\tO\n北\tB-LOC\n京\tI-LOC\n\n他\tO\n在\tO\n上\tB-LOC\n海\tI-LOC\n"
TEST = [
    {"id": 7, "text": "北京的张伟"},
    {"id": 9, "text": "无"},
    {"id": "x-10", "text": ""},
    {"id": "11", "text": "在上海"},
]


@pytest.fixture
def export(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corpus.txt").write_text(CORPUS, encoding="utf8")
    lines = [json.dumps(value, ensure_ascii=False) + "\n" for value in TEST]
    (tmp_path / "test.json").write_text("".join(lines), encoding="utf8")

    def run(*arguments):
        result = CliRunner().invoke(app, ["bertcrf", "export", *map(str, arguments)])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return run


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    nlp = spacy.blank("zh")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "address", "pattern": place} for place in ("北京", "上海")])
    folder = tmp_path_factory.mktemp("pipeline") / "model"
    nlp.to_disk(folder)
    return folder


def test_a_pipelines_answers_to_every_line_of_a_test_file(export, tmp_path, pipeline):
    """Else the leaderboard refuses the file, for one line is missing or has another id."""
    result = export(pipeline, "test.json", "out.json", "--format", "cluener")
    assert result.exit_code == 0, result.output
    lines = (tmp_path / "out.json").read_text(encoding="utf8").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"id": 7, "label": {"address": {"北京": [[0, 1]]}}},
        {"id": 9, "label": {}},
        {"id": "x-10", "label": {}},
        {"id": "11", "label": {"address": {"上海": [[1, 2]]}}},
    ]
    assert "No problems" in result.output


def test_given_tokens_stay_where_a_pipeline_annotates_columns(export, tmp_path, pipeline):
    """Else a column file comes back with other lines than it had."""
    result = export(pipeline, "corpus.txt", "out.txt", "--format", "columns", "--scheme", "BIOES")
    assert result.exit_code == 0, result.output
    tokens = [line.split("\t")[0] for line in CORPUS.splitlines()]
    written = (tmp_path / "out.txt").read_text(encoding="utf8").splitlines()
    assert [line.split("\t")[0] for line in written][: len(tokens)] == tokens
    assert "北\tB-address" in written
    assert "京\tE-address" in written


@pytest.mark.slow
def test_a_corpus_goes_from_one_format_to_another_and_back(export, tmp_path):
    """Else a user cannot mend a corpus in a tool and train on it again."""
    for name in ("doccano", "label-studio", "prodigy", "cluener", "json-spans", "brat"):
        assert export("corpus.txt", f"{name}.json", "--format", name).exit_code == 0
        back = export(f"{name}.json", "back.txt", "--format", "columns", "--lang", "zh")
        assert back.exit_code == 0, back.output
        assert (tmp_path / "back.txt").read_text(encoding="utf8").strip() == CORPUS.strip()


@pytest.mark.slow
def test_a_trained_pipelines_probabilities_are_written(export, tmp_path, trained):
    """Else an annotator cannot begin with what the pipeline is least sure of."""
    trained.to_disk(tmp_path / "model")
    texts = [{"id": 3, "text": text} for text, _ in TEXTS] + [{"id": 4, "text": ""}]
    lines = "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in texts)
    (tmp_path / "texts.jsonl").write_text(lines, encoding="utf8")
    result = export("model", "texts.jsonl", "tasks.json", "--format", "label-studio")
    assert result.exit_code == 0, result.output
    assert "No problems" in result.output
    tasks = json.loads((tmp_path / "tasks.json").read_text(encoding="utf8"))
    export("model", "texts.jsonl", "out.jsonl", "--format", "json-spans")
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf8").splitlines()
    written = [json.loads(line) for line in lines]
    assert [line["text"] for line in written] == [value["text"] for value in texts]
    assert sum(len(line["entities"]) for line in written) > len(TEXTS)
    nlp = spacy.load(tmp_path / "model", config={"components.bertcrf.spans_key": "scored"})
    for task, line in zip(tasks, written, strict=True):
        doc = nlp(line["text"])
        scores = pytest.approx(doc.spans["scored"].attrs["scores"], abs=1e-4)
        (prediction,) = task["predictions"]
        assert "annotations" not in task
        assert [region["score"] for region in prediction["result"]] == scores
        assert [entity["score"] for entity in line["entities"]] == scores
        found = [(e["start"], e["end"], e["label"]) for e in line["entities"]]
        assert found == [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents]
        if doc.ents:
            scores = doc.spans["scored"].attrs["scores"]
            assert prediction["score"] == pytest.approx(sum(scores) / len(scores), abs=1e-3)


def test_what_the_corpus_leaves_open_can_be_said(export, tmp_path):
    """Else an error names an option that the command does not have."""
    row = json.dumps({"tokens": ["Anna", "met"], "ner_tags": [1, 0]})
    (tmp_path / "rows.json").write_text(row)
    asked = export("rows.json", "out.jsonl", "--format", "json-spans", "--lang", "en")
    assert asked.exit_code == 1
    assert "--labels" in asked.output
    given = ("--format", "json-spans", "--lang", "en", "--labels", "O,B-PER")
    assert export("rows.json", "out.jsonl", *given).exit_code == 0
    written = json.loads((tmp_path / "out.jsonl").read_text())
    assert [entity["text"] for entity in written["entities"]] == ["Anna"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["corpus.txt", "out.x", "--format", "text-label"], "is not written"),
        (["corpus.txt", "out.x", "--format", "none"], "no format"),
        (["out.x", "--format", "doccano"], "Name the corpus"),
        (["corpus.txt", ".", "--format", "doccano"], "is a folder"),
        (["corpus.txt", "out.x", "--format", "columns", "--scheme", "X"], "BIOES"),
        (["corpus.txt", "out.x", "--format", "doccano", "--spans-key", "x", "--from", "y"], "'y'"),
        (["test.json", "out.x", "--format", "columns", "--strict"], "--strict"),
        (["corpus.txt", ".", "--format", "brat"], "Name a new one"),
        (["corpus.txt", "test.json", "--format", "brat"], "Name a new one"),
        (["test.json", "out", "--format", "brat", "--strict", "--lang", "x-none"], "x-none"),
    ],
)
def test_what_cannot_be_exported_is_refused_with_the_mend(export, tmp_path, arguments, message):
    """Else bad input ends in a traceback, or leaves something half written."""
    before = {path.name for path in tmp_path.iterdir()}
    result = export(*arguments)
    assert result.exit_code == 1
    assert message in " ".join(result.output.split())
    assert {path.name for path in tmp_path.iterdir()} == before


def test_a_pipeline_without_texts_is_refused(export, pipeline):
    """Else the folder of the pipeline is searched for annotation."""
    result = export(pipeline, "out.json", "--format", "cluener")
    assert result.exit_code == 1
    assert "Name the corpus or its texts" in " ".join(result.output.split())
