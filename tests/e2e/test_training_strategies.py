"""`spacy train` with optimizer, schedule, averages and unfreezing, each a block of the config."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from spacy.cli.debug_config import debug_config
from spacy.cli.train import train
from spacy.language import Language
from spacy.training.corpus import Corpus
from spacy.util import load_config
from thinc.api import Config, Optimizer, PyTorchShim

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
ADAMW = {
    "@optimizers": "spacy-bertcrf.AdamW.v1",
    "groups": {
        "crf": {"pattern": "crf.*", "learn_rate_scale": 10.0, "weight_decay": 0.0},
        "tagger": {
            "pattern": "sequence_tagger.*",
            "learn_rate": {"@schedules": "constant.v1", "rate": 0.01},
        },
    },
    "learn_rate": {
        "@schedules": "spacy-bertcrf.warmup_decay.v1",
        "initial_rate": 0.01,
        "warmup": 0.25,
        "decay": "cosine",
    },
}
EMA = {"@misc": "spacy-bertcrf.EMA.v1", "decay": 0.8}
SWA = {"@misc": "spacy-bertcrf.SWA.v1", "start": 0.5, "every": 1}
ADAM = {"@optimizers": "Adam.v1", "use_averages": True, "learn_rate": 0.01}
CONFIGS = ["cpu_cnn_crf", "bert_tcn_crf", "shared_transformer"]


@pytest.fixture
def write_config(
    train_corpus: Path, tiny_bert: Path, tmp_path: Path
) -> Callable[[str, dict[str, Any]], tuple[Path, dict[str, Any]]]:
    """A shipped config with other settings in [training], as a user would write it, and what its
    paths are."""

    def write(name: str, training: dict[str, Any]) -> tuple[Path, dict[str, Any]]:
        config = load_config(ROOT / "configs" / f"{name}.cfg")
        config["training"].update({"max_epochs": 6, "eval_frequency": 3} | training)
        config["training"]["batcher"] = {
            "@batchers": "spacy.batch_by_sequence.v1",
            "size": 2,
            "get_length": None,
        }
        Config(config).to_disk(tmp_path / "config.cfg", interpolate=False)
        paths = {"paths.train": str(train_corpus), "paths.dev": str(train_corpus)}
        if name != "cpu_cnn_crf":
            paths["paths.transformer"] = str(tiny_bert)
        return tmp_path / "config.cfg", paths

    return write


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Optimizer, float]]:
    """The optimizer and its learning rate at each step of what is trained."""
    steps = []
    for kind in {Optimizer, spacy.registry.optimizers.get("spacy-bertcrf.AdamW.v1")}:
        original = kind.step_schedules

        def step_schedules(self: Optimizer, original: Callable = original) -> None:
            steps.append((self, self.learn_rate))
            original(self)

        monkeypatch.setattr(kind, "step_schedules", step_schedules)
    return steps


@pytest.mark.parametrize("config", CONFIGS)
def test_the_rate_ends_with_the_training(config, write_config, watched, tmp_path):
    """Else warm-up and decay would be those of a training that is longer or shorter."""
    path, paths = write_config(config, {"optimizer": ADAMW})
    train(path, tmp_path / "out", overrides=paths)
    rates = [rate for _, rate in watched]
    assert len(rates) == 18
    assert max(rates) == rates[4] == 0.01
    assert 0 < rates[0] < rates[1]
    assert 0 < rates[-1] < 0.001
    (optimizer,) = {id(found): found for found, _ in watched}.values()
    assert optimizer.learn_rates["tagger"] == 0.01
    assert optimizer.learn_rates["crf"] == pytest.approx(10 * optimizer.learn_rate)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize(
    "optimizer",
    [ADAMW | {"averages": EMA}, ADAMW | {"averages": SWA}, ADAM],
    ids=["ema", "swa", "spacy"],
)
def test_what_is_evaluated_is_what_is_saved(
    config, optimizer, write_config, watched, train_corpus, tmp_path, monkeypatch
):
    """Else model-best would not be the model whose score chose it, or the training would go on
    from the averages."""
    path, paths = write_config(config, {"optimizer": optimizer})
    evaluated, trained = [], {}
    original = Language.evaluate

    def evaluate(nlp: Language, examples: Any, **settings: Any) -> dict[str, Any]:
        scores = original(nlp, examples, **settings)
        evaluated.append((scores["ents_f"], weights(nlp)))
        trained["nlp"] = nlp
        return scores

    monkeypatch.setattr(Language, "evaluate", evaluate)
    train(path, tmp_path / "out", overrides=paths)
    monkeypatch.undo()
    best = spacy.load(tmp_path / "out" / "model-best")
    # Of equal scores, spaCy takes the last.
    best_f, best_weights = max(reversed(evaluated), key=lambda pair: pair[0])
    assert best.evaluate(list(Corpus(train_corpus)(best)))["ents_f"] == best_f
    for name, value in weights(best).items():
        np.testing.assert_array_equal(value, best_weights[name], err_msg=name)
    last = spacy.load(tmp_path / "out" / "model-last")
    averages = watched[-1][0].averages
    assert averages
    # What is trained on is not the average, which model-last is.
    for name, value in weights(trained["nlp"]).items():
        if "pooler" not in name and "pieceless" not in name:
            assert not np.array_equal(value, weights(last)[name]), name


def test_layers_thaw_in_spacy_train(write_config, tmp_path, watched):
    """A callback of [training.before_update] is all that it takes, also where BERT is shared."""
    unfreezing = {
        "@callbacks": "spacy-bertcrf.gradual_unfreezing.v1",
        "component": "transformer",
        "every": 2,
        "unit": "epochs",
    }
    path, paths = write_config(
        "shared_transformer", {"optimizer": ADAMW, "before_update": unfreezing}
    )
    train(path, tmp_path / "out", overrides=paths)
    optimizer = watched[0][0]
    counts = {name: n for (_, name), n in optimizer.nr_update.items() if n}
    assert counts["transitions"] == 18
    assert counts["encoder.layer.0.output.dense.weight"] == 12
    assert counts["embeddings.word_embeddings.weight"] == 6


def test_debug_config_needs_no_corpus(write_config, capsys):
    """It is what users check a config with before they have moved their data."""
    path, paths = write_config("bert_crf", {"optimizer": ADAMW | {"averages": SWA}})
    debug_config(path, overrides=paths | {"paths.train": "nowhere.spacy"})
    assert "Config is valid" in capsys.readouterr().out


def weights(nlp: Language) -> dict[str, np.ndarray]:
    """Copies of all weights, by component and layer."""
    found = {}
    for component, pipe in nlp.components:
        for i, node in enumerate(pipe.model.walk()):
            for name in node.param_names:
                if node.has_param(name):
                    found[f"{component}.{i}.{name}"] = np.copy(node.get_param(name))
            for shim in node.shims:
                if isinstance(shim, PyTorchShim):
                    for name, parameter in shim._model.named_parameters():
                        found[f"{component}.{i}.{name}"] = parameter.detach().numpy().copy()
    return found
