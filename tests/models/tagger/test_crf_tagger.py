"""`CRFTagger.v1` and the sequence layers: built from a config, sized by the data."""

import numpy as np
import pytest
from spacy import registry
from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import set_dropout_rate
from thinc.types import Ragged

from spacy_bertcrf import layers
from spacy_bertcrf.models.tagger.crf_tagger import CRFTagger
from spacy_bertcrf.tagging import TagSet

ENCODERS = {
    "BiLSTM": layers.BiLSTM,
    "ResidualBiLSTM": layers.Residual,
    "TCN": layers.TCN,
    "Identity": None,
}
TAG_SET = TagSet(["LOC", "PER"])


def make_model(encoder="Identity", **settings):
    tok2vec = registry.get("architectures", "spacy.HashEmbedCNN.v2")(
        width=8, depth=1, embed_size=50, window_size=1, maxout_pieces=2, subword_features=False,
        pretrained_vectors=None,
    )  # fmt: skip
    build = registry.get("layers", f"spacy-bertcrf.{encoder}.v1")
    return CRFTagger(tok2vec, build(**({} if encoder == "Identity" else settings)))


def make_docs(*lengths):
    vocab = Vocab()
    return [Doc(vocab, words=[f"w{i}" for i in range(length)]) for length in lengths]


@pytest.mark.parametrize("encoder", ENCODERS)
def test_each_encoder_is_built(encoder):
    """Else a config would train another architecture than the one it names."""
    model = make_model(encoder, hidden_width=6)
    model.initialize(X=make_docs(3, 1), Y=TAG_SET)
    module = model.get_ref("sequence_tagger").shims[0].module
    if ENCODERS[encoder] is None:
        assert module.encoder is None
        assert module.projection.in_features == 8
    else:
        assert type(module.encoder) is ENCODERS[encoder]
        assert module.projection.in_features == (14 if encoder == "ResidualBiLSTM" else 6)
    assert module.projection.out_features == len(TAG_SET)
    assert model.get_ref("crf").shims[0].module.num_tags == len(TAG_SET)


@pytest.mark.parametrize("encoder", ["BiLSTM", "TCN"])
def test_encoders_use_all_their_settings(encoder):
    """Else a setting in the config would be without effect."""
    settings = {"hidden_width": 6, "depth": 2, "dropout": 0.25}
    if encoder == "TCN":
        settings["kernel_size"] = 5
    module = registry.get("layers", f"spacy-bertcrf.{encoder}.v1")(**settings)(8)
    expected = ENCODERS[encoder](8, **settings)
    assert repr(module) == repr(expected)


@pytest.mark.parametrize(
    ("encoder", "settings", "message"),
    [
        ("BiLSTM", {"hidden_width": 7}, "hidden_width is 7"),
        ("TCN", {"hidden_width": 0}, "hidden_width is 0"),
        ("BiLSTM", {"depth": 0}, "depth is 0.*Identity"),
        ("ResidualBiLSTM", {"hidden_width": 7}, "hidden_width is 7"),
        ("TCN", {"depth": -1}, "depth is -1"),
        ("BiLSTM", {"dropout": 1.0}, "dropout is 1.0"),
        ("TCN", {"dropout": -0.1}, "dropout is -0.1"),
        ("TCN", {"kernel_size": 1}, "kernel_size is 1"),
    ],
)
def test_impossible_sizes_are_refused_at_once(encoder, settings, message):
    """Else torch would answer with an error about tensors, after BERT has been loaded."""
    with pytest.raises(ValueError, match=message):
        make_model(encoder, **settings)


def test_emissions_are_one_row_a_token():
    """Else the scores of one token would be read as those of another."""
    model = make_model("BiLSTM", hidden_width=6)
    docs = make_docs(3, 0, 1, 7, 0)
    model.initialize(X=docs, Y=TAG_SET)
    emissions = model.predict(docs)
    assert emissions.dataXd.shape == (11, len(TAG_SET))
    assert emissions.lengths.tolist() == [3, 0, 1, 7, 0]
    alone = np.concatenate([model.predict([doc]).dataXd for doc in docs if len(doc)])
    np.testing.assert_allclose(emissions.dataXd, alone, rtol=0, atol=1e-5)


def test_initialization_needs_docs_and_tags():
    """Else the model would be built of sizes that fit nothing."""
    with pytest.raises(ValueError, match="X, some Docs, and Y, what it scores"):
        make_model().initialize(X=make_docs(3))


@pytest.mark.parametrize("encoder", ENCODERS)
def test_dropout_is_that_of_the_training(encoder):
    """Else the dropout of the training config would be without effect on our layers, or would
    blur predictions."""
    settings = {"hidden_width": 6, "dropout": 0.0}
    model = make_model(encoder, **settings)
    model.initialize(X=make_docs(3), Y=TAG_SET)
    tagger = model.get_ref("sequence_tagger")
    vectors = Ragged(np.random.default_rng(0).normal(size=(30, 8)).astype("f"), np.array([30]))
    set_dropout_rate(model, 0.5)
    first, second = (tagger.begin_update(vectors)[0].dataXd for _ in range(2))
    assert not np.allclose(first, second)
    predicted = tagger.predict(vectors).dataXd
    assert np.array_equal(predicted, tagger.predict(vectors).dataXd)
    set_dropout_rate(model, 0.0)
    undropped = tagger.begin_update(vectors)[0].dataXd
    np.testing.assert_allclose(undropped, predicted, rtol=0, atol=1e-6)
