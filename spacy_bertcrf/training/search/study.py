"""Trials of a study: trainings with drawn settings, of which the hopeless ones are stopped."""

import gc
import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import spacy
from spacy.language import Language
from spacy.training.initialize import init_nlp
from spacy.util import load_config
from thinc.api import Config

from spacy_bertcrf.training.loop import train
from spacy_bertcrf.training.made_by import require_same
from spacy_bertcrf.training.search.space import draw

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

NAME = "bertcrf"
STORAGE = "study.db"
BEST = "best.cfg"
MADE_BY = "made_by"
LOGGER = "spacy-bertcrf.trial.v1"


def open_study(
    folder: Path, seed: int | None = None, made_by: Mapping[str, Any] | None = None
) -> "Study":
    """The study that is kept in a folder, or a new one there. Several processes can share it.

    seed: of the sampler; the draws of several processes differ only without one.
    made_by: what its trials are made with, where some are to be made.

    Raises ImportError without Optuna, and ValueError if the folder's study is damaged or its trials
    were made with something else.
    """
    try:
        import optuna
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError as error:
        raise ImportError(
            "Hyperparameters are searched by Optuna. Install it: pip install 'spacy-bertcrf[tune]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    path = os.path.abspath(folder / STORAGE)
    try:
        study = optuna.create_study(
            study_name=NAME,
            storage=f"sqlite:///{path}",
            load_if_exists=True,
            direction="maximize",
            sampler=optuna.samplers.TPESampler(seed=seed),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=4),
        )
    except (SQLAlchemyError, optuna.exceptions.OptunaError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{path} is no study, or a damaged one: {reason}") from error
    if made_by is not None:
        require_same(folder, study.user_attrs.get(MADE_BY, made_by), made_by)
        study.set_user_attr(MADE_BY, dict(made_by))
    return study


def search(
    study: "Study",
    path: Path,
    overrides: dict[str, Any],
    n_trials: int,
    *,
    use_gpu: int = -1,
    told: Callable[["FrozenTrial"], None] = lambda trial: None,
) -> None:
    """Train with drawn settings until the study has so many trials, those that other processes and
    earlier runs have finished counted.

    path, overrides: of the config, as in `train`. A trial is as long as its training; its value is
        the best score. No pipeline is kept.
    told: called after each trial.

    Raises ValueError for a config that cannot be searched.
    """
    from optuna.study import MaxTrialsCallback
    from optuna.trial import TrialState

    ended = (TrialState.COMPLETE, TrialState.PRUNED)
    if len(study.get_trials(deepcopy=False, states=ended)) >= n_trials:
        return
    study.optimize(
        lambda trial: _train(trial, path, overrides, use_gpu),
        callbacks=[lambda _, trial: told(trial), MaxTrialsCallback(n_trials, states=ended)],
    )


def best_config(study: "Study", path: Path, overrides: dict[str, Any]) -> Config:
    """The config with the settings of the best trial. Raises ValueError if none is finished."""
    import optuna

    if not study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,)):
        raise ValueError("No trial of the study was trained to its end. Search with more --trials.")
    config = load_config(path, overrides=overrides, interpolate=False)
    fixed = optuna.trial.FixedTrial(study.best_params)
    return _with(config, draw(fixed, config.interpolate()))  # type: ignore[arg-type]


def _train(trial: "Trial", path: Path, overrides: dict[str, Any], use_gpu: int) -> float:
    config = load_config(path, overrides=overrides, interpolate=False)
    config = _with(config, draw(trial, config.interpolate()))
    scores: list[float] = []
    spacy.registry.loggers(LOGGER, func=lambda: _reporter(trial, scores))
    config["training"]["logger"] = {"@loggers": LOGGER}
    nlp = init_nlp(config, use_gpu=use_gpu)
    try:
        train(nlp, use_gpu=use_gpu, stdout=io.StringIO(), stderr=io.StringIO())
    finally:
        del nlp
        gc.collect()
    return max(scores)


def _reporter(trial: "Trial", scores: list[float]) -> Callable:
    """A logger that tells the trial of each score, and ends a training that is not worth it."""

    def start(nlp: Language, stdout: IO, stderr: IO) -> tuple[Callable, Callable]:
        from optuna import TrialPruned

        def log_step(info: dict[str, Any] | None) -> None:
            if info is None:
                return
            scores.append(float(info["score"]))
            trial.report(max(scores), info["step"])
            if trial.should_prune():
                raise TrialPruned

        return log_step, lambda: None

    return start


def _with(config: Config, drawn: dict[str, Any]) -> Config:
    for key, value in drawn.items():
        *sections, name = key.split(".")
        block: dict[str, Any] = config
        for section in sections:
            block = block[section]
        block[name] = value
    return config
