"""`bertcrf review` and `apply-review`: from a corpus to suggestions, and decisions back into it."""

import json
from pathlib import Path

import pytest
import spacy
from spacy.cli import app
from spacy.tokens import DocBin
from typer.testing import CliRunner

import spacy_bertcrf.cli  # noqa: F401  # registers the commands
from spacy_bertcrf.cli import separate_training

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "configs" / "cpu_cnn_crf.cfg"
WRONG = ("王小明在北京大学工作。", [(0, 3, "address"), (4, 8, "organization")])
GOLD = [
    WRONG,
    ("李雷和韩梅梅去了上海。", [(0, 2, "name"), (3, 6, "name"), (8, 10, "address")]),
    ("北京的张伟喜欢Windows10。", [(0, 2, "address"), (3, 5, "name")]),
]


def write(path, gold, **more):
    nlp = spacy.blank("zh")
    docs = DocBin(store_user_data=True)
    for text, ents in gold:
        doc = nlp.make_doc(text)
        doc.user_data["key"] = text[:2]
        if ents is not None:
            doc.ents = [doc.char_span(start, end, label=label) for start, end, label in ents]
        docs.add(doc)
    path.parent.mkdir(parents=True, exist_ok=True)
    docs.to_disk(path)
    return path


@pytest.fixture(scope="module")
def model(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pipeline") / "model"
    trained.to_disk(folder)
    return folder


def run(command, *args):
    result = CliRunner().invoke(app, ["bertcrf", command, *map(str, args)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


def entities(path):
    docs = DocBin().from_disk(path).get_docs(spacy.blank("zh").vocab)
    return [[(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents] for doc in docs]


@pytest.mark.slow
def test_neither_empty_texts_nor_line_separators_shift_a_decision(model, tmp_path):
    """JSON may hold U+2028 as it is, and spaCy's reader of corpora passes over empty documents."""
    text, _ = WRONG
    corpus = write(tmp_path / "corpus.spacy", [("", []), (f"\u2028{text}", []), *GOLD, ("", [])])
    out, mended = tmp_path / "out", tmp_path / "mended.spacy"
    assert run("review", corpus, out, "--pipelines", model)[0] == 0
    suggestions = out / "suggestions.jsonl"
    lines = [json.loads(line) for line in suggestions.read_text().split("\n") if line]
    assert {line["document"] for line in lines} == {2, 3}
    for line in lines:
        line["decision"] = "accept"
    content = [json.dumps(line, ensure_ascii=False) + "\n" for line in lines]
    suggestions.write_text("".join(content), encoding="utf8")
    code, output = run("apply-review", corpus, suggestions, mended)
    assert code == 0, output
    right = [(0, 3, "name"), (4, 8, "organization")]
    shifted = [(start + 1, end + 1, label) for start, end, label in right]
    others = [ents for _, ents in GOLD[1:]]
    assert entities(mended) == [[], shifted, right, *others, []]


@pytest.mark.slow
def test_a_wrong_annotation_is_found_mended_and_nothing_else_has_changed(model, tmp_path):
    corpus, out = write(tmp_path / "corpus.spacy", GOLD), tmp_path / "out"
    code, output = run("review", corpus, out, "--pipelines", model)
    assert code == 0, output
    lines = (out / "suggestions.jsonl").read_text("utf8").splitlines()
    first = json.loads(lines[0])
    assert (first["document"], first["doubt"]) == (1, "wrong label")
    assert first["gold"] == [{"start": 0, "end": 3, "label": "address", "text": "王小明"}]
    assert first["suggested"] == [{"start": 0, "end": 3, "label": "name", "text": "王小明"}]
    page = (out / "review.html").read_text("utf8")
    assert "王小明" in page
    tasks = json.loads((out / "label-studio.json").read_text("utf8"))
    labels = [region["value"]["labels"] for region in tasks[0]["predictions"][0]["result"]]
    assert labels == [["name"], ["organization"]]
    task = json.loads((out / "prodigy.jsonl").read_text("utf8").splitlines()[0])
    assert (task["text"], task["meta"]["id"]) == (GOLD[0][0], 1)

    first["decision"] = "accept"
    decisions = tmp_path / "decisions.jsonl"
    decisions.write_text("\n".join([json.dumps(first), *lines[1:]]), encoding="utf8")
    code, output = run("apply-review", corpus, decisions, tmp_path / "mended.spacy")
    assert code == 0, output
    assert "accepted: 1" in output
    mended = entities(tmp_path / "mended.spacy")
    assert mended == [[(0, 3, "name"), (4, 8, "organization")], *(ents for _, ents in GOLD[1:])]
    docs = DocBin().from_disk(tmp_path / "mended.spacy").get_docs(spacy.blank("zh").vocab)
    assert [doc.user_data["key"] for doc in docs] == [text[:2] for text, _ in GOLD]

    run("review", corpus, tmp_path / "again", "--pipelines", model)
    for file in ("review.html", "suggestions.jsonl", "prodigy.jsonl", "label-studio.json"):
        assert (tmp_path / "again" / file).read_bytes() == (out / file).read_bytes(), file


@pytest.mark.slow
def test_each_pipeline_reads_its_own_fold(model, tmp_path):
    """And documents are counted through the folds, as apply-review counts them."""
    folds = tmp_path / "folds"
    for i, part in ((1, GOLD[1:]), (2, [WRONG])):
        write(folds / f"fold-{i}" / "dev.spacy", part)
    code, output = run("review", folds, tmp_path / "out", "--pipelines", model, model)
    assert code == 0, output
    first = json.loads((tmp_path / "out" / "suggestions.jsonl").read_text("utf8").splitlines()[0])
    assert (first["document"], first["text"]) == (3, WRONG[0])
    decisions = tmp_path / "decisions.jsonl"
    decisions.write_text(json.dumps({**first, "decision": "accept"}), encoding="utf8")
    code, output = run("apply-review", folds, decisions, tmp_path / "mended.spacy")
    assert code == 0, output
    assert entities(tmp_path / "mended.spacy")[2] == [(0, 3, "name"), (4, 8, "organization")]
    code, output = run("review", folds, tmp_path / "out", "--pipelines", model, model, model)
    assert code == 1
    assert "There is no" in output
    assert "3 pipelines are for a folder of 3 folds" in output


@pytest.mark.slow
def test_a_pipeline_is_trained_for_each_fold_and_only_once(tmp_path, few_imports, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", few_imports["PYTHONPATH"])
    gold = [
        (f"王{chr(0x4E00 + i)}去了北京。", [(0, 2, "name"), (4, 6, "address")]) for i in range(9)
    ]
    gold.append(gold[0])
    corpus, out = write(tmp_path / "corpus.spacy", gold), tmp_path / "out"
    options = (corpus, out, "--config", CONFIG, "--folds", 2, "--training.max_epochs", 2)
    code, output = run("review", *options)
    assert code == 0, output
    parts = [DocBin().from_disk(out / f"fold-{i}" / "part.spacy") for i in (1, 2)]
    texts = [{d.text for d in part.get_docs(spacy.blank("zh").vocab)} for part in parts]
    assert texts[0].isdisjoint(texts[1]), "a text that is there twice is learned and judged"
    assert sum(map(len, parts)) == len(gold)
    for i, left_out in enumerate(texts, start=1):
        train = DocBin().from_disk(out / f"fold-{i}" / "train.spacy")
        learned = {doc.text for doc in train.get_docs(spacy.blank("zh").vocab)}
        assert learned == set().union(*texts) - left_out
    weights = out / "fold-1" / "model-last" / "bertcrf" / "model"
    before = weights.stat().st_mtime_ns
    assert run("review", *options)[0] == 0
    assert weights.stat().st_mtime_ns == before, "what was trained is trained again"
    code, output = run("review", *options, "--training.dropout", 0.3)
    assert code == 1
    assert "is of another overrides" in output


def test_a_training_that_fails_names_its_log(tmp_path, monkeypatch):
    corpus = write(tmp_path / "corpus.spacy", GOLD)
    monkeypatch.setattr(separate_training.sys, "executable", "false")
    code, output = run("review", corpus, tmp_path / "out", "--config", CONFIG)
    assert code == 1
    assert "training.log" in output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gold", "options", "message"),
    [
        ([("王小明", None)], (), "is annotated: doc.ents was never set"),
        ([], (), "no document with a token"),
        ([("王小明", [(0, 3, "人")])], (), "knows none of them"),
        (GOLD, ("--component", "ner"), "no component 'ner'"),
        (GOLD, ("--config", CONFIG), "Give either --config"),
        (GOLD, ("--folds", 4, "--nonsense"), "--nonsense is no option here"),
    ],
)
def test_bad_input_is_an_error_and_writes_no_page(model, tmp_path, gold, options, message):
    corpus = write(tmp_path / "bad.spacy", gold)
    code, output = run("review", corpus, tmp_path / "out", "--pipelines", model, *options)
    assert code == 1
    assert message in output
    assert not (tmp_path / "out" / "review.html").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gold", "options", "message"),
    [
        (GOLD, (), "Give either --config"),
        ([("天气很好", [])], ("--config", CONFIG), "has no entity: nothing can be learned"),
        (GOLD, ("--config", "none.cfg"), "There is no config none.cfg"),
        (GOLD, ("--config", CONFIG, "--folds", 7), "cannot be dealt out to 7 folds"),
    ],
)
def test_what_cannot_be_trained_is_an_error(tmp_path, gold, options, message):
    corpus = write(tmp_path / "bad.spacy", gold)
    code, output = run("review", corpus, tmp_path / "out", *options)
    assert code == 1
    assert message in output


@pytest.mark.slow
def test_a_corpus_without_entities_has_missing_ones(model, tmp_path):
    corpus = write(tmp_path / "empty.spacy", [(WRONG[0], [])])
    code, output = run("review", corpus, tmp_path / "out", "--pipelines", model)
    assert code == 0, output
    assert "all that is suggested are missing ones" in output
    lines = (tmp_path / "out" / "suggestions.jsonl").read_text("utf8").splitlines()
    assert {json.loads(line)["doubt"] for line in lines} == {"missing"}


def test_a_decision_that_does_not_fit_writes_nothing(tmp_path):
    corpus, decisions = write(tmp_path / "corpus.spacy", GOLD), tmp_path / "decisions.jsonl"
    decisions.write_text('{"document": 9, "decision": "keep"}\n', encoding="utf8")
    code, output = run("apply-review", corpus, decisions, tmp_path / "out.spacy")
    assert code == 1
    assert "decisions.jsonl, line 1" in output
    assert not (tmp_path / "out.spacy").exists()
