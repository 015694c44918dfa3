"""The figure of a training."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from spacy_bertcrf.evaluation import figure_file
from spacy_bertcrf.evaluation.training_curves import interval_means, plot_training
from spacy_bertcrf.evaluation.training_log import TrainingLog


def make_log(scores=(0.0, 0.5, 0.75, 0.7), losses=(100.0, 20.0, 5.0, 3.0)):
    records = []
    for i, (score, loss) in enumerate(zip(scores, losses, strict=True)):
        records.append(
            {
                "step": 200 * i,
                "losses": {"bertcrf": loss},
                "score": score,
                "scores": {
                    "ents_f": score,
                    "ents_per_type": {"地址": {"f": score / 2}, "name": {"f": score}},
                },
                "dev_losses": {"bertcrf": loss + 1},
            }
        )
        records.append({"step": 200 * i + 100, "losses": {"bertcrf": loss * 0.8}})
    return TrainingLog({}, records)


def texts_of(svg):
    root = ET.fromstring(svg)
    return ["".join(node.itertext()).strip() for node in root.iter() if "text" in node.tag]


@pytest.mark.slow
def test_it_says_what_is_drawn(tmp_path):
    """A figure in a report is read without the command that made it."""
    svg, missing = plot_training({"log": make_log()})
    texts = texts_of(svg)
    assert "best: 75.0 at step 400" in texts
    for text in ("step", "loss", "F1 on development (%)", "development"):
        assert text in texts
    assert missing == ""
    assert plot_training({"log": make_log()})[0] == svg


@pytest.mark.slow
def test_labels_are_readable_in_any_script():
    """Drawn as outlines of a font without them, Chinese characters would be empty boxes."""
    svg, missing = plot_training({"log": make_log()}, by_label=True)
    texts = texts_of(svg)
    assert missing == ""
    assert "地址  37.5" in texts
    assert texts.index("name  75.0") < texts.index("地址  37.5")


@pytest.mark.slow
def test_where_no_font_has_them_it_is_said(monkeypatch):
    """In a PNG the user would see boxes, and not know why."""
    monkeypatch.setattr(figure_file, "_without_glyph", lambda path, characters: {"地", "址"})
    png, missing = plot_training({"log": make_log()}, "png", by_label=True)
    assert png.startswith(b"\x89PNG")
    assert missing == "地址"
    assert plot_training({"log": make_log()}, "pdf")[0].startswith(b"%PDF")


@pytest.mark.slow
def test_several_logs_are_told_apart():
    """Else it could not be seen which strategy paid."""
    better = make_log(scores=(0.0, 0.6, 0.7, 0.8))
    texts = texts_of(plot_training({"baseline": make_log(), "fgm": better})[0])
    assert "baseline, best: 75.0 at step 400" in texts
    assert "fgm, best: 80.0 at step 600" in texts
    assert "fgm, development" in texts


@pytest.mark.slow
@pytest.mark.parametrize("loss", [float("nan"), 0.0, -3.0])
def test_losses_that_a_log_scale_cannot_have_are_drawn(loss):
    """Learned weights can make a loss negative, and a failed training is worth a look too."""
    log = make_log(losses=(100.0, 20.0, loss, loss))
    assert "loss" in texts_of(plot_training({"log": log})[0])


def test_a_log_without_dev_loss_is_drawn():
    """It can be switched off."""
    log = TrainingLog({}, [{**r, "dev_losses": {}} for r in make_log().records])
    assert "development" not in texts_of(plot_training({"log": log})[0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"component": "ner"}, r"The log a has no losses of 'ner'; it has: bertcrf.*--component"),
        ({"score": "tag_acc"}, r"no scores of 'tag_acc'; it has: ents_f\. .*--score"),
        ({"score": "ents_per_type"}, r"no scores of 'ents_per_type'"),
    ],
)
def test_what_is_not_in_the_log_is_said(settings, message):
    """An empty panel would leave the user guessing."""
    with pytest.raises(ValueError, match=message):
        plot_training({"a": make_log()}, **settings)


def test_scores_by_label_are_of_one_log():
    """The lines of two would not be told apart."""
    with pytest.raises(ValueError, match="one log alone"):
        plot_training({"a": make_log(), "b": make_log()}, by_label=True)


def test_means_between_evaluations_are_those_of_the_steps():
    """Records are of different numbers of steps: a mean of the records would be another."""
    losses = np.array([8.0, 4.0, 2.0, 1.0])  # of steps 0, 1 to 10, 11 to 15, 16 to 17
    middles, means = interval_means(np.array([0, 15]), np.array([0, 10, 15, 17]), losses)
    assert middles.tolist() == [0.0, 8.0]
    assert means == pytest.approx([8.0, (10 * 4 + 5 * 2) / 15])
