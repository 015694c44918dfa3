"""`python -m spacy bertcrf tune`, from a config to a better one."""

import sys

import pytest
from spacy.cli import app
from spacy.util import load_config, load_model_from_config
from typer.testing import CliRunner

import spacy_bertcrf.cli  # noqa: F401  # registers the command
from spacy_bertcrf.training.search.space import draw
from spacy_bertcrf.training.search.study import BEST, STORAGE, best_config, open_study, search

optuna = pytest.importorskip("optuna")
CONFIG = "configs/cpu_cnn_crf.cfg"


@pytest.fixture
def small(train_corpus):
    return {
        "paths.train": str(train_corpus),
        "paths.dev": str(train_corpus),
        "components.bertcrf.model.tok2vec.width": 16,
        "components.bertcrf.model.encoder.hidden_width": 8,
        "training.max_epochs": 0,
        "training.max_steps": 2,
        "training.eval_frequency": 1,
    }


@pytest.fixture
def tune(small, tmp_path):
    def run(*args, config=CONFIG):
        options = [str(part) for key, value in small.items() for part in (f"--{key}", value)]
        command = ["bertcrf", "tune", str(config), "--output", str(tmp_path / "study")]
        result = CliRunner().invoke(app, [*command, *map(str, args), *options])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code, " ".join(result.output.split())

    return run


@pytest.mark.slow
def test_the_best_config_is_written_and_the_search_goes_on(tune, tmp_path):
    """A night of trials would be lost with the shell that they ran in."""
    code, said = tune("--trials", 2, "--seed", 0)
    assert code == 0, said
    code, said = tune("--trials", 3)
    assert code == 0, said
    assert "trial 2:" in said
    assert "trial 1:" not in said
    study = open_study(tmp_path / "study")
    assert len(study.trials) == 3
    best = load_config(tmp_path / "study" / BEST, interpolate=True)
    assert load_model_from_config(best, auto_fill=True).pipe_names == ["bertcrf"]
    rate = best["training"]["optimizer"]["learn_rate"]["initial_rate"]
    assert rate in study.best_params.values()
    assert best["training"]["logger"]["@loggers"] != "spacy-bertcrf.trial.v1"
    code, said = tune("--trials", 4, "--training.dropout", 0.3)
    assert code == 1, "scores of other trainings are compared"
    assert "is of another override. Name a new folder" in said


def test_a_damaged_study_is_told(tune, tmp_path):
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / STORAGE).write_bytes(b"no database" * 100)
    code, said = tune()
    assert code == 1
    assert f"{STORAGE} is no study, or a damaged one" in "".join(said.split("\n"))


@pytest.mark.slow
def test_a_hopeless_trial_is_stopped(small, tmp_path):
    """Each would cost as much as the best."""
    study = open_study(tmp_path / "study")
    study.pruner = optuna.pruners.ThresholdPruner(lower=2.0)
    search(study, CONFIG, small, 1)
    (trial,) = study.trials
    assert trial.state == optuna.trial.TrialState.PRUNED
    assert list(trial.intermediate_values) == [0]
    with pytest.raises(ValueError, match="to its end"):
        best_config(study, CONFIG, small)


def test_what_cannot_be_searched_is_told(tune):
    """Every trial would be the same training."""
    code, said = tune(config="no/such.cfg")
    assert (code, "There is no config" in said) == (1, True)
    with pytest.raises(ValueError, match="none of the settings"):
        draw(optuna.trial.FixedTrial({}), {"training": {"patience": 0}})


def test_without_optuna_the_extra_is_named(tune, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    code, said = tune()
    assert code == 1
    assert "spacy-bertcrf[tune]" in said
