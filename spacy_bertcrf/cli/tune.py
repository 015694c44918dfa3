"""`python -m spacy bertcrf tune`: the hyperparameters of a config by search."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from wasabi import msg

from spacy_bertcrf.cli import bertcrf_app
from spacy_bertcrf.cli.devices import use_device

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

PLOT = "history.svg"
SHOWN = 10


@bertcrf_app.command(
    "tune", context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
def tune_cli(
    ctx: typer.Context,
    config: Annotated[Path, typer.Argument(help="Training config to search around")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the study and the best config")
    ],
    trials: Annotated[
        int, typer.Option(help="Trainings of the study, those counted that it has already", min=1)
    ] = 20,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the draws; for one process alone")
    ] = None,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """Search for the rates, the dropout, the batch and the sequence layer with the best score.

    Each trial is a training of the config (with overrides, as in `train`) with drawn settings; one
    whose score is below the median of the others at the same step is stopped. The study is kept in
    OUTPUT/study.db: the same command goes on with it, and several at once share it. Raising
    --trials goes on too. OUTPUT/best.cfg is the config with the best settings so far.
    """
    from spacy.cli._util import parse_config_overrides

    from spacy_bertcrf.training.made_by import made_by
    from spacy_bertcrf.training.search.study import BEST, best_config, open_study, search

    overrides = parse_config_overrides(ctx.args)
    try:
        if not config.is_file():
            raise ValueError(f"There is no config {config}.")
        use_device(gpu_id)
        study = open_study(output, seed, made_by(config, overrides))
        search(study, config, overrides, trials, use_gpu=gpu_id, told=_print_trial)
        best_config(study, config, overrides).to_disk(output / BEST)
    except (ValueError, ImportError, OSError) as err:
        msg.fail("The search has ended", str(err), exits=1)
    _print_table(study)
    _draw(study, output / PLOT)
    msg.good(f"Wrote {output / BEST}, with a score of {study.best_value:.4f}")


def _print_trial(trial: "FrozenTrial") -> None:
    scores = trial.intermediate_values
    what = f"{max(scores.values()):.4f}" if scores else "no score"
    msg.text(f"trial {trial.number}: {trial.state.name.lower()}, {what}, {_settings(trial)}")


def _print_table(study: "Study") -> None:
    finished = [trial for trial in study.trials if trial.value is not None]
    finished.sort(key=lambda trial: trial.value or 0.0, reverse=True)
    rows = [
        (trial.number, f"{trial.value:.4f}", trial.state.name.lower(), _settings(trial))
        for trial in finished[:SHOWN]
    ]
    msg.table(rows, header=("trial", "score", "", "settings"), max_col=200)


def _settings(trial: "FrozenTrial") -> str:
    return ", ".join(f"{key.split('.', 1)[1]} {_short(v)}" for key, v in trial.params.items())


def _short(value: Any) -> str:
    return f"{value:.2g}" if isinstance(value, float) else str(value)


def _draw(study: "Study", path: Path) -> None:
    from spacy_bertcrf.evaluation.figure_file import check_plot, image, write_whole

    try:
        check_plot(path)
    except ImportError as error:
        msg.info(f"No figure was written: {error}")
        return
    from optuna.exceptions import ExperimentalWarning
    from optuna.visualization.matplotlib import plot_optimization_history

    with warnings.catch_warnings():
        # It may change, and the figure with it.
        warnings.simplefilter("ignore", ExperimentalWarning)
        figure = plot_optimization_history(study).get_figure(root=True)
    assert figure is not None
    write_whole(path, image(figure, "svg"))
    msg.good(f"Wrote the scores by trial to {path}")
