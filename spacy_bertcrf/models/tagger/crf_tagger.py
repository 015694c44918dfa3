"""`spacy-bertcrf.CRFTagger.v1`: Docs to emissions, with the CRF beside them."""

from collections.abc import Callable

from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Ragged

from spacy_bertcrf.models.bridge.in_place_update import update_in_place
from spacy_bertcrf.models.bridge.rows import concatenated, parted
from spacy_bertcrf.models.tagger.crf import CRF, build_crf
from spacy_bertcrf.models.tagger.sequence_tagger import SequenceTagger, build_sequence_tagger
from spacy_bertcrf.models.types import Array, CRFTaggerModel, EncoderBuilder, Tok2Vec
from spacy_bertcrf.tagging import TagSet


def CRFTagger(
    tok2vec: Tok2Vec,
    encoder: EncoderBuilder,
    freeze_tok2vec: bool = False,
) -> CRFTaggerModel:
    """Token vectors, a sequence layer, a projection to tag scores, and a linear-chain CRF
    (Huang et al. 2015, https://arxiv.org/abs/1508.01991).

    tok2vec: one vector for each token: a BERT (`spacy-bertcrf.BertEncoder.v1` inside the
        component, `spacy-transformers.TransformerListener.v1` for one that is shared) or any of
        spaCy's own.
    encoder: the sequence layer: `spacy-bertcrf.BiLSTM.v1`, `spacy-bertcrf.TCN.v1` or
        `spacy-bertcrf.Identity.v1`.
    freeze_tok2vec: use the token vectors as they are and leave the weights behind them
        untouched. For a shared transformer, freeze that component instead (`frozen_components`
        and `annotating_components` in the training config).

    The model gives the emissions; the layer behind its ref "crf" turns emissions and targets
    into losses. It is initialized with X, some Docs, and Y, the TagSet.

    Raises ValueError if a shared tok2vec is to be frozen.
    """
    if freeze_tok2vec and any(hasattr(node, "upstream_name") for node in tok2vec.walk()):
        raise ValueError(
            "freeze_tok2vec is for a tok2vec inside the component, and this one listens to a "
            "shared component. Freeze that one: write its name in 'training.frozen_components' "
            "and in 'training.annotating_components'."
        )
    sequence_tagger = SequenceTagger(encoder)
    crf = CRF()
    model: CRFTaggerModel = Model(
        "crf_tagger",
        _forward,
        init=_init,
        layers=[tok2vec, sequence_tagger, crf],
        refs={"tok2vec": tok2vec, "sequence_tagger": sequence_tagger, "crf": crf},
        attrs={"freeze_tok2vec": freeze_tok2vec, "token_dropout": 0.0},
        dims={"nO": None},
    )
    update_in_place(tok2vec)
    return model


def _init(model: CRFTaggerModel, X: list[Doc] | None = None, Y: TagSet | None = None) -> None:
    """X: a few Docs, one of them at least with a token. Y: the tags."""
    if X is None or Y is None:
        raise ValueError("A CRFTagger is initialized with X, some Docs, and Y, a TagSet.")
    tok2vec = model.get_ref("tok2vec")
    tok2vec.initialize(X=X)
    input_width = tok2vec.predict(X)[0].shape[1]
    build_sequence_tagger(model.get_ref("sequence_tagger"), input_width, len(Y))
    build_crf(model.get_ref("crf"), Y)
    model.set_dim("nO", len(Y))


def _forward(
    model: CRFTaggerModel, docs: list[Doc], is_train: bool
) -> tuple[Ragged, Callable[[Ragged], list[Doc]]]:
    tok2vec = model.get_ref("tok2vec")
    train_tok2vec = is_train and not model.attrs["freeze_tok2vec"]
    by_doc, backprop_tok2vec = tok2vec(docs, train_tok2vec)
    vectors = concatenated(model.ops, by_doc)
    kept = _kept_tokens(model, vectors) if is_train else None
    emissions, backprop_tagger = model.get_ref("sequence_tagger")(_times(vectors, kept), is_train)

    def backprop(d_emissions: Ragged) -> list[Doc]:
        d_vectors = backprop_tagger(d_emissions)
        if train_tok2vec:
            backprop_tok2vec(parted(model.ops, _times(d_vectors, kept)))
        return docs

    return emissions, backprop


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
