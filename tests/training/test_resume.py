"""A training that goes on from a checkpoint ends as if it had never stopped."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import catalogue
import pytest
import spacy
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as spacy_train
from spacy.util import load_config
from thinc.api import Optimizer

from spacy_bertcrf.models.resumable import NotResumableError, setting_up
from spacy_bertcrf.training.checkpoints.checkpoints import Checkpoints
from spacy_bertcrf.training.checkpoints.training_state import TrainingState
from spacy_bertcrf.training.logs import log_records
from spacy_bertcrf.training.loop import train

ROOT = Path(__file__).parents[2]
TRAINING: dict[str, Any] = {
    "max_epochs": 0,
    "max_steps": 8,
    "eval_frequency": 3,
    "dropout": 0.3,
    "accumulate_gradient": 2,
    "batcher": {"@batchers": "spacy.batch_by_sequence.v1", "size": 3, "get_length": None},
}
TIMES = ("seconds", "words_per_second")


def schedule(name: str, **settings: Any) -> dict[str, Any]:
    return {"@schedules": name, **settings}


def misc(name: str, **settings: Any) -> dict[str, Any]:
    return {"@misc": f"spacy-bertcrf.{name}.v1", **settings}


def adamw(**settings: Any) -> dict[str, Any]:
    rate = schedule("spacy-bertcrf.warmup_decay.v1", initial_rate=0.01, decay="cosine")
    return {"@optimizers": "spacy-bertcrf.AdamW.v1", "learn_rate": rate, **settings}


def thinc(name: str, **settings: Any) -> dict[str, Any]:
    rate = schedule("warmup_linear.v1", warmup_steps=3, total_steps=12, initial_rate=0.01)
    return {"@optimizers": f"{name}.v1", "learn_rate": rate, **settings}


COMPOUNDING = schedule("compounding.v1", start=1, stop=4, compound=1.2)
LINEAR = schedule("warmup_linear.v1", warmup_steps=2, total_steps=11, initial_rate=0.6)
GROUPS = {
    "crf": {"pattern": "crf.*", "learn_rate_scale": 10.0},
    "tagger": {"pattern": "sequence_tagger.*", "learn_rate": LINEAR},
}
VARIANTS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "EMA, groups": (
        "cpu_cnn_crf",
        {"optimizer": adamw(averages=misc("EMA", decay=0.8), groups=GROUPS)},
        {},
    ),
    "SWA from a share on": (
        "cpu_cnn_crf",
        {"optimizer": adamw(averages=misc("SWA", start=0.3)), "max_epochs": 6, "max_steps": 0},
        {},
    ),
    "thinc's Adam": ("cpu_cnn_crf", {"optimizer": thinc("Adam", use_averages=True)}, {}),
    "RAdam": ("cpu_cnn_crf", {"optimizer": thinc("RAdam")}, {}),
    "batches that grow": (
        "cpu_cnn_crf",
        {"batcher": {"@batchers": "spacy.batch_by_sequence.v1", "size": COMPOUNDING}},
        {},
    ),
    "batches by pieces": (
        "bert_tcn_crf",
        {
            "batcher": {
                "@batchers": "spacy-bertcrf.batch_by_pieces.v1",
                "size": 40,
                "tokenizer": "${paths.transformer}",
                "buffer": 4,
            }
        },
        {},
    ),
    "a corpus that is streamed": ("cpu_cnn_crf", {"max_epochs": -1}, {}),
    "an augmenter": (
        "cpu_cnn_crf",
        {},
        {
            "corpora.train.augmenter": {
                "@augmenters": "spacy-bertcrf.entity_replacement.v1",
                "level": 0.7,
                "path": "${paths.train}",
            }
        },
    ),
    "gradual unfreezing": (
        "bert_crf",
        {
            "before_update": {
                "@callbacks": "spacy-bertcrf.gradual_unfreezing.v1",
                "unit": "steps",
                "every": 2,
            }
        },
        {},
    ),
    "a shared transformer": ("shared_transformer", {"optimizer": adamw()}, {}),
    "a context loss": (
        "bert_crf",
        {"optimizer": adamw(averages=misc("EMA"))},
        {"components.bertcrf.strategies": {"context": misc("ContextLoss", weight=LINEAR)}},
    ),
    "learned weights": (
        "cpu_cnn_crf",
        {"optimizer": adamw()},
        {
            "components.bertcrf.strategies": {
                "tokens": misc("TokenCrossEntropy", weight=LINEAR),
                "weights": misc("UncertaintyWeights"),
            }
        },
    ),
    "a share of BERT, while it is chosen": (
        "bert_crf",
        {},
        {"components.bertcrf.strategies": {"child": misc("ChildTuningD", steps=6)}},
    ),
    "a share of BERT, once it is chosen": (
        "bert_crf",
        {},
        {"components.bertcrf.strategies": {"child": misc("ChildTuningD", steps=3)}},
    ),
    "random numbers of torch": (
        "bert_crf",
        {},
        {"components.bertcrf.strategies": {"child": misc("ChildTuningF"), "drop": misc("RDrop")}},
    ),
}
FAST = ("EMA, groups", "a share of BERT, once it is chosen")


@pytest.fixture
def make_config(train_corpus, deep_bert, tmp_path):
    def make(name, training, others):
        config = load_config(ROOT / "configs" / f"{name}.cfg")
        config["paths"].update({"train": str(train_corpus), "dev": str(train_corpus)})
        if name == "cpu_cnn_crf":
            config["components"]["bertcrf"]["model"]["tok2vec"].update(width=16, depth=1)
        else:
            config["paths"]["transformer"] = str(deep_bert)
        if "encoder" in config["components"]["bertcrf"]["model"]:
            encoder = config["components"]["bertcrf"]["model"]["encoder"]
            encoder.update({"hidden_width": 8} if "hidden_width" in encoder else {})
        config["training"].update({**TRAINING, **training})
        log = {"@loggers": "spacy-bertcrf.JSONL.v1", "path": str(tmp_path / "log.jsonl")}
        console = {"@loggers": "spacy.ConsoleLogger.v1", "progress_bar": False}
        config["training"]["logger"] = {
            "@loggers": "spacy.ChainLogger.v1",
            "logger1": console,
            "logger2": {**log, "log_every": 2, "dev_loss": False},
        }
        for path, block in others.items():
            *parents, last = path.split(".")
            node = config
            for parent in parents:
                node = node[parent]
            node[last] = block
        return config

    return make


def run(config, output, resume=False, frequency=2):
    stdout = io.StringIO()
    checkpoints = Checkpoints(output / "checkpoints", frequency, keep=100)
    with setting_up(is_resuming=resume):
        nlp = init_nlp(config)
    train(
        nlp,
        output,
        checkpoints=checkpoints,
        resume=resume,
        stdout=stdout,
        stderr=stdout,
    )
    return stdout.getvalue()


def back_to(step, output):
    """Leave what a kill soon after this step would have left."""
    for path in (output / "checkpoints").iterdir():
        if int(path.name.removeprefix("step-")) > step:
            shutil.rmtree(path)


def files_of(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def log_of(folder):
    lines = (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines[1:]]
    for record in records:
        for time in TIMES:
            record.pop(time)
        record.get("scores", {}).pop("speed", None)
    return lines[0], records


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in VARIANTS],
)
def test_it_ends_with_the_same_weights_and_log(name, make_config, tmp_path):
    """Else a crash costs more than the steps since the last checkpoint: it changes the model."""
    config = make_config(*VARIANTS[name])
    run(config, tmp_path)
    models, log = files_of(tmp_path / "model-last"), log_of(tmp_path)
    best = files_of(tmp_path / "model-best")
    for folder in ("model-last", "model-best"):
        shutil.rmtree(tmp_path / folder)
    back_to(6 if "once" in name else 4, tmp_path)
    assert "Resumed from" in run(config, tmp_path, resume=True)
    assert files_of(tmp_path / "model-last") == models
    assert log_of(tmp_path) == log
    # It may have been the best before the stop.
    if (tmp_path / "model-best").exists():
        assert files_of(tmp_path / "model-best") == best


@pytest.mark.parametrize("name", ["EMA, groups", "thinc's Adam", "gradual unfreezing"])
@pytest.mark.slow
def test_without_a_stop_it_is_as_spacy_trains(name, make_config, tmp_path):
    """Who has figures of `spacy train` would have to take them all again."""
    variant, training, others = VARIANTS[name]
    # spaCy evaluates the last step if it is time; we do in any case.
    config = make_config(variant, {**training, "max_steps": 9}, others)
    run(config, tmp_path)
    models, (_, records) = files_of(tmp_path / "model-last"), log_of(tmp_path)
    (tmp_path / "log.jsonl").unlink()
    (tmp_path / "spacy").mkdir()
    spacy_train(init_nlp(config), tmp_path / "spacy", stdout=io.StringIO(), stderr=io.StringIO())
    assert files_of(tmp_path / "spacy" / "model-last") == models
    assert log_of(tmp_path)[1] == records


@pytest.mark.slow
@pytest.mark.parametrize(
    "limits",
    [
        {"max_steps": 4},
        {"max_steps": 0, "max_epochs": 3},
        {"max_steps": 0, "max_epochs": 5, "patience": 4, "eval_frequency": 50},
    ],
)
def test_the_last_step_is_evaluated(limits, make_config, tmp_path):
    """The steps of the lowest rates were never judged, and of short trainings only the first."""
    limits = {"max_epochs": 0, "eval_frequency": 3, **limits}
    config = make_config("cpu_cnn_crf", limits, {"initialize.after_init": None})
    run(config, tmp_path)
    _, records = log_of(tmp_path)
    assert "score" in records[-1]
    assert [record["step"] for record in records].count(records[-1]["step"]) == 1
    evaluated = [record["step"] for record in records if "score" in record]
    assert evaluated[:-1] == list(range(0, evaluated[-1], limits["eval_frequency"]))
    best = max(records, key=lambda record: (record.get("score", -1), record["step"]))
    performance = json.loads((tmp_path / "model-best" / "meta.json").read_text())["performance"]
    assert performance["ents_f"] == best["scores"]["ents_f"]


def resumed(config, output, message):
    with pytest.raises(NotResumableError, match=message):
        run(config, output, resume=True)


@pytest.mark.slow
def test_what_differs_is_named(make_config, train_corpus, tmp_path, monkeypatch):
    """Weights of one training and data or settings of another would be a model of neither."""
    corpus = tmp_path / "train.spacy"
    shutil.copy(train_corpus, corpus)
    short = {"max_steps": 2, "accumulate_gradient": 1}
    here = {"corpora.train.path": str(corpus)}
    run(make_config("cpu_cnn_crf", short, here), tmp_path)
    changed = make_config("cpu_cnn_crf", {**short, "dropout": 0.25}, here)
    resumed(changed, tmp_path, r"training\.dropout was 0\.3 and is 0\.25")
    unchanged = make_config("cpu_cnn_crf", short, here)
    monkeypatch.setattr(log_records, "version", lambda package: "0")
    resumed(unchanged, tmp_path, "the version of torch was .* and is 0")
    monkeypatch.undo()
    docs = list(DocBin().from_disk(corpus).get_docs(spacy.blank("zh").vocab))
    DocBin(docs=docs[::-1]).to_disk(corpus)
    resumed(unchanged, tmp_path, r"corpora\.train\.path names has other content")


@pytest.mark.slow
def test_a_finished_training_is_not_begun_again(make_config, tmp_path):
    """A script that resumes whatever there is would train for ever, or lose the model."""
    config = make_config("cpu_cnn_crf", {"max_steps": 2}, {})
    run(config, tmp_path)
    models = files_of(tmp_path / "model-last")
    assert "finished" in run(config, tmp_path, resume=True)
    assert files_of(tmp_path / "model-last") == models


def test_an_optimizer_of_unknown_state_is_refused_before_the_training(make_config, tmp_path):
    """Else its state would be lost at the first crash, and nobody would know."""

    class Unknown(Optimizer):
        pass

    spacy.registry.optimizers.register("tests.unknown.v1", func=lambda: Unknown(0.1))
    config = make_config("cpu_cnn_crf", {"optimizer": {"@optimizers": "tests.unknown.v1"}}, {})
    try:
        with pytest.raises(NotResumableError, match="The optimizer is a Unknown"):
            run(config, tmp_path)
    finally:
        catalogue.REGISTRY.pop((*spacy.registry.optimizers.namespace, "tests.unknown.v1"))
    assert not (tmp_path / "log.jsonl").exists()


@pytest.mark.slow
def test_labels_in_another_order_are_another_training(make_config, tmp_path):
    """What was learned as one label would go on as the other."""
    labels = tmp_path / "labels.json"
    labels.write_text('["address", "name", "organization"]')
    block = {"bertcrf": {"labels": {"@readers": "spacy.read_labels.v1", "path": str(labels)}}}
    config = make_config("cpu_cnn_crf", {"max_steps": 2}, {"initialize.components": block})
    run(config, tmp_path)
    labels.write_text('["name", "address", "organization"]')
    resumed(config, tmp_path, r"initialize\.components\.bertcrf\.labels\.path names has other")


@pytest.mark.slow
def test_the_scores_of_the_last_step_outlive_a_kill(make_config, tmp_path, monkeypatch):
    """No evaluation follows that could find them once more."""
    limits = {"max_steps": 0, "max_epochs": 2}
    config = make_config("cpu_cnn_crf", limits, {"initialize.after_init": None})

    def killed(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TrainingState, "finish", killed)
        with pytest.raises(KeyboardInterrupt):
            run(config, tmp_path, frequency=1)
    meta = tmp_path / "model-last" / "meta.json"
    before = json.loads(meta.read_text())["performance"]
    meta.unlink()
    run(config, tmp_path, resume=True, frequency=1)
    assert json.loads(meta.read_text())["performance"] == before
    assert "ents_f" in before
