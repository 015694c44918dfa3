"""The model that classifies texts."""

import numpy as np
import pytest
import spacy
import torch
from spacy.ml.models.tok2vec import tok2vec_listener_v1
from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import reduce_mean
from transformers import AutoModel, AutoTokenizer

from spacy_bertcrf.models.bert.bert_encoder import BertEncoder, read_whole_texts
from spacy_bertcrf.models.bert.windows import plan_windows
from spacy_bertcrf.models.classifier.bert_classifier import BertClassifier

POOLINGS = ["cls", "mean", "attention"]


@pytest.fixture
def classifier(bert_folder, bert_docs):
    """Make a classifier with its weights."""

    def make(pooling="cls", exclusive_classes=True, window=64, **settings):
        encoder = BertEncoder(str(bert_folder), window=window, overlap=2)
        model = BertClassifier(encoder, exclusive_classes, pooling, **settings)
        torch.manual_seed(0)
        model.initialize(X=bert_docs, Y=np.zeros((len(bert_docs), 3), dtype="float32"))
        return model

    return make


def hugging_face_cls(bert_folder, texts):
    """(n_texts, width), what transformers gives for [CLS]."""
    tokenizer = AutoTokenizer.from_pretrained(bert_folder)
    bert = AutoModel.from_pretrained(bert_folder).eval()
    with torch.no_grad():
        vectors = [bert(**tokenizer(text, return_tensors="pt"))[0][0, 0] for text in texts]
    return torch.stack(vectors).numpy()


def test_cls_is_that_of_transformers(encoder, bert_folder):
    """Else a text would be classified by some other wordpiece; order and batch are no matter."""
    texts = ["王小明在北京大学工作", "x1", "Windows10年", "在"]
    model = encoder(alignment="text")
    read_whole_texts(model)
    nlp = spacy.blank("zh")
    docs = [nlp(texts[0]), nlp(""), *map(nlp, texts[1:])]
    found = model.predict(docs)
    assert [vectors.shape for vectors in found] == [(1, 32)] * 5
    expected = hugging_face_cls(bert_folder, texts)
    np.testing.assert_allclose(np.concatenate([found[0], *found[2:]]), expected, atol=1e-5)
    pieceless = model.shims[0].module.pieceless.detach().numpy()
    np.testing.assert_allclose(found[1][0], pieceless)


def test_cls_of_a_long_text_is_the_mean_of_its_windows(encoder, bert_folder):
    """Else a long text would be classified by its beginning alone."""
    model = encoder(window=10, overlap=2)
    read_whole_texts(model)
    text = "王小明在北京大学工作年上海广州"
    n = np.arange(len(text))
    windows = plan_windows(np.asarray([len(text)]), n, n + 1, 8, 2)
    parts = [text[begin:end] for begin, end in zip(windows.begins, windows.ends, strict=True)]
    assert len(parts) > 1
    words = [Doc(Vocab(), words=list(part), spaces=[False] * len(part)) for part in (text, "在")]
    expected = hugging_face_cls(bert_folder, parts).mean(0)
    np.testing.assert_allclose(model.predict(words)[0][0], expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("exclusive", [True, False])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_scores_are_probabilities_that_saving_keeps(classifier, bert_docs, pooling, exclusive):
    model = classifier(pooling, exclusive)
    scores = model.predict(bert_docs)
    assert scores.shape == (len(bert_docs), 3)
    assert ((scores > 0) & (scores < 1)).all()
    if exclusive:
        np.testing.assert_allclose(scores.sum(1), 1, atol=1e-6)
    loaded = BertClassifier(BertEncoder("nowhere", window=64, overlap=2), exclusive, pooling)
    loaded.from_bytes(model.to_bytes())
    np.testing.assert_allclose(loaded.predict(bert_docs), scores, atol=1e-6)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_all_of_bert_learns(classifier, bert_docs, pooling):
    """Else fine-tuning would be that of the head alone."""
    model = classifier(pooling)
    scores, backprop = model.begin_update(bert_docs)
    truths = np.eye(3, dtype="float32")[[0, 1, 2, 0]]
    backprop(scores - truths)
    for node in model.walk():
        for shim in node.shims:
            for name, parameter in shim.module.named_parameters():
                if not name.endswith("key.bias"):  # of which attention's softmax is independent
                    assert parameter.grad is not None, name
                    assert parameter.grad.abs().sum() > 0, name


def test_weights_and_smoothing_are_the_configs_own(classifier, bert_docs):
    """What is saved must not win over the config that the pipeline is loaded with."""
    model = classifier(label_smoothing=0.3, class_weights={"a": 2.0})
    loaded = BertClassifier(BertEncoder("nowhere", window=64, overlap=2), True)
    loaded.from_bytes(model.to_bytes())
    assert loaded.attrs["settings"].label_smoothing == 0
    assert loaded.attrs["settings"].class_weights is None


def test_weights_that_no_label_is_known_for_are_an_error(classifier, bert_docs):
    """Else they would be left out without a word."""
    model = classifier(class_weights="balanced")
    scores, backprop = model.begin_update(bert_docs)
    with pytest.raises(ValueError, match="prepare_classifiers"):
        backprop(scores)


def test_a_trained_model_takes_more_labels(classifier, bert_docs):
    """Scores of the old labels keep their proportions, and no new one is predicted yet."""
    model = classifier()
    before = model.predict(bert_docs)
    model = model.attrs["resize_output"](model, 5)
    after = model.predict(bert_docs)
    assert after.shape == (len(bert_docs), 5)
    np.testing.assert_allclose(after[:, :3] / after[:, :3].sum(1, keepdims=True), before, atol=1e-5)
    assert (after.argmax(1) < 3).all()


def transformer_listener():
    architectures = pytest.importorskip("spacy_transformers.architectures")
    return architectures.transformer_listener_tok2vec_v1(reduce_mean(), "*", 1.0)


@pytest.mark.parametrize("listener", [lambda: tok2vec_listener_v1(32, "*"), transformer_listener])
def test_cls_of_a_shared_encoder_is_refused(listener):
    """It gives the vectors of tokens alone; the error comes when the config is read."""
    with pytest.raises(ValueError, match='Over a shared encoder set pooling = "mean"'):
        BertClassifier(listener(), True, "cls")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pooling": "max"}, "cls, mean, attention"),
        ({"label_smoothing": 1.0}, "from 0 to less than 1"),
        ({"class_weights": "even"}, 'can be "balanced"'),
        ({"class_weights": {"a": 0.0}}, "weight of 'a' is 0.0"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        BertClassifier(BertEncoder("nowhere"), True, **settings)
