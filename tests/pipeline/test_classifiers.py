"""BertClassifier in spaCy's own `textcat` and `textcat_multilabel`."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.tokens import DocBin
from spacy.training import Example
from spacy.util import fix_random_seed, load_config, load_model_from_config

from spacy_bertcrf.models.current_training import training_of

ROOT = Path(__file__).parents[2]
TEXTS = [
    ("上海大学的王芳来自广州。", "address"),
    ("北京的张伟喜欢", "address"),
    ("今天天气很好,适合出门。", "weather"),
    ("天气很好,今天出门。", "weather"),
    ("张伟在广州大学读书", "school"),
    ("王芳在大学读书", "school"),
]
LABELS = ["address", "weather", "school"]


def cats(*labels):
    return {label: float(label in labels) for label in LABELS}


def examples(nlp, texts=TEXTS):
    return [Example.from_dict(nlp.make_doc(t), {"cats": cats(label)}) for t, label in texts]


def docbin(path, texts):
    nlp = spacy.blank("zh")
    DocBin(docs=[example.reference for example in examples(nlp, texts)]).to_disk(path)
    return str(path)


@pytest.fixture
def pipeline(tiny_bert, tmp_path):
    """The pipeline of a shipped config; overrides as in `train`."""

    def build(config="bert_classifier", dev=TEXTS, **overrides):
        settings = {
            "paths.transformer": str(tiny_bert),
            "paths.train": docbin(tmp_path / "train.spacy", TEXTS),
            "paths.dev": docbin(tmp_path / "dev.spacy", dev),
            **overrides,
        }
        path = ROOT / "configs" / f"{config}.cfg"
        loaded = load_config(path, overrides=settings, interpolate=True)
        fix_random_seed(0)
        return load_model_from_config(loaded, auto_fill=True)

    return build


def learn(nlp, batch, n_steps=30, rate=0.01):
    optimizer = nlp.initialize(lambda: batch)
    optimizer.learn_rate = rate
    for _ in range(n_steps):
        nlp.update(batch, sgd=optimizer)
    return optimizer


@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["cls", "mean", "attention"])
def test_textcat_learns_texts_by_heart(pipeline, pooling, tmp_path):
    """And a pipeline that is loaded again, without an import, predicts the same."""
    nlp = pipeline(**{"components.textcat.model.pooling": pooling})
    learn(nlp, examples(nlp))
    scores = nlp.evaluate(examples(nlp))
    assert scores["cats_macro_f"] == scores["cats_micro_f"] == 1.0
    nlp.to_disk(tmp_path / "nlp")
    loaded = spacy.load(tmp_path / "nlp")
    text = TEXTS[0][0] * 80  # in several windows
    assert loaded(text).cats == pytest.approx(nlp(text).cats, abs=1e-5)
    assert sum(nlp(text).cats.values()) == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
def test_textcat_multilabel_learns_texts_with_several_classes(pipeline):
    nlp = pipeline(**{"components.textcat.model.exclusive_classes": False,
                      "components.textcat.factory": "textcat_multilabel",
                      "components.textcat.threshold": 0.5,
                      "components.textcat.scorer.multi_label": True})  # fmt: skip
    batch = examples(nlp)
    batch[0].reference.cats = cats("address", "school")
    batch[1].reference.cats = cats()
    learn(nlp, batch, 40)
    for example in batch:
        assert nlp(example.text).cats == pytest.approx(example.reference.cats, abs=0.4)


@pytest.mark.slow
def test_texts_without_a_class_are_neither_learned_nor_scored(pipeline):
    """Else Docs that are annotated for NER alone would spoil what `textcat` has learned."""
    nlp = pipeline()
    batch = examples(nlp)
    for example in batch[::2]:
        example.reference.cats = {}
    learn(nlp, batch)
    for example in batch[::2]:
        assert sum(nlp(example.text).cats.values()) == pytest.approx(1, abs=1e-5)
    fresh = examples(nlp)
    for example in fresh[::2]:
        example.reference.cats = {}
    assert nlp.evaluate(fresh)["cats_micro_p"] == 1.0


@pytest.mark.slow
def test_weights_are_those_of_the_labels_that_are_named(pipeline):
    """By the component's order of labels, which is not the config's."""
    weights = {"school": 5.0, "address": 0.5}
    nlp = pipeline(**{"components.textcat.model.class_weights": weights})
    nlp.initialize(lambda: examples(nlp))
    textcat = nlp.get_pipe("textcat")
    found = dict(zip(textcat.labels, textcat.model.attrs["label_weights"], strict=True))
    assert found == {"school": 5.0, "address": 0.5, "weather": 1.0}
    again = pipeline(**{"components.textcat.model.class_weights": weights})
    again.from_bytes(nlp.to_bytes())
    assert again.get_pipe("textcat").model.attrs["label_weights"] == list(found.values())


def test_balanced_weights_are_those_of_the_training_corpus(pipeline, tmp_path):
    nlp = pipeline(**{"components.textcat.model.class_weights": "balanced",
                      "paths.train": docbin(tmp_path / "rare.spacy", TEXTS[:5])})  # fmt: skip
    nlp.initialize(lambda: examples(nlp))
    textcat = nlp.get_pipe("textcat")
    found = dict(zip(textcat.labels, textcat.model.attrs["label_weights"], strict=True))
    assert found == pytest.approx({"address": 5 / 6, "weather": 5 / 6, "school": 5 / 3})


@pytest.mark.slow
def test_weights_of_unknown_labels_and_without_a_corpus_are_refused(pipeline):
    nlp = pipeline(**{"components.textcat.model.class_weights": {"sport": 2.0}})
    with pytest.raises(ValueError, match="name sport, and its labels are address, weather"):
        nlp.initialize(lambda: examples(nlp))
    nlp = pipeline(**{"components.textcat.model.class_weights": "balanced", "paths.train": None})
    with pytest.raises(ValueError, match="training corpus cannot be read"):
        nlp.initialize(lambda: examples(nlp))


@pytest.mark.slow
def test_labels_of_the_development_corpus_alone_are_reported(pipeline):
    """Else a class that cannot be learned looks like one that is hard."""
    nlp = pipeline()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nlp.initialize(lambda: examples(nlp))
    train_only = [(text, label) for text, label in TEXTS if label != "school"]
    nlp = pipeline(**{"components.textcat.model.pooling": "mean"})
    docbin(nlp.config["paths"]["train"], train_only)
    with pytest.warns(UserWarning, match=r"training corpus has: school \(2 documents\)"):
        nlp.initialize(lambda: examples(nlp))


@pytest.mark.slow
def test_a_development_corpus_that_cannot_judge_is_reported(pipeline):
    """All scores are the same from first to last, and nothing else tells why."""
    nlp = pipeline(dev=[])
    with pytest.warns(UserWarning, match="development corpus has no document with categories"):
        nlp.initialize(lambda: examples(nlp))


@pytest.mark.slow
def test_the_rate_falls_to_zero_at_the_last_step(pipeline):
    """A `textcat` tells its optimizer nothing; the callback does."""
    nlp = pipeline(**{"training.max_epochs": 0, "training.max_steps": 4})
    learn_rate = nlp.config["training"]["optimizer"]["learn_rate"]
    assert learn_rate["total_steps"] is None
    optimizer = nlp.initialize(lambda: examples(nlp))
    rates = []
    with training_of(nlp):
        for _ in range(6):
            nlp.update(examples(nlp), sgd=optimizer)
            rates.append(optimizer.learn_rate)
            optimizer.step_schedules()
    top = learn_rate["initial_rate"]
    assert rates == pytest.approx([top, 0.8 * top, 0.6 * top, 0.4 * top, 0.2 * top, 0])


@pytest.mark.slow
def test_gradients_are_limited_together(pipeline):
    """A norm for each parameter by itself is another training than the config's."""
    nlp = pipeline()
    optimizer = nlp.initialize(lambda: examples(nlp))
    nlp.get_pipe("textcat").update(examples(nlp))
    expected = 0.0
    for node in nlp.get_pipe("textcat").model.walk():
        for shim in node.shims:
            grads = [p.grad for p in shim.module.parameters() if p.grad is not None]
            expected += sum(float(grad.square().sum()) for grad in grads)
    nlp.get_pipe("textcat").finish_update(optimizer)
    assert optimizer.gradient_norm == pytest.approx(expected**0.5, rel=1e-4)


def test_groups_know_the_parameters_by_name(pipeline):
    """The names that README gives for patterns."""
    nlp = pipeline(**{"training.optimizer.groups.classifier.learn_rate_scale": 10.0,
                      "training.optimizer.layer_decay": 0.5})  # fmt: skip
    optimizer = nlp.initialize(lambda: examples(nlp))
    nlp.update(examples(nlp), sgd=optimizer)
    optimizer.step_schedules()
    assert optimizer.learn_rates["classifier"] == pytest.approx(10 * optimizer.learn_rate)


@pytest.mark.slow
def test_a_spacy_transformer_can_be_shared_by_listeners(make_nlp):
    """The other way to share an encoder: spacy-transformers' own component."""
    nlp = make_nlp("shared_transformer")
    model = {
        "@architectures": "spacy-bertcrf.BertClassifier.v1",
        "exclusive_classes": True,
        "pooling": "mean",
        "tok2vec": {
            "@architectures": "spacy-transformers.TransformerListener.v1",
            "grad_factor": 1.0,
            "upstream": "*",
            "pooling": {"@layers": "reduce_mean.v1"},
        },
    }
    nlp.add_pipe("textcat", config={"model": model})
    batch = examples(nlp)
    batch[0].reference.ents = [batch[0].reference.char_span(5, 7, label="name")]
    learn(nlp, batch, 40, 0.005)
    assert [max((c := nlp(t).cats), key=c.get) for t, _ in TEXTS] == [label for _, label in TEXTS]
    assert np.isfinite(nlp.evaluate(examples(nlp))["cats_score"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("factory", "exclusive", "needed"),
    [("textcat_multilabel", True, "false"), ("textcat", False, "true")],
)
def test_the_wrong_kind_of_classes_is_refused(pipeline, factory, exclusive, needed):
    """Else a text with two classes would be learned as half and half, or with none as anything."""
    nlp = pipeline(
        **{
            "components.textcat.factory": factory,
            "components.textcat.scorer": {"@scorers": f"spacy.{factory}_scorer.v2"},
            "components.textcat.model.exclusive_classes": exclusive,
        }
    )
    said = rf"'textcat' is a {factory}, .*Set exclusive_classes = {needed}"
    with pytest.raises(ValueError, match=said):
        nlp.initialize(lambda: examples(nlp))


def test_exclusive_classes_refuse_texts_with_several(pipeline):
    """Also without the callback that knows the component, if the corpus shows it."""
    nlp = pipeline(
        **{
            "components.textcat.factory": "textcat_multilabel",
            "components.textcat.scorer": {"@scorers": "spacy.textcat_multilabel_scorer.v2"},
        }
    )
    nlp.config["initialize"]["after_init"] = None
    two = {"cats": cats(*LABELS[:2])}
    both = [Example.from_dict(nlp.make_doc(text), two) for text, _ in TEXTS]
    with pytest.raises(ValueError, match=r"several classes\. Set exclusive_classes = false"):
        nlp.initialize(lambda: both)
