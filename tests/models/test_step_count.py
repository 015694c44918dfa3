"""The number of steps that a training will take."""

import random

import numpy as np
import pytest
from spacy.training.loop import create_train_batches
from spacy.util import registry, resolve_dot_names

from spacy_bertcrf.models.current_training import training_of
from spacy_bertcrf.models.step_count import count_steps, steps_of


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
    counted = steps_of(nlp)
    random.seed(0)
    (corpus,) = resolve_dot_names(nlp.config, ["corpora.train"])
    batcher = registry.resolve({"batcher": nlp.config["training"]["batcher"]})["batcher"]
    assert counted == 3 * len(list(create_train_batches(nlp, corpus, batcher, 1))) > 3


def test_max_steps_is_the_number_of_the_last_step_from_0(pipeline):
    assert steps_of(pipeline(**{"training.max_steps": 2})) == 3
    assert steps_of(pipeline(**{"training.max_steps": 10**6})) == steps_of(pipeline()) > 3
    only_steps = {"training.max_epochs": 0, "training.max_steps": 7, "paths.train": "nowhere"}
    assert steps_of(pipeline(**only_steps)) == 8


def test_random_numbers_go_on_as_if_nothing_had_been(pipeline):
    """Else counting the steps would change the training."""
    nlp = pipeline()
    random.seed(0)
    np.random.seed(0)
    expected = random.random(), np.random.random()
    random.seed(0)
    np.random.seed(0)
    steps_of(nlp)
    assert (random.random(), np.random.random()) == expected


def test_what_is_left_out_of_the_corpus_is_not_counted(pipeline):
    assert steps_of(pipeline(**{"corpora.train.limit": 1})) == 3


def test_a_config_that_was_changed_is_counted_anew(pipeline):
    """Two trainings of one pipeline, one after the other, have schedules of their own."""
    nlp = pipeline()
    before = steps_of(nlp)
    nlp.config["training"]["max_epochs"] = 6
    assert steps_of(nlp) == 2 * before


def test_a_training_without_an_end_has_no_number(pipeline):
    assert steps_of(pipeline(**{"training.max_epochs": 0})) is None
    assert steps_of(pipeline(**{"training.max_epochs": -1})) is None


def test_steps_are_counted_inside_a_training_alone(pipeline):
    """Elsewhere a config is that of an earlier training, whose corpus may be anything."""
    nlp = pipeline()
    assert count_steps() is None
    with training_of(nlp):
        assert count_steps() == steps_of(nlp)
    assert count_steps() is None


def test_a_component_that_learns_before_bertcrf_changes_no_schedule(pipeline, make_examples):
    """spaCy's `ner` takes its steps first, and the rate would stay where it begins."""
    nlp = pipeline()
    nlp.add_pipe("ner", before="bertcrf")
    given = nlp.config.interpolate()["training"]["optimizer"]
    optimizer = registry.resolve({"optimizer": given})["optimizer"]
    nlp.initialize(lambda: make_examples(nlp))
    rates = []
    with training_of(nlp):
        n_steps = count_steps()
        for _ in range(n_steps):
            nlp.update(make_examples(nlp)[:2], sgd=optimizer)
            rates.append(optimizer.learn_rate)
            optimizer.step_schedules()
    peak = max(rates)
    assert rates[0] < peak
    assert rates[-1] < 0.5 * peak
