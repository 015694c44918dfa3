"""The strategies that a component is given."""

from collections.abc import Mapping
from typing import Any

from spacy_bertcrf.models.bridge.trained_parameters import Key
from spacy_bertcrf.models.strategy import Learn, Strategy
from spacy_bertcrf.models.types import CRFTaggerModel


def checked_strategies(strategies: Mapping[str, Any], model: CRFTaggerModel) -> dict[str, Strategy]:
    """The strategies by name.

    Raises ValueError if one is none, if two exclude one another, and if one cannot work with the
    model.
    """
    by_kind: dict[str, str] = {}
    for name, strategy in strategies.items():
        if not isinstance(strategy, Strategy):
            raise ValueError(
                f"'strategies.{name}' is {strategy!r}, not a strategy. Write, for example, "
                f'[components.bertcrf.strategies.{name}] and @misc = "spacy-bertcrf.FGM.v1".'
            )
        if strategy.kind in by_kind:
            raise ValueError(
                f"The strategies '{by_kind[strategy.kind]}' and '{name}' exclude one another: "
                f"both are of the kind '{strategy.kind}'. Take one of them out of the config."
            )
        if strategy.has_loss and strategy.reads_tags and not model.has_ref("crf"):
            raise ValueError(
                f"The strategy '{name}' has a loss on the scores of tags, and the head of the "
                "model scores spans. Take it out of the config, or take the head "
                "spacy-bertcrf.LabelCRFs.v1."
            )
        if strategy.kind:
            by_kind[strategy.kind] = name
        if name == "crf":
            raise ValueError("'crf' is the CRF's own loss; give the strategy another name.")
        strategy.check(model)
    if "weights" in by_kind and not any(strategy.has_loss for strategy in strategies.values()):
        raise ValueError(
            f"The strategy '{by_kind['weights']}' weights several losses, and there is only the "
            "CRF's. Add one, such as spacy-bertcrf.TokenCrossEntropy.v1."
        )
    return dict(strategies)


def optimizer_keys(strategies: Mapping[str, Strategy]) -> dict[str, Key]:
    """What the optimizer has the strategies' own parameters under, by strategy and name."""
    return {
        f"{name}/{part}": key
        for name, strategy in strategies.items()
        for part, key in strategy.optimizer_keys().items()
    }


def with_strategies(
    learn: Learn, strategies: Mapping[str, Strategy], model: CRFTaggerModel
) -> Learn:
    """`learn` with the strategies around it."""
    for strategy in strategies.values():
        learn = strategy.around(learn, model)
    return learn
