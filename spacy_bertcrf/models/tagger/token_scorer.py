"""Docs to a row of scores for each token, with the layer beside it that makes losses of these."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Ragged

from spacy_bertcrf.models.bridge.in_place_update import update_in_place
from spacy_bertcrf.models.bridge.rows import concatenated, parted
from spacy_bertcrf.models.tagger.sequence_tagger import SequenceTagger, build_sequence_tagger
from spacy_bertcrf.models.types import Array, CRFTaggerModel, EncoderBuilder, Tok2Vec

CountScores: TypeAlias = Callable[[Any], int]
"""How many scores of a token the head reads, for the Y that a model is initialized with."""

BuildHead: TypeAlias = Callable[[Model, Any], None]
"""Gives the head its weights for this Y."""


@dataclass(frozen=True)
class Settings:
    """What the config sets. In a class of their own, for thinc saves what it knows among a model's
    attrs, and what is loaded would win over the config."""

    freeze_tok2vec: bool


def token_scorer(
    name: str,
    tok2vec: Tok2Vec,
    encoder: EncoderBuilder,
    head: Model,
    count_scores: CountScores,
    build_head: BuildHead,
    freeze_tok2vec: bool,
    refs: Mapping[str, Model],
) -> CRFTaggerModel:
    """Token vectors, a sequence layer and a projection to scores.

    tok2vec, encoder, freeze_tok2vec: as in `CRFTagger`.
    head: the layer that turns scores and targets into losses; no part of the forward pass.
    refs: further layers by their names in the model.

    It is initialized with X, some Docs, and Y, for `count_scores` and `build_head`.

    Raises ValueError if a shared tok2vec is to be frozen.
    """
    if freeze_tok2vec and any(hasattr(node, "upstream_name") for node in tok2vec.walk()):
        raise ValueError(
            "freeze_tok2vec is for a tok2vec inside the component, and this one listens to a "
            "shared component. Freeze that one: write its name in 'training.frozen_components' "
            "and in 'training.annotating_components'."
        )
    sequence_tagger = SequenceTagger(encoder)
    model: CRFTaggerModel = Model(
        name,
        _forward,
        init=partial(_init, count_scores, build_head),
        layers=[tok2vec, sequence_tagger, head],
        refs={"tok2vec": tok2vec, "sequence_tagger": sequence_tagger, **refs},
        attrs={"settings": Settings(freeze_tok2vec), "token_dropout": 0.0},
        dims={"nO": None},
    )
    update_in_place(tok2vec)
    return model


def _init(
    count_scores: CountScores,
    build_head: BuildHead,
    model: CRFTaggerModel,
    X: list[Doc] | None = None,
    Y: Any = None,
) -> None:
    """X: a few Docs, one of them at least with a token. Y: what is scored."""
    if X is None or Y is None:
        raise ValueError(f"A {model.name} is initialized with X, some Docs, and Y, what it scores.")
    tok2vec = model.get_ref("tok2vec")
    tok2vec.initialize(X=X)
    input_width = tok2vec.predict(X)[0].shape[1]
    n_scores = count_scores(Y)
    # In this order, for the random weights of a seed depend on it.
    build_sequence_tagger(model.get_ref("sequence_tagger"), input_width, n_scores)
    build_head(model.layers[2], Y)
    model.set_dim("nO", n_scores)


def _forward(
    model: CRFTaggerModel, docs: list[Doc], is_train: bool
) -> tuple[Ragged, Callable[[Ragged], list[Doc]]]:
    tok2vec = model.get_ref("tok2vec")
    train_tok2vec = is_train and not model.attrs["settings"].freeze_tok2vec
    by_doc, backprop_tok2vec = tok2vec(docs, train_tok2vec)
    vectors = concatenated(model.ops, by_doc)
    kept = _kept_tokens(model, vectors) if is_train else None
    scores, backprop_tagger = model.get_ref("sequence_tagger")(_times(vectors, kept), is_train)

    def backprop(d_scores: Ragged) -> list[Doc]:
        d_vectors = backprop_tagger(d_scores)
        if train_tok2vec:
            backprop_tok2vec(parted(model.ops, _times(d_vectors, kept)))
        return docs

    return scores, backprop


def _kept_tokens(model: Model, vectors: Ragged) -> Array | None:
    """(n_tokens, 1), what the vectors of tokens are multiplied by: 0, or more than 1 so that the
    mean stays; None where no token is dropped."""
    rate = model.attrs["token_dropout"]
    if not rate:
        return None
    xp = model.ops.xp
    is_kept = xp.random.uniform(size=(len(vectors.dataXd), 1)) >= rate
    return is_kept.astype("float32") / (1 - rate)


def _times(vectors: Ragged, factors: Array | None) -> Ragged:
    if factors is None:
        return vectors
    return Ragged(vectors.dataXd * factors, vectors.lengths)
