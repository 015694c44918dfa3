"""The number of steps that a training will take."""

import pickle
import random

import numpy as np
import pytest
from spacy.training.loop import create_train_batches
from spacy.util import registry, resolve_dot_names

from spacy_bertcrf.pipeline.step_count import StepCount


@pytest.fixture
def pipeline(make_nlp, train_corpus):
    """An untrained pipeline with a config for three epochs; overrides as in `train`."""

    def build(**overrides):
        settings = {
            "paths.train": str(train_corpus),
            "paths.dev": str(train_corpus),
            "training.max_epochs": 3,
            "training.batcher.size": 30,
            "training.batcher.buffer": 4,
        }
        return make_nlp(**settings | overrides)

    return build


def test_it_is_the_number_of_batches_that_spacy_train_takes(pipeline):
    """Else the rate would not be 0 when the training ends."""
    nlp = pipeline()
    random.seed(0)
    counted = StepCount(nlp)()
    random.seed(0)
    (corpus,) = resolve_dot_names(nlp.config, ["corpora.train"])
    batcher = registry.resolve({"batcher": nlp.config["training"]["batcher"]})["batcher"]
    assert counted == 3 * len(list(create_train_batches(nlp, corpus, batcher, 1))) > 3


def count(nlp):
    return StepCount(nlp)()


def test_max_steps_is_the_number_of_the_last_step_from_0(pipeline):
    assert count(pipeline(**{"training.max_steps": 2})) == 3
    assert count(pipeline(**{"training.max_steps": 10**6})) == count(pipeline()) > 3
    only_steps = {"training.max_epochs": 0, "training.max_steps": 7, "paths.train": "nowhere"}
    assert count(pipeline(**only_steps)) == 8


def test_random_numbers_go_on_as_if_nothing_had_been(pipeline):
    """Else counting the steps would change the training."""
    nlp = pipeline()
    random.seed(0)
    np.random.seed(0)
    expected = random.random(), np.random.random()
    random.seed(0)
    np.random.seed(0)
    StepCount(nlp)()
    assert (random.random(), np.random.random()) == expected


def test_what_is_left_out_of_the_corpus_is_not_counted(pipeline):
    assert count(pipeline(**{"corpora.train.limit": 1})) == 3


def test_without_its_corpus_a_pipeline_can_be_trained_on(pipeline, make_examples):
    """Else a pipeline that somebody else has trained could not be updated from Python."""
    for path in (None, "nowhere.spacy"):
        nlp = pipeline(**{"paths.train": path})
        optimizer = nlp.initialize(lambda nlp=nlp: make_examples(nlp))
        with pytest.warns(UserWarning, match="corpus cannot be read"):
            losses = [nlp.update(make_examples(nlp), sgd=optimizer)["bertcrf"] for _ in range(8)]
        assert losses[-1] < losses[0]
        assert optimizer.learn_rate == 0.001


def test_a_training_without_an_end_has_no_number(pipeline):
    assert count(pipeline(**{"training.max_epochs": 0})) is None
    assert count(pipeline(**{"training.max_epochs": -1})) is None


def test_a_copy_is_in_no_pipeline(pipeline):
    assert pickle.loads(pickle.dumps(StepCount(pipeline())))() is None
