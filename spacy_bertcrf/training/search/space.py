"""Which settings of a config are searched, and in which bounds."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna import Trial

RATE = "training.optimizer.learn_rate.initial_rate"
SCALES = {
    "training.optimizer.groups.sequence_layer.learn_rate_scale": (1.0, 30.0),
    "training.optimizer.groups.crf.learn_rate_scale": (1.0, 60.0),
}
DROPOUT = "training.dropout"
BATCH = "training.batcher.size"
ENCODER = "components.bertcrf.model.encoder"
ENCODERS = ("Identity", "ResidualBiLSTM", "TCN")
RATE_FACTOR = 5.0  # upwards and downwards of the config's
BATCH_FACTORS = (0.25, 0.5, 1.0, 2.0)


def draw(trial: "Trial", config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a trial, of those that the config has: the learning rate of BERT, how many
    times as fast the layers on it learn, the dropout, the size of a batch, the sequence layer.

    config: the one that is searched around, with all variables replaced.

    Returns the values by the names of the settings; a block is a mapping. Raises ValueError for a
    config that has none of these settings.
    """
    drawn: dict[str, Any] = {}
    rate = _setting(config, RATE)
    if isinstance(rate, float):
        drawn[RATE] = trial.suggest_float(RATE, rate / RATE_FACTOR, rate * RATE_FACTOR, log=True)
    for key, (least, most) in SCALES.items():
        if _setting(config, key) is not None:
            drawn[key] = trial.suggest_float(key, least, most, log=True)
    if _setting(config, DROPOUT) is not None:
        drawn[DROPOUT] = trial.suggest_float(DROPOUT, 0.0, 0.5, step=0.05)
    size = _setting(config, BATCH)
    if isinstance(size, int):
        sizes = [max(1, round(size * factor)) for factor in BATCH_FACTORS]
        drawn[BATCH] = trial.suggest_categorical(BATCH, sizes)
    if _setting(config, ENCODER) is not None:
        name = trial.suggest_categorical(ENCODER, ENCODERS)
        drawn[ENCODER] = {"@layers": f"spacy-bertcrf.{name}.v1"}
    if not drawn:
        raise ValueError(
            "The config has none of the settings that are searched: "
            f"{', '.join([RATE, *SCALES, DROPOUT, BATCH, ENCODER])}."
        )
    return drawn


def _setting(config: Mapping[str, Any], key: str) -> Any:
    found: Any = config
    for part in key.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found
