"""What is recorded of the optimizer, and of the time."""

from pathlib import Path

import pytest
from thinc.api import Optimizer

from spacy_bertcrf.training.logs import training_watch
from spacy_bertcrf.training.logs.log_records import write_records


class Kept:
    """A writer that keeps the records."""

    path = Path("kept")

    def __init__(self):
        self.records = []
        self.closed = False

    def write(self, record):
        self.records.append(record)

    def close(self):
        self.closed = True


class Grouped(Optimizer):
    """An optimizer with two groups of parameters."""

    learn_rates: dict
    gradient_norm: float


@pytest.fixture
def nlp(make_nlp, make_examples):
    nlp = make_nlp()
    nlp.initialize(lambda: make_examples(nlp))
    return nlp


def test_learning_rates_by_group_and_the_gradient_norm(nlp, make_examples):
    """Warm-up, decay by layer and clipping cannot be judged if they are not seen."""
    optimizer = Grouped(0.01)
    optimizer.learn_rates, optimizer.gradient_norm = {"bert": 1e-5, "crf": 1e-3}, 2.5
    writer = Kept()
    log_step, finalize = write_records(nlp, writer, log_every=1, dev_loss=False)
    nlp.update(make_examples(nlp), sgd=optimizer, losses={})
    log_step(None)
    finalize()
    assert writer.records[0]["learn_rates"] == {"bert": 1e-5, "crf": 1e-3}
    assert writer.records[0]["gradient_norm"] == 2.5
    assert writer.closed


def test_parts_of_a_loss_are_kept_apart(nlp, make_examples, monkeypatch):
    """Of several losses at once, the user sees which falls."""
    recognizer = nlp.get_pipe("bertcrf")

    def update(examples, *, drop=0.0, sgd=None, losses=None):
        for key, loss in (("bertcrf", 3.0), ("bertcrf/boundary", 1.0)):
            losses[key] = losses.get(key, 0.0) + loss
        return losses

    monkeypatch.setattr(recognizer, "update", update)
    writer = Kept()
    log_step, finalize = write_records(nlp, writer, log_every=2, dev_loss=False)
    losses = {"bertcrf": 100.0}
    for _ in range(5):
        nlp.update(make_examples(nlp), losses=losses)
        log_step(None)
    finalize()
    assert [record["step"] for record in writer.records] == [0, 2, 4]
    for record in writer.records:
        assert record["losses"] == {"bertcrf": 3.0, "bertcrf/boundary": 1.0}
    assert losses == {"bertcrf": 115.0, "bertcrf/boundary": 5.0}


def test_time_is_that_of_training(nlp, make_examples, monkeypatch):
    """Words a second would fall with every evaluation, and with the saving that follows."""
    now = [0.0]
    monkeypatch.setattr(training_watch, "perf_counter", lambda: now[0])
    writer = Kept()
    log_step, finalize = write_records(nlp, writer, log_every=1, dev_loss=False)
    words = 0
    for _ in range(2):
        nlp.update(make_examples(nlp), losses={})
        words += sum(len(example) for example in make_examples(nlp))
        now[0] += 2.0
        nlp.evaluate(make_examples(nlp))
        now[0] += 100.0
        log_step(None)
        now[0] += 50.0
    finalize()
    assert [record["seconds"] for record in writer.records] == [2.0, 4.0]
    assert writer.records[1]["words"] == words
    assert writer.records[1]["words_per_second"] == pytest.approx(words / 4, abs=0.1)
