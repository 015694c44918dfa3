"""How often a training is evaluated."""

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as spacy_train
from spacy.util import load_config

from spacy_bertcrf.models.current_training import training_of
from spacy_bertcrf.pipeline.chained_callbacks import chain_callbacks
from spacy_bertcrf.pipeline.evaluations import (
    evaluate_often,
    suitable_frequency,
    warn_of_few_evaluations,
)
from spacy_bertcrf.training.loop import train as bertcrf_train

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(path.stem for path in (ROOT / "configs").glob("*.cfg"))


@given(n_steps=st.integers(1, 5000), evaluations=st.integers(1, 50))
def test_the_suitable_frequency_is_the_largest_that_is_enough(n_steps, evaluations):
    """One evaluation too few, and the best step may be missed; many too many cost time."""

    def count(frequency):
        return len(range(0, n_steps, frequency))

    frequency = suitable_frequency(n_steps, evaluations)
    assert count(frequency) >= min(evaluations, n_steps)
    if frequency < n_steps and n_steps >= evaluations:
        assert count(frequency + 1) < max(evaluations, 2)


@pytest.fixture
def lowered(make_nlp, train_corpus):
    """The eval_frequency that the callback leaves, where it was `before`."""

    def run(n_steps, before, evaluations=10, **overrides):
        nlp = make_nlp(
            **{
                "paths.train": str(train_corpus),
                "paths.dev": str(train_corpus),
                "training.max_epochs": 0,
                "training.max_steps": n_steps - 1,
                "training.eval_frequency": before,
                **overrides,
            }
        )
        evaluate_often(evaluations)(nlp)
        return nlp.config["training"]["eval_frequency"]

    return run


def test_a_short_training_is_evaluated_often_enough(lowered):
    """model-best of 600 sentences was the model before it had learned, with F 0.00."""
    assert lowered(20, 200) == 2
    assert lowered(5, 200) == 1
    assert lowered(100, 50, evaluations=2) == 50


@pytest.mark.slow
def test_a_frequency_that_is_enough_stays(lowered):
    assert lowered(2000, 200) == 200
    assert lowered(20, 1) == 1
    assert lowered(4, 1) == 1
    assert lowered(20, 200, evaluations=1) == 200
    endless = {"training.max_steps": 0, "training.max_epochs": 0}
    assert lowered(20, 200, **endless) == 200


def test_without_the_corpus_a_script_can_initialize(lowered):
    paths = {"paths.train": "nowhere.spacy", "training.max_steps": 0, "training.max_epochs": 2}
    assert lowered(20, 200, **paths) == 200


@pytest.mark.slow
@pytest.mark.parametrize("train", [spacy_train, bertcrf_train])
def test_the_loop_evaluates_as_often_and_the_saved_config_is_as_written(
    train, train_corpus, tmp_path
):
    """Who trains a large corpus with that config would evaluate after every other step."""
    log = tmp_path / "log.jsonl"
    overrides = {
        "paths.train": str(train_corpus),
        "paths.dev": str(train_corpus),
        "components.bertcrf.model.tok2vec.width": 16,
        "components.bertcrf.model.encoder.hidden_width": 8,
        "training.max_epochs": 0,
        "training.max_steps": 19,
        "training.logger": {"@loggers": "spacy-bertcrf.JSONL.v1", "path": str(log)},
    }
    nlp = init_nlp(load_config(ROOT / "configs" / "cpu_cnn_crf.cfg", overrides=overrides))
    train(nlp, tmp_path, stdout=io.StringIO(), stderr=io.StringIO())
    records = [json.loads(line) for line in log.read_text("utf8").splitlines()]
    evaluated = [record["step"] for record in records if "score" in record]
    assert evaluated == [*range(0, 19, 2), *([19] if train is bertcrf_train else [])]
    saved = load_config(tmp_path / "model-best" / "config.cfg")
    assert saved["training"]["eval_frequency"] == 200


@pytest.mark.parametrize("config", CONFIGS)
def test_every_shipped_config_has_it(config):
    """model-best is what users are told to use."""
    block = load_config(ROOT / "configs" / f"{config}.cfg")["initialize"]["after_init"]
    blocks = [block, *block.get("*", {}).values()]
    assert "spacy-bertcrf.evaluate_often.v1" in [block["@callbacks"] for block in blocks]


def test_what_cannot_be_is_an_error(lowered):
    """A ZeroDivisionError in the middle of spaCy's loop says nothing of a setting."""
    with pytest.raises(ValueError, match=r"evaluations is 0; it must be at least 1"):
        evaluate_often(0)
    with pytest.raises(ValueError, match=r"training\.eval_frequency is 0; it must be at least 1"):
        lowered(20, 0)


def test_few_evaluations_are_told(make_nlp, recwarn):
    """spaCy's loop cannot be changed, and config of one's own need not have the callback."""

    def told(n_steps, frequency):
        limit = {"training.max_epochs": 0, "training.max_steps": n_steps - 1}
        nlp = make_nlp(**limit, **{"training.eval_frequency": frequency})
        recwarn.clear()
        with training_of(nlp):
            warn_of_few_evaluations(nlp)
        return [str(w.message) for w in recwarn]

    (warned,) = told(20, 200)
    assert "after step 0 and 19 alone" in warned
    assert "eval_frequency to 2 or less" in warned
    assert not told(20, 10)
    assert not told(2, 1)


def test_callbacks_are_called_in_a_row():
    called = []
    chain_callbacks(lambda nlp: called.append("a"), lambda nlp: called.append("b"))(None)
    assert called == ["a", "b"]
    with pytest.raises(ValueError, match="no callbacks"):
        chain_callbacks()
