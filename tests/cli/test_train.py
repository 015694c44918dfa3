"""Options of `bertcrf train` that do not go together."""

from pathlib import Path

from spacy.cli import app
from typer.testing import CliRunner

import spacy_bertcrf.cli  # noqa: F401  # registers the commands

CONFIG = Path(__file__).parents[2] / "configs" / "cpu_cnn_crf.cfg"


def test_one_process_has_no_gradients_to_compress():
    """Whoever forgets --nproc would believe that they are sent in half."""
    result = CliRunner().invoke(app, ["bertcrf", "train", str(CONFIG), "--compress-gradients"])
    assert result.exit_code == 1
    assert "--nproc" in result.output
