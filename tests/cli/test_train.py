"""Options of `bertcrf train` that do not go together."""

from pathlib import Path

import pytest
from spacy.cli import app
from typer.testing import CliRunner

import spacy_bertcrf.cli  # noqa: F401  # registers the commands
from spacy_bertcrf.cli.train import goes_on
from spacy_bertcrf.training.checkpoints.checkpoints import Checkpoints

CONFIG = Path(__file__).parents[2] / "configs" / "cpu_cnn_crf.cfg"


def test_one_process_has_no_gradients_to_compress():
    """Whoever forgets --nproc would believe that they are sent in half."""
    result = CliRunner().invoke(app, ["bertcrf", "train", str(CONFIG), "--compress-gradients"])
    assert result.exit_code == 1
    assert "--nproc" in result.output


def test_checkpoints_that_are_damaged_are_not_removed(tmp_path):
    """They can be put back from a copy, and a training is not lost."""
    checkpoints = Checkpoints(tmp_path)
    (tmp_path / "step-200").mkdir()
    with pytest.raises(ValueError, match="step-200 is a checkpoint of an earlier training"):
        goes_on(checkpoints, resume=False, overwrite=False)
    with pytest.raises(ValueError, match=r"No checkpoint in .* is whole"):
        goes_on(checkpoints, resume=True, overwrite=False)
    assert goes_on(checkpoints, resume=False, overwrite=True) is False
