"""`spacy-bertcrf.BertClassifier.v1`: Docs to the probabilities of classes."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d

from spacy_bertcrf.models.bert.bert_encoder import read_whole_texts
from spacy_bertcrf.models.bert.bert_shim import bert_shim
from spacy_bertcrf.models.bridge.in_place_update import update_in_place
from spacy_bertcrf.models.bridge.rows import concatenated, parted
from spacy_bertcrf.models.classifier.classification_gradient import (
    exclusive_gradient,
    multilabel_gradient,
)
from spacy_bertcrf.models.classifier.text_classifier import (
    TextClassifier,
    build_text_classifier,
    grow_text_classifier,
)
from spacy_bertcrf.models.listeners import unread
from spacy_bertcrf.models.types import ClassifierModel, Tok2Vec

POOLINGS = ("cls", "mean", "attention")
BALANCED = "balanced"


@dataclass(frozen=True)
class ClassifierSettings:
    """What a classifier's config says of its loss. thinc does not save it with the model, so that
    the config that a pipeline is loaded with counts."""

    exclusive_classes: bool
    label_smoothing: float
    class_weights: str | Mapping[str, float] | None


def BertClassifier(
    tok2vec: Tok2Vec,
    exclusive_classes: bool,
    pooling: str = "cls",
    label_smoothing: float = 0.0,
    class_weights: str | dict[str, float] | None = None,
) -> ClassifierModel:
    """A model for spaCy's `textcat` and `textcat_multilabel`: vectors, pooled to one for each
    text, dropout, and a projection to the classes. It learns by cross-entropy, the mean over the
    annotated texts of a batch.

    tok2vec: a `spacy-bertcrf.BertEncoder.v1` inside the component; to share an encoder with other
        components, a listener (`spacy.Tok2VecListener.v1`,
        `spacy-transformers.TransformerListener.v1`); or any of spaCy's own.
    exclusive_classes: true for `textcat`, where each text has one class (softmax), false for
        `textcat_multilabel` (a sigmoid for each).
    pooling: the vector of a text is that of BERT's [CLS] (the mean over windows if the text has
        several), which needs a BertEncoder of its own, or the "mean" of its tokens' vectors, or
        their mean with weights that are learned, "attention".
    label_smoothing: s, of the target (1 − s) · truth + s/K for K classes, K = 2 for each of
        several labels (Szegedy et al. 2016, https://arxiv.org/abs/1512.00567).
    class_weights: what a text counts by its class, 1 for classes that are not named; for
        several labels, what the positives of each count, against 1 for its negatives.
        "balanced": n/(K · n_k) for a class that n_k of n texts have; for several labels
        (n − n_k)/n_k. Weights need `spacy-bertcrf.prepare_classifiers.v1` as
        [initialize.after_init], for a model does not know its labels' names.

    Weights and smoothing are in the gradients alone: the loss that spaCy's components report is
    their own, the mean square error of the probabilities. In `textcat`, a Doc without categories
    is not learned from.

    Raises ValueError for a setting that cannot be. In training, it raises it for class weights
    that are not prepared.
    """
    _check(pooling, label_smoothing, class_weights)
    if pooling == "cls":
        _read_cls(tok2vec)
    classifier = TextClassifier(attention=pooling == "attention")
    model: ClassifierModel = Model(
        "bert_classifier",
        _forward,
        init=partial(_init, pooling=pooling),
        layers=[tok2vec, classifier],
        refs={"tok2vec": tok2vec, "classifier": classifier},
        attrs={
            "settings": ClassifierSettings(exclusive_classes, label_smoothing, class_weights),
            "label_weights": None,
            "resize_output": _resize,
        },
        dims={"nO": None},
    )
    update_in_place(tok2vec)
    return model


def classifier_settings(model: Any) -> ClassifierSettings | None:
    """What the config says, None if the model is no BertClassifier."""
    settings = model.attrs.get("settings") if isinstance(model, Model) else None
    return settings if isinstance(settings, ClassifierSettings) else None


def _read_cls(tok2vec: Tok2Vec) -> None:
    try:
        read_whole_texts(tok2vec)
    except ValueError as error:
        raise ValueError(
            'pooling is "cls", and the tok2vec of the classifier is no BertEncoder of its own but '
            f'"{tok2vec.name}", which gives the vectors of tokens alone. Over a shared encoder set '
            'pooling = "mean" or "attention".'
        ) from error


def _init(
    model: ClassifierModel,
    X: list[Doc] | None = None,
    Y: Floats2d | None = None,
    *,
    pooling: str,
) -> None:
    """X: a few Docs. Y: (n_docs, n_labels)."""
    if X is None or Y is None:
        raise ValueError("A BertClassifier is initialized with X, some Docs, and Y, their truths.")
    if model.attrs["settings"].exclusive_classes and (Y.sum(axis=1) > 1).any():
        raise ValueError(
            "The model has exclusive_classes = true, and a text of the training corpus has several "
            "classes. Set exclusive_classes = false, as textcat_multilabel needs it."
        )
    if model.has_dim("nO"):
        return
    tok2vec = model.get_ref("tok2vec")
    tok2vec.initialize(X=X)
    if pooling == "cls" and not bert_shim(tok2vec).tokenizer.prefix:
        raise ValueError(
            'pooling is "cls", but the tokenizer of this encoder puts no special token before a '
            'text. Set pooling = "mean" or "attention".'
        )
    input_width = tok2vec.predict(X)[0].shape[1]
    build_text_classifier(model.get_ref("classifier"), input_width, Y.shape[1])
    model.set_dim("nO", Y.shape[1])


def _resize(model: ClassifierModel, n_labels: int) -> ClassifierModel:
    """More labels for a trained model, as spaCy's components ask for it."""
    if model.has_dim("nO") and n_labels > model.get_dim("nO"):
        added = n_labels - model.get_dim("nO")
        grow_text_classifier(model.get_ref("classifier"), n_labels)
        model.set_dim("nO", n_labels, force=True)
        if model.attrs["label_weights"] is not None:
            model.attrs["label_weights"] = [*model.attrs["label_weights"], *[1.0] * added]
    return model


def _forward(
    model: ClassifierModel, docs: list[Doc], is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], list[Doc]]]:
    settings: ClassifierSettings = model.attrs["settings"]
    tok2vec = model.get_ref("tok2vec")
    fault = None if is_train else unread(tok2vec, docs)
    if fault is not None:
        # No error: `spacy debug model` predicts from such Docs.
        warnings.warn(f"A text classifier {fault}", stacklevel=2)
    by_doc, backprop_tok2vec = tok2vec(docs, is_train)
    vectors = concatenated(model.ops, by_doc)
    logits, backprop_classifier = model.get_ref("classifier")(vectors, is_train)
    exclusive = settings.exclusive_classes
    scores = model.ops.softmax(logits) if exclusive else model.ops.sigmoid(logits)
    gradient = exclusive_gradient if exclusive else multilabel_gradient

    def backprop(d_scores: Floats2d) -> list[Doc]:
        weights = _label_weights(model, settings)
        d_logits = gradient(scores, d_scores, settings.label_smoothing, weights)
        backprop_tok2vec(parted(model.ops, backprop_classifier(d_logits)))
        return docs

    return scores, backprop


def _label_weights(model: ClassifierModel, settings: ClassifierSettings) -> list[float] | None:
    if settings.class_weights is None:
        return None
    weights: list[float] | None = model.attrs["label_weights"]
    if weights is None:
        raise ValueError(
            "The classifier has class_weights, but does not know which of its labels are which. "
            "Write into the config: [initialize.after_init] with @callbacks = "
            '"spacy-bertcrf.prepare_classifiers.v1".'
        )
    return weights


def _check(
    pooling: str, label_smoothing: float, class_weights: str | Mapping[str, float] | None
) -> None:
    if pooling not in POOLINGS:
        raise ValueError(f"pooling is '{pooling}'; it can be {', '.join(POOLINGS)}.")
    if not 0 <= label_smoothing < 1:
        raise ValueError(
            f"label_smoothing is {label_smoothing}; it is a share, from 0 to less than 1."
        )
    if isinstance(class_weights, str) and class_weights != BALANCED:
        raise ValueError(
            f"class_weights is '{class_weights}'; it can be \"{BALANCED}\", or a number for each "
            'label, such as {"sports": 2.0}.'
        )
    if isinstance(class_weights, Mapping):
        for label, weight in class_weights.items():
            if not weight > 0:
                raise ValueError(f"The class weight of '{label}' is {weight}; it must be above 0.")
