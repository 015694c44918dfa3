"""The log of a training as lines of JSON, written while spaCy's own loop runs."""

import json
import math

import pytest
import spacy
from spacy.training import Corpus
from spacy.util import registry

from spacy_bertcrf.training.logs.jsonl_logger import JsonLines, jsonl_logger


def config_of(path, **settings):
    return {"@loggers": "spacy-bertcrf.JSONL.v1", "path": str(path), **settings}


def lines_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def log(tmp_path):
    return tmp_path / "logs" / "log.jsonl"


@pytest.mark.slow
def test_a_record_for_each_evaluation_and_others_between_them(log, train_with, spy):
    """The user sees the curve between evaluations, and the console prints what it did."""
    printed = train_with(config_of(log, log_every=2))
    run, *records = lines_of(log)
    assert list(run) == ["run"]
    assert [record["step"] for record in records] == [0, 2, 3, 4, 6, 7]
    evaluated = [record["step"] for record in records if "score" in record]
    assert evaluated == [info["step"] for info in spy.infos if info] == [0, 3, 6]
    assert [line.split()[1] for line in printed.splitlines()[-3:]] == ["0", "3", "6"]


@pytest.mark.slow
def test_losses_and_words_are_those_that_spacy_counts(log, train_with, spy):
    """A curve of other numbers than the console's would be worth nothing."""
    train_with(config_of(log, log_every=2), **{"training.accumulate_gradient": 2})
    _, *records = lines_of(log)
    total, last_step = 0.0, -1
    infos = {info["step"]: info for info in spy.infos if info}
    for record in records:
        total += record["losses"]["bertcrf"] * (record["step"] - last_step)
        last_step = record["step"]
        if last_step in infos:
            info = infos[last_step]
            # spaCy's losses begin anew after each evaluation.
            assert total == pytest.approx(info["losses"]["bertcrf"])
            assert record["words"] == info["words"]
            assert record["epoch"] == info["epoch"]
            assert record["score"] == info["score"]
            assert record["scores"]["ents_per_type"] == info["other_scores"]["ents_per_type"]
            total = 0.0
    assert records[0]["learn_rates"]["default"] > records[-1]["learn_rates"]["default"] == 0
    assert records[-1]["words_per_second"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("config", ["cpu_cnn_crf", "shared_transformer"])
@pytest.mark.parametrize("reduction", ["sum", "mean", "token_mean"])
def test_the_dev_loss_is_that_of_the_weights_that_are_saved(
    config, reduction, log, train_with, train_corpus, tmp_path
):
    """A dev loss of weights without averages, or of zeros in place of the transformer's vectors,
    would show overfitting where there is none."""
    train_with(
        config_of(log),
        config=config,
        output=tmp_path / "model",
        **{
            "training.max_steps": 6,
            "training.optimizer.averages": {"@misc": "spacy-bertcrf.EMA.v1", "decay": 0.8},
            "components.bertcrf.loss_reduction": reduction,
        },
    )
    _, *records = lines_of(log)
    nlp = spacy.load(tmp_path / "model" / "model-last")
    recognizer = nlp.get_pipe("bertcrf")
    examples = list(Corpus(train_corpus)(nlp))
    losses = []
    for example in examples:
        example.predicted = nlp(example.predicted)
        emissions = recognizer.model.predict([example.predicted])
        losses.append(recognizer.get_loss([example], emissions)[0])
    if reduction == "token_mean":
        lengths = [len(example.predicted) for example in examples]
        expected = sum(loss * n for loss, n in zip(losses, lengths, strict=True)) / sum(lengths)
    else:
        expected = sum(losses) / len(losses)
    assert records[-1]["step"] == 6
    assert records[-1]["dev_losses"]["bertcrf"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_labels_of_dev_that_training_has_not_do_not_end_it(log, train_with, tmp_path):
    """The loss of a document with such a label is infinite, and was an error at step 0."""
    nlp = spacy.blank("zh")
    docs = spacy.tokens.DocBin()
    for text, label in (("王小明在北京。", "name"), ("北京下雪了。", "weather")):
        doc = nlp.make_doc(text)
        doc.ents = [doc.char_span(0, 2, label=label)]
        docs.add(doc)
    docs.to_disk(tmp_path / "dev.spacy")
    train_with(config_of(log), **{"paths.dev": str(tmp_path / "dev.spacy")})
    _, *records = lines_of(log)
    assert math.isfinite(records[-2]["dev_losses"]["bertcrf"])


@pytest.mark.slow
def test_training_goes_as_without_the_logger(log, train_with, spy):
    """Gradients of the dev loss in the next step would be training on the development set."""
    train_with()
    expected = spy.nlp.to_bytes(exclude=["vocab", "tokenizer", "meta", "config"])
    infos, spy.infos = spy.infos, []
    train_with(config_of(log, log_every=1))
    assert spy.nlp.to_bytes(exclude=["vocab", "tokenizer", "meta", "config"]) == expected
    assert [i and i["losses"] for i in spy.infos] == [i and i["losses"] for i in infos]
    assert "dev_losses" in log.read_text()


@pytest.mark.slow
def test_every_record_is_on_disk_at_once(log, train_with, spy):
    """A killed training must leave what it had logged."""
    found = []
    spy.at_step = lambda: found.append(lines_of(log)[-1]["step"])
    train_with(config_of(log, log_every=1))
    assert found == list(range(8))


@pytest.mark.slow
def test_the_first_line_identifies_the_run(log, train_with):
    """Else nobody knows, a month later, what the curve is of."""
    train_with(config_of(log))
    run = lines_of(log)[0]["run"]
    assert run["versions"]["spacy"] == spacy.__version__
    assert run["config"]["training"]["max_steps"] == 7
    assert run["started"][:2] == "20"


@pytest.mark.slow
def test_the_pipeline_is_left_as_it_was(log, train_with, spy):
    """Else it would keep counting, and could not be pickled for `n_process`."""
    train_with(config_of(log))
    assert not {"update", "evaluate"} & set(vars(spy.nlp))

    def stop():
        raise RuntimeError("stopped")

    spy.at_step = stop
    with pytest.raises(RuntimeError, match="stopped"):
        train_with(config_of(log, overwrite=True))
    assert not {"update", "evaluate"} & set(vars(spy.nlp))


@pytest.mark.slow
def test_evaluations_alone_and_without_their_loss(log, train_with):
    """What costs time can be left out."""
    train_with(config_of(log, log_every=0, dev_loss=False), **{"training.max_steps": 6})
    _, *records = lines_of(log)
    assert [record["step"] for record in records] == [0, 3, 6]
    assert not any("dev_losses" in record for record in records)


@pytest.mark.slow
def test_an_old_log_is_neither_mixed_up_nor_erased(log, train_with, tmp_path):
    """A second training would cost the user the log of the first, or its model-best."""
    train_with(config_of(log))
    first = log.read_bytes()
    (tmp_path / "model" / "model-best").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"log\.jsonl is the log of an earlier .* append = true"):
        train_with(config_of(log), output=tmp_path / "model")
    assert log.read_bytes() == first
    assert (tmp_path / "model" / "model-best").is_dir()
    train_with(config_of(log, append=True))
    assert log.read_bytes().startswith(first)
    assert [i for i, entry in enumerate(lines_of(log)) if "run" in entry] == [0, 5]
    train_with(config_of(log, overwrite=True))
    assert [i for i, entry in enumerate(lines_of(log)) if "run" in entry] == [0]


def test_a_half_line_is_dropped_when_a_log_is_continued(tmp_path):
    """It would stay in the middle of the log, which could not be read from then on."""
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1}\n{"ste', encoding="utf-8")
    lines = JsonLines(path, "a")
    lines.write({"step": 2, "名": "北京"})
    lines.close()
    assert path.read_text(encoding="utf-8") == '{"step": 1}\n{"step": 2, "名": "北京"}\n'


def test_a_loss_that_is_not_a_number_is_null(tmp_path):
    """NaN is no JSON: other programs than Python would refuse the log of a failed training."""
    lines = JsonLines(tmp_path / "log.jsonl", "x")
    lines.write({"losses": {"bertcrf": math.nan}, "scores": [math.inf, 1.0]})
    lines.close()
    text = (tmp_path / "log.jsonl").read_text()
    assert text == '{"losses": {"bertcrf": null}, "scores": [null, 1.0]}\n'


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"log_every": -1}, "log_every is -1"),
        ({"overwrite": True, "append": True}, "both true"),
        ({"path": "."}, "is a folder"),
    ],
)
def test_wrong_settings_are_errors_when_the_config_is_read(settings, message, tmp_path):
    """Else the training would have begun."""
    with pytest.raises(ValueError, match=message):
        jsonl_logger(**{"path": tmp_path / "log.jsonl", **settings})


def test_the_logger_is_registered():
    """`spacy train` finds it without an import."""
    assert registry.loggers.get("spacy-bertcrf.JSONL.v1") is jsonl_logger
