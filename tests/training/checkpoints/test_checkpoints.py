"""Checkpoints on disk: whole or not at all."""

import numpy as np
import pytest
import torch

from spacy_bertcrf.training.checkpoints import whole_folder
from spacy_bertcrf.training.checkpoints.checkpoints import ARRAYS, Checkpoints, read_checkpoint
from spacy_bertcrf.training.checkpoints.whole_folder import remove_leftovers, write_folder


def test_a_state_comes_back_bit_for_bit(tmp_path):
    """A number that is rounded on disk, or of another type, makes another training."""
    shared = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    state = {
        "torch": {"half": torch.tensor([0.1], dtype=torch.bfloat16), "tied": [shared, shared.T]},
        "numpy": np.asarray([0.1, np.nan], dtype=np.float32),
        "empty": np.zeros((0, 3), dtype=np.int64),
        "mask": torch.tensor([True, False]),
        "number": np.float32(0.1),
        "plain": [1, 0.1, "名", None, float("inf")],
    }
    Checkpoints(tmp_path).write(3, state)
    read = read_checkpoint(tmp_path / "step-3")
    assert torch.equal(read["torch"]["half"], state["torch"]["half"])
    assert all(map(torch.equal, read["torch"]["tied"], state["torch"]["tied"]))
    assert read["numpy"].dtype == np.float32
    assert read["numpy"].tobytes() == state["numpy"].tobytes()
    assert read["empty"].shape == (0, 3)
    assert torch.equal(read["mask"], state["mask"])
    assert np.float32(read["number"]) == state["number"]
    assert read["plain"] == state["plain"]


def test_the_last_ones_are_kept(tmp_path):
    """A disk that is filled by a long training ends it."""
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step in (8, 9, 10, 100):
        checkpoints.write(step, {"step": step})
    assert [path.name for path in checkpoints.paths()] == ["step-100", "step-10"]
    assert checkpoints.newest_whole() == tmp_path / "step-100"


@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_a_damaged_one_is_passed_over_and_removed(damage, tmp_path):
    """A disk that has lost a part of the newest must not cost the older one too."""
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step in (1, 2):
        checkpoints.write(step, {"weights": torch.ones(3)})
    path = tmp_path / "step-2" / ARRAYS
    content = path.read_bytes()
    path.write_bytes(content[:-1] if damage == "cut" else content[:-1] + b"x")
    if damage == "gone":
        path.unlink()
    newest = checkpoints.newest_whole()
    assert newest == tmp_path / "step-1"
    checkpoints.begin(newest)
    assert checkpoints.paths() == [newest]


@pytest.mark.parametrize("exchanges", [True, False])
def test_a_folder_stays_until_the_new_one_is_whole(exchanges, tmp_path, monkeypatch):
    """A full disk, or a kill, within the writing of a pipeline would leave none."""
    if not exchanges:
        monkeypatch.setattr(whole_folder, "_renameat2", lambda: None)
    target = tmp_path / "model"

    def fill(text, error=None):
        def write(folder):
            folder.mkdir()
            (folder / "file").write_text(text)
            if error is not None:
                raise error

        return write

    write_folder(target, fill("old"))
    with pytest.raises(OSError, match="full"):
        write_folder(target, fill("new", OSError("full")))
    assert (target / "file").read_text() == "old"
    write_folder(target, fill("new"))
    assert (target / "file").read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_what_a_kill_between_two_renames_leaves_is_put_back(tmp_path):
    """Where folders cannot be exchanged at once, there is a moment with none."""
    (tmp_path / ".model.old").mkdir()
    (tmp_path / ".model.tmp").mkdir()
    others = {".venv.old", ".cache.tmp", ".git.old"}
    for name in others:
        (tmp_path / name).mkdir()
    remove_leftovers(tmp_path, "model")
    assert {path.name for path in tmp_path.iterdir()} == {"model", *others}, "whoever made them"


@pytest.mark.parametrize("setting", ["frequency", "keep"])
def test_numbers_below_one_are_refused(setting, tmp_path):
    """None would be kept, and the user would find out after the crash."""
    with pytest.raises(ValueError, match=f"{setting} is 0"):
        Checkpoints(tmp_path, **{setting: 0})
