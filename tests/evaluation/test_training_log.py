"""Reading the log of a training."""

import json

import numpy as np
import pytest

from spacy_bertcrf.evaluation.training_log import read_training_log


@pytest.fixture
def write(tmp_path):
    def write(*entries, end="\n"):
        lines = [e if isinstance(e, str) else json.dumps(e, ensure_ascii=False) for e in entries]
        path = tmp_path / "log.jsonl"
        path.write_text("\n".join(lines) + end, encoding="utf-8")
        return path

    return write


RUN = {"run": {"started": "2026"}}


def evaluation(step, score):
    return {"step": step, "score": score, "scores": {"ents_per_type": {"地址": {"f": score}}}}


def test_numbers_over_the_steps(write):
    """What is drawn is what was logged, gaps where a number was not finite."""
    log = read_training_log(
        write(RUN, evaluation(0, 0.1), {"step": 10, "losses": {"bertcrf": None}}, evaluation(20, 1))
    )
    steps, scores = log.series("scores", "ents_per_type", "地址", "f")
    assert steps.tolist() == [0, 20]
    assert scores.tolist() == [0.1, 1.0]
    steps, losses = log.series("losses", "bertcrf")
    assert steps.tolist() == [10]
    assert np.isnan(losses).all()
    assert log.names("scores", "ents_per_type") == ["地址"]
    assert log.series("losses", "ner")[0].tolist() == []
    assert log.run == {"started": "2026"}


def test_the_best_step_is_that_of_model_best(write):
    """spaCy keeps the last of equals: the mark would be on weights that are not there."""
    steps = [evaluation(step, score) for step, score in ((0, 0), (5, 0.7), (10, 0.7), (15, 0.6))]
    assert read_training_log(write(RUN, *steps)).best_step == 10
    assert read_training_log(write(RUN, {"step": 0})).best_step is None


def test_a_training_that_was_continued_is_one(write):
    """What the crashed part did after its last checkpoint did not happen."""
    first = [evaluation(step, 0.9) for step in (0, 10, 20, 30)]
    again = [evaluation(step, 0.5) for step in (20, 30, 40)]
    log = read_training_log(write(RUN, *first, {"run": {"started": "later"}}, *again))
    assert log.series("score")[0].tolist() == [0, 10, 20, 30, 40]
    assert log.series("score")[1].tolist() == [0.9, 0.9, 0.5, 0.5, 0.5]
    assert log.run["started"] == "later"


def test_a_line_that_is_being_written_is_left_out(write):
    """A training can be looked at while it runs, and after it was killed."""
    log = read_training_log(write(RUN, evaluation(0, 0.1), '{"step": 5, "lo', end=""))
    assert log.series("score")[0].tolist() == [0]
    assert read_training_log(write(RUN, evaluation(0, 0.1), end="")).best_step == 0


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([RUN, '{"step": 0', evaluation(1, 0)], r"log\.jsonl, line 2: not JSON \(.* character \d+"),
        ([RUN, "[1]"], r"log\.jsonl, line 2: not a JSON object"),
        ([evaluation(0, 0)], r"log\.jsonl, line 1: the first line"),
        ([RUN, {"epoch": 0}], r"log\.jsonl, line 2: the record has no step"),
        ([RUN, {"step": 3}, {"step": 3}], r"log\.jsonl, line 3: step 3 comes after step 3"),
        ([RUN], r"The log .*log\.jsonl has no records"),
    ],
)
def test_damage_is_said_with_file_and_line(entries, message, write):
    """The user has to find it in a file of thousands of lines."""
    with pytest.raises(ValueError, match=message):
        read_training_log(write(*entries))


def test_files_that_are_no_log_are_said(tmp_path):
    """The same for one that is missing, empty or no text."""
    path = tmp_path / "log.jsonl"
    with pytest.raises(ValueError, match=r"There is no log .*log\.jsonl"):
        read_training_log(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="has no records"):
        read_training_log(path)
    path.write_bytes(b"\xff\xfe\n")
    with pytest.raises(ValueError, match=r"log\.jsonl, line 1: not UTF-8"):
        read_training_log(path)
