"""spaCy's own commands that know nothing of us, each run once on a small trained pipeline.

In this process, through spaCy's command line as it is parsed for a user.
"""

import json
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import spacy
import srsly
from spacy.cli import app
from spacy.language import Language
from spacy.tokens import DocBin
from typer.testing import CliRunner

ROOT = Path(__file__).parents[2]
TEXT = "王小明在北京大学工作。"


def run(*args: object) -> str:
    result = CliRunner().invoke(app, [str(arg) for arg in args])
    assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"
    return result.output


@pytest.fixture(scope="module")
def folder(trained, make_nlp, train_corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a pipeline that knows the texts by heart as model, and them as train.spacy."""
    folder = tmp_path_factory.mktemp("commands")
    nlp: Language = make_nlp(**{"components.bertcrf.threshold": 0.5}).from_bytes(trained.to_bytes())
    nlp.to_disk(folder / "model")
    docs = list(DocBin().from_disk(train_corpus).get_docs(nlp.vocab))
    for i, doc in enumerate(docs):
        doc.cats = {"a": float(i % 2), "b": float(1 - i % 2)}
    DocBin(docs=docs).to_disk(folder / "train.spacy")
    srsly.write_jsonl(folder / "texts.jsonl", [{"text": doc.text} for doc in docs])
    return folder


@pytest.fixture(autouse=True)
def in_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def config(name: str, tiny_bert: Path | None = None) -> list[object]:
    options: list[object] = [
        ROOT / "configs" / f"{name}.cfg",
        "--paths.train",
        "train.spacy",
        "--paths.dev",
        "train.spacy",
    ]
    if tiny_bert is not None:
        options += ["--paths.transformer", tiny_bert]
    return options


def test_analyze_pipes_knows_what_is_assigned(folder: Path) -> None:
    """Else a user could not see which components want entities that come later."""
    nlp = spacy.load(folder / "model")
    nlp.add_pipe("entity_linker", first=True)
    analysis = nlp.analyze_pipes()
    assert "doc.ents" in analysis["summary"]["bertcrf"]["assigns"]
    assert "ents_f" in analysis["summary"]["bertcrf"]["scores"]
    assert "doc.ents" in analysis["problems"]["entity_linker"]
    nlp.remove_pipe("entity_linker")
    nlp.add_pipe("entity_linker")
    assert "doc.ents" not in nlp.analyze_pipes()["problems"]["entity_linker"]


def test_info(folder: Path) -> None:
    """Else it could not be seen what a pipeline is."""
    assert "bertcrf" in run("info", "model", "--exclude", "")
    assert "organization" in run("info", "model", "--exclude", "vectors", "--markdown")


def names_of_entry_points() -> list[tuple[str, str]]:
    return [
        (group.partition("_")[2], point.name)
        for group in ("spacy_architectures", "spacy_misc", "spacy_scorers", "spacy_callbacks")
        for point in entry_points(group=group)
        if point.name.startswith("spacy-bertcrf.")
    ]


@pytest.mark.slow
def test_find_function() -> None:
    """Else a user of a config could not find what a name in it stands for."""
    names = names_of_entry_points()
    assert len(names) > 10
    for registry, name in names:
        output = run("find-function", name, "--registry", registry)
        assert "spacy_bertcrf" in output.replace("\n", "")
    assert "crf_tagger.py" in run("find-function", "spacy-bertcrf.CRFTagger.v1").replace("\n", "")


@pytest.mark.slow
def test_assemble(folder: Path) -> None:
    """Else a pipeline could not be put together from trained components."""
    (folder / "assembled.cfg").write_text(
        '[paths]\nmodel = "model"\n\n[nlp]\nlang = "zh"\npipeline = ["sentencizer", "bertcrf"]\n\n'
        "[components]\n\n"
        '[components.sentencizer]\nfactory = "sentencizer"\n\n'
        "[components.bertcrf]\nsource = ${paths.model}\n",
        encoding="utf-8",
    )
    run("assemble", "assembled.cfg", "assembled")
    nlp = spacy.load(folder / "assembled")
    assert nlp.pipe_names == ["sentencizer", "bertcrf"]
    assert [ent.text for ent in nlp(TEXT).ents] == ["王小明", "北京大学"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cpu_cnn_crf", "bert_ner_classifier"])
def test_init_labels_and_their_use(name: str, folder: Path, tiny_bert: Path) -> None:
    """Else large corpora would be read whole before each training."""
    bert = None if name == "cpu_cnn_crf" else tiny_bert
    options = [] if bert is None else ["--variables.width", 32]
    run(
        "init", "labels", config(name, bert)[0], f"labels-{name}", *config(name, bert)[1:], *options
    )
    labels = json.loads((folder / f"labels-{name}" / "bertcrf.json").read_text(encoding="utf-8"))
    assert labels == ["address", "name", "organization"]


@pytest.mark.slow
def test_vectors_are_used(folder: Path) -> None:
    """Else static vectors, made by `init vectors`, would be read and not learned from."""
    lines = [f"{char} {' '.join([str(i % 7 / 7)] * 16)}" for i, char in enumerate(TEXT)]
    (folder / "vectors.txt").write_text(f"{len(lines)} 16\n" + "\n".join(lines), encoding="utf-8")
    run("init", "vectors", "zh", "vectors.txt", "vectors")
    path, *options = config("cpu_cnn_crf")
    run("train", path, *options, "--output", "with-vectors", "--initialize.vectors", "vectors",
        "--components.bertcrf.model.tok2vec.pretrained_vectors", "true",
        "--training.max_epochs", 0, "--training.max_steps", 2)  # fmt: skip
    nlp = spacy.load(folder / "with-vectors" / "model-last")
    assert nlp.vocab.vectors.shape[1] == 16
    assert any(node.name == "static_vectors" for node in nlp.get_pipe("bertcrf").model.walk())
    assert nlp(TEXT).has_annotation("ENT_IOB")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cpu_cnn_crf", "bert_bilstm_crf", "shared_transformer"])
def test_debug_model(name: str, tiny_bert: Path) -> None:
    """Else the shapes of a model could not be looked at."""
    path, *options = config(name, None if name == "cpu_cnn_crf" else tiny_bert)
    output = run("debug", "model", path, "bertcrf", *options, "-P0", "-P1", "-P2", "-P3", "-DIM")
    assert "crf_tagger" in output


@pytest.mark.slow
def test_debug_profile() -> None:
    """Else it could not be seen where the time goes."""
    assert "entity_recognizer" in run("debug", "profile", "model", "texts.jsonl", "--n-texts", 3)


@pytest.mark.slow
def test_benchmark_accuracy_and_evaluate() -> None:
    """Else a pipeline could not be scored, as a whole or by component."""
    run("benchmark", "accuracy", "model", "train.spacy", "--output", "accuracy.json")
    assert json.loads(Path("accuracy.json").read_text(encoding="utf-8"))["ents_f"] == 1.0
    run("evaluate", "model", "train.spacy", "--output", "metrics.json", "--per-component")
    metrics = json.loads(Path("metrics.json").read_text(encoding="utf-8"))
    assert metrics["bertcrf"]["ents_f"] == 1.0


@pytest.mark.slow
def test_benchmark_speed() -> None:
    """Else two pipelines could not be compared."""
    output = run("benchmark", "speed", "model", "train.spacy", "--warmup", 0, "--batches", 30,
                 "--batch-size", 2)  # fmt: skip
    assert "words/s" in output


@pytest.mark.slow
def test_find_threshold() -> None:
    """Else the threshold would have to be found by hand."""
    output = run("find-threshold", "model", "train.spacy", "bertcrf", "threshold", "ents_f",
                 "--n_trials", 3)  # fmt: skip
    assert "Best threshold" in output


@pytest.mark.slow
@pytest.mark.parametrize("n_process", [1, 2])
def test_apply(n_process: int) -> None:
    """Else a corpus could not be annotated by one command."""
    run("apply", "model", "texts.jsonl", f"applied-{n_process}", "--n-process", n_process)
    docs = list(DocBin().from_disk(f"applied-{n_process}.spacy").get_docs(spacy.blank("zh").vocab))
    assert [ent.text for ent in docs[0].ents] == ["王小明", "北京大学"]
