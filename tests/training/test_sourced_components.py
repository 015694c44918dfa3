"""Components with `source`, trained on by `spacy train` and `bertcrf train`."""

import io
import warnings
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import spacy
import srsly
from spacy.language import Language
from spacy.tokens import DocBin
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as spacy_train
from spacy.util import load_config
from thinc.api import Config

from spacy_bertcrf.training.loop import train as bertcrf_train
from spacy_bertcrf.training.optimizer.adamw import AdamW
from spacy_bertcrf.training.optimizer.schedules import WarmupDecay

ROOT = Path(__file__).parents[2]
N_STEPS = 8
TRAINS: dict[str, Callable[..., Any]] = {"spacy train": spacy_train, "bertcrf train": bertcrf_train}
SMALL = {
    "cpu_cnn_crf": {
        "components.bertcrf.model.tok2vec.width": 16,
        "components.bertcrf.model.encoder.hidden_width": 8,
    },
    "shared_transformer": {"components.bertcrf.model.encoder.hidden_width": 8},
}


@pytest.fixture(scope="module")
def model_best(
    make_nlp: Callable[..., Language],
    make_examples: Callable[[Language], list[Example]],
    train_corpus: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], Path]:
    """A pipeline of a shipped config on disk."""

    def save(config: str) -> Path:
        nlp = make_nlp(config, **SMALL[config])
        nlp.initialize(lambda: make_examples(nlp))
        path = tmp_path_factory.mktemp("source") / "model-best"
        nlp.to_disk(path)
        return path

    return save


@pytest.fixture
def sourcing(train_corpus, tiny_bert, spy):
    """The config of a training of N_STEPS steps whose components come from another pipeline."""

    def build(model_best: Path, config: str = "cpu_cnn_crf", **blocks: Any) -> Config:
        overrides = {"paths.train": str(train_corpus), "paths.dev": str(train_corpus)}
        if config != "cpu_cnn_crf":
            overrides["paths.transformer"] = str(tiny_bert)
        loaded = load_config(ROOT / "configs" / f"{config}.cfg", overrides=overrides)
        for name in loaded["components"]:
            loaded["components"][name] = {"source": str(model_best)}
        loaded["training"].update(max_epochs=0, max_steps=N_STEPS - 1, eval_frequency=4)
        loaded["training"]["logger"] = {"@loggers": "tests.spy.v1"}
        for path, block in blocks.items():
            *parents, last = path.split(".")
            node = loaded
            for parent in parents:
                node = node[parent]
            node[last] = block
        return loaded

    return build


@pytest.fixture(params=TRAINS)
def train(request, spy):
    """Train by each of the commands; returns the pipeline and the rate of each step."""

    def run(config: Config) -> tuple[Language, list[float]]:
        rates: list[float] = []
        nlp = init_nlp(config)
        step_schedules = AdamW.step_schedules

        def watched(optimizer: AdamW) -> None:
            rates.append(optimizer.learn_rate)
            step_schedules(optimizer)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(AdamW, "step_schedules", watched)
            TRAINS[request.param](nlp, None, stdout=io.StringIO(), stderr=io.StringIO())
        return nlp, rates

    return run


@pytest.mark.slow
@pytest.mark.parametrize("config", ["cpu_cnn_crf", "shared_transformer"])
def test_the_schedule_runs_over_this_training(config, model_best, sourcing, train, recwarn):
    """Warm-up and decay never ran, and the warning gave advice about textcat."""
    source = model_best(config)
    recwarn.clear()
    loaded = sourcing(source, config)
    settings = loaded["training"]["optimizer"]["learn_rate"]
    _, rates = train(loaded)
    schedule = WarmupDecay(
        settings["initial_rate"], settings["warmup"], settings["decay"], total_steps=N_STEPS
    )
    assert rates == pytest.approx(list(islice(schedule, N_STEPS)))
    assert not [w for w in recwarn if "learn_rate" in str(w.message)]


def with_product(folder: Path, train_corpus: Path) -> Path:
    """The corpus with a label more."""
    nlp = spacy.blank("zh")
    docs = list(DocBin().from_disk(train_corpus).get_docs(nlp.vocab))
    doc = nlp.make_doc("他喜欢电脑。")
    doc.ents = [doc.char_span(3, 5, label="product")]
    path = folder / "product.spacy"
    DocBin(docs=[*docs, doc]).to_disk(path)
    return path


@pytest.mark.slow
def test_it_grows_by_the_labels_of_the_corpus(model_best, sourcing, train, train_corpus, tmp_path):
    """The only advice was one that cannot be followed with `source`."""
    corpus = with_product(tmp_path, train_corpus)
    config = sourcing(model_best("cpu_cnn_crf"), **{"corpora.train.path": str(corpus)})
    with pytest.warns(UserWarning, match="'bertcrf' comes from another.*grows by them: product"):
        nlp, _ = train(config)
    assert nlp.pipe_labels["bertcrf"] == ["address", "name", "organization", "product"]


@pytest.mark.slow
def test_labels_can_be_given(model_best, sourcing, train, train_corpus, tmp_path, recwarn):
    corpus = with_product(tmp_path, train_corpus)
    labels = ["address", "name", "organization", "product", "event"]
    srsly.write_json(tmp_path / "bertcrf.json", labels)
    reader = {"@readers": "spacy.read_labels.v1", "path": str(tmp_path / "bertcrf.json")}
    config = sourcing(
        model_best("cpu_cnn_crf"),
        **{
            "corpora.train.path": str(corpus),
            "initialize.components": {"bertcrf": {"labels": reader}},
        },
    )
    recwarn.clear()
    nlp, _ = train(config)
    assert nlp.pipe_labels["bertcrf"] == labels
    assert not [w for w in recwarn if "grows" in str(w.message)]


@pytest.mark.slow
def test_labels_that_lack_what_was_learned_are_refused(model_best, sourcing, train):
    blocks = {"initialize.components": {"bertcrf": {"labels": ["name"]}}}
    with pytest.raises(ValueError, match="address, organization would be lost"):
        train(sourcing(model_best("cpu_cnn_crf"), **blocks))


@pytest.mark.slow
def test_a_frozen_component_stays_as_it_is(model_best, sourcing, train, train_corpus, tmp_path):
    """What does not learn needs no label."""
    corpus = with_product(tmp_path, train_corpus)
    config = sourcing(model_best("cpu_cnn_crf"), **{"corpora.train.path": str(corpus)})
    config["training"]["frozen_components"] = ["bertcrf"]
    config["nlp"]["pipeline"] = ["bertcrf", "textcat"]
    config["components"]["textcat"] = {"factory": "textcat"}
    config["initialize"]["components"] = {"textcat": {"labels": ["A", "B"]}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nlp, _ = train(config)
    assert nlp.pipe_labels["bertcrf"] == ["address", "name", "organization"]


@pytest.mark.slow
def test_a_label_that_a_stream_has_later_is_told_with_the_block_to_paste(
    sourcing, train, train_corpus, tmp_path
):
    """`initialize` sees 100 examples of a stream, and nobody knew why the training ended."""
    nlp = spacy.blank("zh")
    known = list(DocBin().from_disk(train_corpus).get_docs(nlp.vocab))
    new = list(DocBin().from_disk(with_product(tmp_path, train_corpus)).get_docs(nlp.vocab))
    DocBin(docs=known * 20 + new).to_disk(tmp_path / "stream.spacy")
    config = load_config(
        ROOT / "configs" / "cpu_cnn_crf.cfg",
        overrides={
            **SMALL["cpu_cnn_crf"],
            "paths.train": str(tmp_path / "stream.spacy"),
            "paths.dev": str(train_corpus),
            "training.max_epochs": -1,
            "training.max_steps": 100,
        },
    )
    config["training"]["logger"] = {"@loggers": "tests.spy.v1"}
    with pytest.raises(ValueError, match=r"spacy init labels(.|\n)*components\.bertcrf\.labels"):
        train(config)
