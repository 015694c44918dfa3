"""The plot of a pretraining."""

import pytest

from spacy_bertcrf.evaluation.pretraining_curve import plot_pretraining

LOG = [
    {"step": 0, "eval_loss": 8.0},
    {"step": 10, "loss": 7.5, "grad_norm": 1.0},
    {"step": 20, "loss": 6.5},
    {"step": 20, "eval_loss": 6.0},
    {"step": 20, "train_runtime": 3.0},
]


@pytest.mark.slow
def test_losses_in_training_and_on_held_out_text_are_drawn():
    """Only the two together show whether the model has learned the texts by heart."""
    svg = plot_pretraining(LOG).decode()
    assert "training" in svg
    assert "held out" in svg
    assert svg == plot_pretraining(LOG).decode()
    for format, start in (("png", b"\x89PNG"), ("pdf", b"%PDF")):
        assert plot_pretraining(LOG, format).startswith(start)


def test_without_held_out_text_the_training_is_drawn_alone():
    """A legend would name a line that is not there."""
    svg = plot_pretraining([record for record in LOG if "loss" in record]).decode()
    assert "held out" not in svg


def test_a_log_without_losses_is_an_error():
    """An empty figure looks like a training that went wrong."""
    with pytest.raises(ValueError, match="no loss"):
        plot_pretraining([{"step": 1, "train_runtime": 3.0}])
