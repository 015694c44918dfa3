"""BertEncoder on the kinds of encoders that people use: none may need a case of its own."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import SGD, Model
from transformers import (
    AlbertConfig,
    AutoModel,
    AutoTokenizer,
    BertConfig,
    DebertaConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    ErnieConfig,
    ModernBertConfig,
    MPNetConfig,
    RobertaConfig,
    XLMRobertaConfig,
    XLNetConfig,
    XLNetModel,
)

from spacy_bertcrf.models.bert.bert_encoder import BertEncoder
from spacy_bertcrf.models.bert.embedded_text import EmbeddedText
from spacy_bertcrf.models.bert.pretrained import max_positions

VOCAB = Vocab()
POSITIONS = 40
SIZES = {
    **{"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2},
    **{"intermediate_size": 32, "max_position_embeddings": POSITIONS, "initializer_range": 0.2},
    **{"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
}
DISTIL = {
    **{"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, "initializer_range": 0.2},
    **{"max_position_embeddings": POSITIONS, "dropout": 0.0, "attention_dropout": 0.0},
}
RELATIVE = {"relative_attention": True, "position_biased_input": False}
RELATIVE |= {"pos_att_type": ["c2p", "p2c"]}
# Each with its tokenizer, and how many of its positions wordpieces can have.
FAMILIES: dict[str, tuple[Any, dict[str, Any], str, int]] = {
    "bert": (BertConfig, SIZES, "wordpiece", POSITIONS),
    "ernie": (ErnieConfig, SIZES, "wordpiece", POSITIONS),
    "electra": (ElectraConfig, SIZES | {"embedding_size": 8}, "wordpiece", POSITIONS),
    "distilbert": (DistilBertConfig, DISTIL, "wordpiece", POSITIONS),
    "albert": (AlbertConfig, SIZES | {"embedding_size": 8}, "unigram", POSITIONS),
    "mpnet": (MPNetConfig, SIZES, "byte_level", POSITIONS - 2),
    "roberta": (RobertaConfig, SIZES, "byte_level", POSITIONS - 2),
    "xlm-roberta": (XLMRobertaConfig, SIZES, "unigram", POSITIONS - 2),
    "deberta": (DebertaConfig, SIZES | RELATIVE, "byte_level", POSITIONS),
    "deberta-v2": (DebertaV2Config, SIZES | RELATIVE, "unigram", POSITIONS),
    "modernbert": (
        ModernBertConfig,
        SIZES | {"global_attn_every_n_layers": 2, "local_attention": 8},
        "byte_level",
        POSITIONS,
    ),
}
FAST = ("bert", "roberta", "deberta-v2")  # one of each kind of tokenizer
SHARED_LAYERS = ("albert",)
NO_CHECKPOINTING = ("albert", "mpnet")  # in transformers 4
WORDS = ["the", "cat", "sat", "on", *"王小明", "Windows10", "2008", "年", "\n", "CSOL", ",", "dog"]


@pytest.fixture(
    scope="session",
    params=[
        name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES
    ],
)
def family(
    request, tiny_bert, byte_level_tokenizer, unigram_tokenizer, tmp_path_factory
) -> tuple[str, str]:
    """The family's name, and a folder with a random model of it."""
    name: str = request.param
    config_class, sizes, kind, _ = FAMILIES[name]
    tokenizer = {
        "wordpiece": AutoTokenizer.from_pretrained(tiny_bert, model_max_length=int(1e30)),
        "byte_level": byte_level_tokenizer,
        "unigram": unigram_tokenizer,
    }[kind]
    config = config_class(
        **sizes,
        vocab_size=len(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.cls_token_id,
        cls_token_id=tokenizer.cls_token_id,
        eos_token_id=tokenizer.sep_token_id,
        sep_token_id=tokenizer.sep_token_id,
    )
    folder = tmp_path_factory.mktemp(name)
    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return name, str(folder)


@pytest.fixture
def encoder(family) -> Callable[..., Model]:
    def make(**settings: Any) -> Model:
        model = BertEncoder(family[1], **settings)
        torch.manual_seed(0)
        model.initialize()
        return model

    return make


@pytest.fixture(scope="module")
def docs() -> list[Doc]:
    """Short ones, an empty one, and one of some windows."""
    rng = np.random.default_rng(0)
    long = rng.choice(WORDS, size=100).tolist()
    texts = [WORDS, ["cat"], [], ["王", "小", "明"], long, WORDS[::-1]]
    return [Doc(VOCAB, words=words) for words in texts]


def test_short_texts_are_read_as_by_the_plain_model(encoder, family):
    """Else what the model learned in pretraining would be lost."""
    doc = Doc(VOCAB, words=["cat", "王", "年", "dog"])
    model = encoder(pooling="first")
    tokenizer = model.shims[0].tokenizer
    wordpieces = tokenizer([doc])
    plain = AutoModel.from_pretrained(family[1]).eval()
    ids = torch.tensor([[*tokenizer.prefix, *wordpieces.ids, *tokenizer.suffix]])
    assert len(tokenizer.prefix) == len(tokenizer.suffix) == 1
    with torch.no_grad():
        expected = plain(input_ids=ids).last_hidden_state[0, 1:-1][wordpieces.starts]
    (found,) = model.predict([doc])
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("alignment", ["token", "text"])
def test_every_token_of_texts_of_any_length_has_a_vector(encoder, docs, alignment):
    """Else long texts would stop the pipeline, or lose their ends."""
    model = encoder(alignment=alignment)
    vectors = model.predict(docs)
    assert [rows.shape for rows in vectors] == [(len(doc), 16) for doc in docs]
    assert all(np.isfinite(rows).all() for rows in vectors)
    alone = [model.predict([doc])[0] for doc in docs]
    for rows, expected in zip(vectors, alone, strict=True):
        np.testing.assert_allclose(rows, expected, atol=1e-4)


def test_windows_are_as_wide_as_the_positions_allow(encoder, family, docs, monkeypatch):
    """Else positions would be asked for that there are not, or context given away."""
    model = encoder()
    bert_class = type(model.shims[0].module.bert)
    forward = bert_class.forward
    widths = []

    def watched(self, input_ids, **kwargs):
        widths.append(input_ids.shape[1])
        return forward(self, input_ids=input_ids, **kwargs)

    monkeypatch.setattr(bert_class, "forward", watched)
    long = Doc(VOCAB, words=["cat"] * 200)
    model.predict([long])
    limit = FAMILIES[family[0]][3]
    n_pieces = {len(model.shims[0].tokenizer([Doc(VOCAB, words=["cat"])]).ids)}
    assert limit - max(n_pieces) < max(widths) <= limit


def test_what_was_saved_gives_the_same_vectors(encoder, docs):
    """Else a loaded pipeline would tag otherwise than the trained one."""
    model = encoder(n_layers=2)
    loaded = BertEncoder("", n_layers=2).from_bytes(model.to_bytes())
    for rows, expected in zip(loaded.predict(docs), model.predict(docs), strict=True):
        np.testing.assert_allclose(rows, expected, atol=1e-6)


@pytest.mark.slow
def test_a_step_changes_every_weight(encoder, docs):
    """Else part of the model would not learn."""
    model = encoder()
    module = model.shims[0].module
    before = copy.deepcopy(module.state_dict())
    losses = []
    for _ in range(2):
        vectors, backprop = model.begin_update(docs)
        gradients = [rows - 1 for rows in vectors]
        losses.append(sum(float((rows**2).sum()) for rows in gradients))
        backprop(gradients)
        model.finish_update(SGD(1e-4, grad_clip=0.0))
    assert losses[1] < losses[0]
    changed = {name for name, value in module.named_parameters() if (value != before[name]).any()}
    # The bias of keys changes no attention weight.
    dead = {name for name in before if "key" in name and name.endswith("bias")}
    unread = {name for name in before if "task_type" in name or name == "pieceless"}
    assert changed | dead | unread >= dict(module.named_parameters()).keys()
    assert all(np.isfinite(rows).all() for rows in model.predict(docs))


@pytest.mark.slow
def test_gradients_do_not_depend_on_batches(encoder, docs):
    """Else padding would teach the model something."""
    found = []
    for max_batch_pieces in (1, 4096):
        model = encoder(max_batch_pieces=max_batch_pieces)
        vectors, backprop = model.begin_update(docs)
        rng = np.random.default_rng(0)
        backprop([rng.normal(size=rows.shape).astype("float32") for rows in vectors])
        parameters = model.shims[0].module.named_parameters()
        found.append({name: p.grad for name, p in parameters if p.grad is not None})
    assert found[0].keys() == found[1].keys()
    for name in found[0]:
        torch.testing.assert_close(
            found[0][name],
            found[1][name],
            rtol=1e-3,
            atol=1e-3,
            msg=lambda message, name=name: f"{name}: {message}",
        )


def test_the_embeddings_and_lowest_layers_can_be_frozen(encoder, family, docs):
    """Else small corpora would make the model forget."""
    if family[0] in SHARED_LAYERS:
        with pytest.raises(ValueError, match="no layers with weights of their own"):
            encoder(frozen_layers=1)
        return
    model = encoder(frozen_embeddings=True, frozen_layers=1)
    frozen = [n for n, p in model.shims[0].module.named_parameters() if not p.requires_grad]
    layers = {name for name in frozen if "embeddings" not in name.split(".")[1]}
    assert len(layers) < len(frozen)
    assert layers
    assert all(".layer.0." in name or ".layers.0." in name for name in layers)
    vectors, backprop = model.begin_update(docs)
    backprop([rows - 1 for rows in vectors])
    for name, parameter in model.shims[0].module.named_parameters():
        assert name not in frozen or parameter.grad is None


@pytest.mark.slow
def test_gradient_checkpointing_where_the_model_has_it(encoder, family, docs):
    """Else the largest models would not fit a GPU."""
    if not encoder().shims[0].module.bert.supports_gradient_checkpointing:
        assert family[0] in NO_CHECKPOINTING
        with pytest.raises(ValueError, match="does not support gradient checkpointing"):
            encoder(gradient_checkpointing=True)
        return
    found = []
    for checkpointing in (False, True):
        model = encoder(gradient_checkpointing=checkpointing)
        vectors, backprop = model.begin_update(docs[:2])
        backprop([rows - 1 for rows in vectors])
        parameters = model.shims[0].module.named_parameters()
        found.append({name: p.grad for name, p in parameters if p.grad is not None})
    for name in found[0]:
        torch.testing.assert_close(found[1][name], found[0][name], rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_mixed_precision(encoder, family, docs):
    """Else bfloat16 would work for BERT alone."""
    if family[0] == "deberta":
        with pytest.raises(ValueError, match="Set mixed_precision = false"):
            encoder(mixed_precision=True)
        return
    expected = encoder().predict(docs)
    model = encoder(mixed_precision=True)
    vectors, backprop = model.begin_update(docs)
    for rows, exact in zip(vectors, expected, strict=True):
        assert rows.dtype == np.float32
        np.testing.assert_allclose(rows, exact, atol=0.5)
    backprop(vectors)
    for name, parameter in model.shims[0].module.named_parameters():
        assert parameter.grad is None or torch.isfinite(parameter.grad).all(), name


def test_a_model_with_relative_positions_alone_has_no_limit(unigram_tokenizer):
    """XLNet says -1, which is no width of a window."""
    sizes = {"d_model": 16, "n_layer": 1, "n_head": 2, "d_inner": 32}
    bert = XLNetModel(XLNetConfig(vocab_size=len(unigram_tokenizer), **sizes))
    assert max_positions(bert, unigram_tokenizer) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("alignment", "pooling"), [("token", "mean"), ("text", "first"), ("text", "last")]
)
def test_embeddings_are_read_as_the_wordpieces_that_they_are_of(encoder, docs, alignment, pooling):
    """Else an explanation would be one of another text."""
    model = encoder(alignment=alignment, pooling=pooling)
    for doc, start, end in [(docs[0], 2, 4), (docs[3], 0, 3), (docs[4], 40, 43), (docs[4], 0, 1)]:
        text = EmbeddedText(model, doc, start, end)
        assert {start, end - 1} <= set(text.tokens)
        with torch.no_grad():
            found = text.vectors(torch.cat([text.baseline, text.embeddings]))[1]
        expected = model.predict([doc])[0][text.tokens.start : text.tokens.stop]
        np.testing.assert_allclose(found, expected, atol=1e-4)
        values = np.arange(1.0, 1 + text.embeddings.shape[1])
        first, of_tokens = text.by_token(values)
        assert of_tokens.sum() == pytest.approx(values.sum())
        assert first <= text.tokens.start
        assert first + len(of_tokens) >= text.tokens.stop
