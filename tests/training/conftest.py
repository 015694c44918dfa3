"""Short trainings by spaCy's own loop, and a BERT whose layers can be told apart."""

import io
from pathlib import Path

import catalogue
import pytest
import spacy
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import load_config

from spacy_bertcrf.pretraining.new_bert import Size, init_bert

ROOT = Path(__file__).parents[2]

SMALL = {
    "components.bertcrf.model.encoder.hidden_width": 16,
    "training.batcher.size": 40,
    "training.max_epochs": 0,
    "training.max_steps": 7,
    "training.eval_frequency": 3,
    "initialize.after_init.evaluations": 1,
    "training.optimizer.learn_rate.warmup": 0,
    "training.optimizer.learn_rate.initial_rate": 0.01,
}


class Spy:
    """A logger that keeps what spaCy tells loggers."""

    def __init__(self):
        self.infos = []
        self.nlp = None
        self.at_step = lambda: None

    def __call__(self, nlp, stdout, stderr):
        self.nlp = nlp

        def log_step(info):
            # Losses go on being added up in the same dict.
            self.infos.append(info and {**info, "losses": dict(info["losses"])})
            self.at_step()

        return log_step, lambda: None


@pytest.fixture
def spy():
    """The last logger of the chain that `train_with` trains with."""
    spy = Spy()
    spacy.registry.loggers.register("tests.spy.v1", func=lambda: spy)
    yield spy
    catalogue.REGISTRY.pop((*spacy.registry.loggers.namespace, "tests.spy.v1"))


@pytest.fixture
def train_with(spy, train_corpus, tiny_bert):
    """Train with loggers, chained by spaCy's `ChainLogger`; returns what was printed.

    loggers: their configs.
    config: one of the shipped ones; overrides as in `spacy train`.
    """

    def run(*loggers, config="cpu_cnn_crf", output=None, **overrides):
        overrides = {"paths.train": str(train_corpus), "paths.dev": str(train_corpus), **overrides}
        if config == "cpu_cnn_crf":
            overrides = {**SMALL, "components.bertcrf.model.tok2vec.width": 16, **overrides}
        else:
            overrides = {**SMALL, "paths.transformer": str(tiny_bert), **overrides}
        loaded = load_config(ROOT / "configs" / f"{config}.cfg", overrides=overrides)
        console = {"@loggers": "spacy.ConsoleLogger.v1", "progress_bar": False}
        chain = [console, *loggers, {"@loggers": "tests.spy.v1"}]
        loaded["training"]["logger"] = {
            "@loggers": "spacy.ChainLogger.v1",
            **{f"logger{i}": logger for i, logger in enumerate(chain, start=1)},
        }
        if output is not None:
            output.mkdir(exist_ok=True)
        stdout = io.StringIO()
        train(init_nlp(loaded), output, stdout=stdout, stderr=stdout)
        return stdout.getvalue()

    return run


@pytest.fixture(scope="session")
def deep_bert(train_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of three narrow layers with random weights."""
    folder = tmp_path_factory.mktemp("deep") / "bert"
    return init_bert(folder, [train_corpus], size=Size(3, 32, 2)).path
