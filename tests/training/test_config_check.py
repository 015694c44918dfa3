"""Settings that spaCy drops, and numbers that end a training in its middle."""

import io
import re
from pathlib import Path

import pytest
from spacy.language import DEFAULT_CONFIG
from spacy.util import load_config
from typer.testing import CliRunner

from spacy_bertcrf.cli import app
from spacy_bertcrf.training.config_check import check_config
from spacy_bertcrf.training.loop import train

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.cfg"))


@pytest.mark.parametrize(
    ("section", "name", "advice"),
    [
        ("training", "patiance", "Did you mean 'patience'?"),
        ("training", "dev_corups", "Did you mean 'dev_corpus'?"),
        ("nlp", "batchsize", "Did you mean 'batch_size'?"),
        ("initialize", "after_innit", "Did you mean 'after_init'?"),
        ("training", "zzz", "It can be "),
    ],
)
def test_a_misspelt_setting_is_refused_with_the_nearest(section, name, advice):
    """It had no effect, and nobody was told."""
    said = f"[{section}] has no setting '{name}'. {advice}"
    with pytest.raises(ValueError, match=re.escape(said)):
        check_config({section: {name: 5}})


@pytest.mark.parametrize(
    ("name", "wrong", "allowed"),
    [
        ("eval_frequency", 0, 1),
        ("patience", -1, 0),
        ("max_steps", -1, 0),
        ("max_epochs", -2, -1),
        ("accumulate_gradient", 0, 1),
        ("dropout", 1.0, 0.9),
    ],
)
def test_a_number_that_cannot_be_is_an_error_that_says_what_can(name, wrong, allowed):
    """patience = -1 ended a training after its first step."""
    with pytest.raises(ValueError, match=rf"training\.{name} is {wrong}; it must be "):
        check_config({"training": {name: wrong}})
    check_config({"training": {name: allowed}})


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_what_spacy_and_the_shipped_configs_have_is_known(path):
    check_config(DEFAULT_CONFIG)
    check_config(load_config(path, interpolate=True))


def test_it_is_said_before_anything_is_built_and_all_at_once(tmp_path):
    config = load_config(CONFIGS[0], overrides={"training.eval_frequency": 0})
    config["training"]["patiance"] = 3
    config.to_disk(tmp_path / "config.cfg")
    arguments = ["bertcrf", "train", str(tmp_path / "config.cfg"), "-o", str(tmp_path / "out")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    for said in ("Nothing was trained", "'patience'?", "eval_frequency is 0"):
        assert said in result.output
    assert not (tmp_path / "out").exists()


def test_from_python_too(make_nlp):
    nlp = make_nlp(**{"training.patience": -1})
    with pytest.raises(ValueError, match=r"training\.patience is -1; it must be at least 0"):
        train(nlp, stdout=io.StringIO(), stderr=io.StringIO())
