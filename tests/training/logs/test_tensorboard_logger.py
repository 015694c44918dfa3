"""The event files of TensorBoard, read back by TensorBoard itself."""

import json
import sys
import time

import pytest
from spacy.util import registry

from spacy_bertcrf.training.logs import dev_loss
from spacy_bertcrf.training.logs.tensorboard_logger import Events, tensorboard_logger

NAME = "spacy-bertcrf.TensorBoard.v1"


def read(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {
        tag: {event.step: event.value for event in events.Scalars(tag)}
        for tag in events.Tags()["scalars"]
    }


@pytest.mark.slow
def test_its_numbers_are_those_of_the_json_log(train_with, tmp_path, monkeypatch):
    """Two loggers of one training must not disagree, nor take the dev loss twice."""
    calls = []
    mean_loss = dev_loss.mean_loss
    monkeypatch.setattr(dev_loss, "mean_loss", lambda *args: calls.append(1) or mean_loss(*args))
    train_with(
        {"@loggers": "spacy-bertcrf.JSONL.v1", "path": str(tmp_path / "log.jsonl")},
        {"@loggers": NAME, "path": str(tmp_path / "events"), "log_every": 2},
        {"@loggers": NAME, "path": str(tmp_path / "plain"), "dev_loss": False},
    )
    curves = read(tmp_path / "events")
    records = [json.loads(line) for line in (tmp_path / "log.jsonl").open()][1:]
    assert list(curves["losses/bertcrf"]) == [0, 2, 3, 4, 6, 7]
    assert set(curves["dev_losses/bertcrf"]) == {0, 3, 6}
    for record in records[:3]:
        step = record["step"]
        for tag, number in (
            ("dev_losses/bertcrf", record["dev_losses"]["bertcrf"]),
            ("scores/ents_f", record["scores"]["ents_f"]),
            ("scores/ents_per_type/name/f", record["scores"]["ents_per_type"]["name"]["f"]),
            ("learn_rates/default", record["learn_rates"]["default"]),
        ):
            assert curves[tag][step] == pytest.approx(number, rel=1e-5)
    assert "step" not in curves
    assert "dev_losses/bertcrf" not in read(tmp_path / "plain")
    assert len(calls) == 3


@pytest.mark.slow
def test_an_old_run_is_neither_mixed_up_nor_erased(train_with, tmp_path):
    """Two runs in a folder are drawn as one curve that jumps."""
    config = {"@loggers": NAME, "path": str(tmp_path / "run"), "dev_loss": False}
    short = {"training.max_steps": 3}
    train_with(config)
    (tmp_path / "run" / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="run has event files of an earlier training"):
        train_with(config, **short)
    train_with({**config, "append": True}, **short)
    assert len(list((tmp_path / "run").iterdir())) == 3
    train_with({**config, "overwrite": True}, **short)
    assert set(read(tmp_path / "run")["losses/bertcrf"]) == {0, 3}
    assert (tmp_path / "run" / "notes.txt").exists()


@pytest.mark.slow
@pytest.mark.parametrize("last_step", [-1, 4])
def test_a_resumed_run_hides_what_came_after_the_checkpoint(last_step, tmp_path):
    """Steps that were taken twice would be drawn as a curve that goes back."""
    killed = Events(tmp_path, {})
    states = {-1: killed.training_state()}
    for step, loss in ((0, 1.0), (4, 2.0), (7, 3.0)):
        killed.write({"step": step, "loss": loss})
        states[step] = killed.training_state()
    killed.close()
    # TensorBoard reads files in the order of their names, in which the time is in seconds.
    time.sleep(1.1)
    resumed = Events(tmp_path, {})
    resumed.restore_training_state(states[last_step])
    resumed.write({"step": 8, "loss": 4.0})
    resumed.close()
    kept = {} if last_step < 0 else {0: 1.0, 4: 2.0}
    assert read(tmp_path)["loss"] == {**kept, 8: 4.0}


def test_without_tensorboard_the_config_is_refused(tmp_path, monkeypatch):
    """The user learns what to install before the training, not after it has begun."""
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ImportError, match=r"pip install 'spacy-bertcrf\[tensorboard\]'"):
        registry.loggers.get(NAME)(tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"log_every": -1}, "log_every is -1"),
        ({"overwrite": True, "append": True}, "both true"),
        ({"path": __file__}, "is a file"),
    ],
)
def test_wrong_settings_are_errors_when_the_config_is_read(settings, message, tmp_path):
    """Else the training would have begun."""
    with pytest.raises(ValueError, match=message):
        tensorboard_logger(**{"path": tmp_path / "run", **settings})
