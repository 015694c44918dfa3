"""The number of steps that a training will take."""

import random
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.tokens import DocBin
from spacy.training.batchers import configure_minibatch_by_padded_size
from spacy.training.corpus import Corpus
from spacy.training.loop import create_train_batches

from spacy_bertcrf.training.schedules import warmup_decay
from spacy_bertcrf.training.step_count import count_steps


@pytest.fixture
def settings(train_corpus):
    nlp = spacy.blank("zh")
    return {
        "path": str(train_corpus),
        "batcher": configure_minibatch_by_padded_size(size=30, buffer=4, discard_oversize=False),
        "max_epochs": 3,
        "max_steps": 0,
        "nlp": {"lang": "zh", "tokenizer": lambda _: nlp.tokenizer},
    }


def test_it_is_the_number_of_batches_that_spacy_train_takes(settings):
    """Else the rate would not be 0 when the training ends."""
    count = count_steps(**settings)
    random.seed(0)
    counted = count()
    random.seed(0)
    batches = create_train_batches(
        spacy.blank("zh"), Corpus(settings["path"]), settings["batcher"], 1
    )
    assert counted == 3 * len(list(batches))


def test_max_steps_is_the_number_of_the_last_step_from_0(settings):
    assert count_steps(**settings | {"max_steps": 2})() == 3
    assert count_steps(**settings | {"max_steps": 10**6})() == count_steps(**settings)()
    assert count_steps(**settings | {"max_epochs": 0, "max_steps": 7})() == 8


def test_random_numbers_go_on_as_if_nothing_had_been(settings):
    """Else counting the steps would change the training."""
    random.seed(0)
    np.random.seed(0)
    expected = random.random(), np.random.random()
    random.seed(0)
    np.random.seed(0)
    count_steps(**settings)()
    assert (random.random(), np.random.random()) == expected


def test_the_corpus_is_read_once_and_late(settings, tmp_path):
    """It takes its time, and `spacy debug config` may have no corpus."""
    path = tmp_path / "late.spacy"
    count = count_steps(**settings | {"path": str(path)})
    path.write_bytes(Path(settings["path"]).read_bytes())
    counted = count()
    path.unlink()
    assert count() == counted > 0


@pytest.mark.parametrize("path", [None, "nowhere.spacy"])
def test_without_its_corpus_a_pipeline_can_be_trained_on(settings, path):
    """Else a pipeline that somebody else has trained could not be updated from Python."""
    count = count_steps(**settings | {"path": path})
    with pytest.warns(UserWarning, match="corpus '.*' of its config is not there"):
        rates = list(islice(warmup_decay(0.5, 0.1, "linear", count), 3))
    assert rates == [0.5, 0.5, 0.5]


def test_what_is_left_out_of_the_corpus_is_not_counted(settings):
    assert count_steps(**settings | {"limit": 1})() == 3


@pytest.mark.parametrize("max_epochs", [0, -1])
def test_a_training_without_an_end_is_refused(settings, max_epochs):
    with pytest.raises(ValueError, match="not known how many steps"):
        count_steps(**settings | {"max_epochs": max_epochs})


def test_an_empty_corpus_is_an_error(settings, tmp_path):
    DocBin().to_disk(tmp_path / "empty.spacy")
    with pytest.raises(ValueError, match="corpus is empty"):
        count_steps(**settings | {"path": str(tmp_path / "empty.spacy")})()
