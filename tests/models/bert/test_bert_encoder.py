"""BertEncoder: what BERT itself gives, for every token, however the texts are batched and cut."""

import copy
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import SGD, Model
from transformers import AutoModel

from spacy_bertcrf.models.bert.bert_encoder import BertEncoder
from spacy_bertcrf.models.bert.bert_shim import BertShim
from spacy_bertcrf.models.bridge.in_place_update import update_in_place

VOCAB = Vocab()
# Written so that both alignments cut it into the same wordpieces.
TEXT = [
    *[*"王小明", "2008", "年", "\n", "Windows10", "在", "CSOL", ",", "x1y2z3", "\x07"],
    *"大学。",
]
PIECELESS = [TEXT.index("\n"), TEXT.index("\x07")]
TEXTS = [
    TEXT,
    [*"张伟在上海大学"],
    ["Windows10"],
    [*"李雷和韩梅梅,今天天气很好"] * 2,
    [],
    ["x1y2z3", "年"],
]


def docs_of(texts: Sequence[Sequence[str]]) -> list[Doc]:
    return [Doc(VOCAB, words=list(words), spaces=[False] * len(words)) for words in texts]


def numbered(n: int) -> list[str]:
    """Tokens of one wordpiece each, no two neighbourhoods alike."""
    rng = np.random.default_rng(0)
    return rng.choice([*"王小明在北京大学工作李雷和韩梅上海"], size=n).tolist()


def ids_of(model: Model, words: Sequence[str]) -> list[list[int]]:
    """Wordpieces of each token, by the tokenizer alone."""
    tokenizer = model.shims[0].tokenizer.tokenizer
    return [tokenizer(word, add_special_tokens=False)["input_ids"] for word in words]


def plain_layers(bert: Any, tokenizer: Any, ids: list[int]) -> list[torch.Tensor]:
    """What every layer gives for some wordpieces, without special tokens."""
    whole = torch.tensor([[tokenizer.cls_token_id, *ids, tokenizer.sep_token_id]])
    hidden = bert(input_ids=whole, output_hidden_states=True).hidden_states
    return [states[0, 1:-1] for states in hidden]


def plain_vectors(
    model: Model, words: Sequence[str], pooling: str, bert: Any = None, n_layers: int = 1
) -> torch.Tensor:
    """Token vectors as one would write them down, one text at a time."""
    module = model.shims[0].module
    bert = bert or module.bert
    per_token = ids_of(model, words)
    flat = [piece for pieces in per_token for piece in pieces]
    layers = plain_layers(bert, model.shims[0].tokenizer.tokenizer, flat)[-n_layers:]
    if n_layers == 1:
        states = layers[0]
    else:
        weights = module.mix_logits.softmax(0) * module.mix_scale
        states = sum(weight * layer for weight, layer in zip(weights, layers, strict=True))
    rows, at = [], 0
    for pieces in per_token:
        own = states[at : at + len(pieces)]
        at += len(pieces)
        if not len(pieces):
            rows.append(module.pieceless)
        else:
            rows.append({"first": own[0], "last": own[-1], "mean": own.mean(0)}[pooling])
    return torch.stack(rows)


def gradients(model: Model) -> dict[str, torch.Tensor]:
    return {
        name: parameter.grad.clone()
        for name, parameter in model.shims[0].module.named_parameters()
        if parameter.grad is not None
    }


def backprop(model: Model, docs: list[Doc], seed: int = 0, size: float = 1.0) -> list[np.ndarray]:
    """A forward and backward pass; returns the gradients that were put in."""
    vectors, back = model.begin_update(docs)
    rng = np.random.default_rng(seed)
    d_vectors = [(size * rng.normal(size=rows.shape)).astype("float32") for rows in vectors]
    back(d_vectors)
    return d_vectors


def assert_same(found: Sequence[np.ndarray], expected: Sequence[Any], tolerance: float) -> None:
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, np.asarray(theirs), rtol=tolerance, atol=tolerance)


# What the vectors are


@pytest.mark.slow
@pytest.mark.parametrize("alignment", ["token", "text"])
@pytest.mark.parametrize("pooling", ["first", "mean", "last"])
def test_vectors_are_those_of_the_plain_bert(encoder, bert_folder, pooling, alignment):
    """Else a pretrained model would lose what it knows."""
    model = encoder(pooling=pooling, alignment=alignment)
    bert = AutoModel.from_pretrained(bert_folder).eval()
    texts = [words for words in TEXTS if words]
    vectors = model.predict(docs_of(texts))
    with torch.no_grad():
        expected = [plain_vectors(model, words, pooling, bert) for words in texts]
    assert_same(vectors, expected, 1e-5)


@pytest.mark.parametrize("n_layers", [2, 3])
def test_layers_are_mixed_as_learned(encoder, n_layers):
    """Else the weights that training found would stand for other layers."""
    model = encoder(n_layers=n_layers)
    module = model.shims[0].module
    with torch.no_grad():
        module.mix_logits.copy_(torch.tensor([0.5, -1.0, 2.0][:n_layers]))
        module.mix_scale.fill_(1.7)
        expected = plain_vectors(model, TEXT, "mean", n_layers=n_layers)
    assert_same(model.predict(docs_of([TEXT])), [expected], 1e-5)


def test_the_mix_begins_as_the_mean_of_the_layers(encoder):
    """Else training would begin from vectors of another size than BERT's."""
    model = encoder(n_layers=2, pooling="first")
    flat = [piece for pieces in ids_of(model, TEXT) for piece in pieces]
    shim = model.shims[0]
    with torch.no_grad():
        layers = plain_layers(shim.module.bert, shim.tokenizer.tokenizer, flat)
    (vectors,) = model.predict(docs_of([TEXT]))
    np.testing.assert_allclose(vectors[0], (layers[-1][0] + layers[-2][0]) / 2, atol=1e-5)


def test_tokens_without_wordpieces_have_a_vector_of_their_own(encoder):
    """Else a space would look like padding, or like the token before it."""
    model = encoder()
    (vectors,) = model.predict(docs_of([TEXT]))
    pieceless = model.shims[0].module.pieceless.detach().numpy()
    assert np.abs(pieceless).min() > 0
    for token in range(len(TEXT)):
        assert np.array_equal(vectors[token], pieceless) == (token in PIECELESS)


# How texts are batched and cut


@pytest.mark.slow
@pytest.mark.parametrize("max_batch_pieces", [1, 20, 40, 4096])
def test_vectors_do_not_depend_on_batches(encoder, max_batch_pieces):
    """Else a text would get other entities at another time of day."""
    docs = docs_of([*TEXTS, numbered(150), numbered(30)])
    alone = [encoder().predict([doc])[0] for doc in docs]
    model = encoder(max_batch_pieces=max_batch_pieces)
    assert_same(model.predict(docs), alone, 1e-4)
    assert_same(model.predict(docs[::-1])[::-1], alone, 1e-4)


def test_batches_keep_to_their_size(encoder, monkeypatch):
    """Else memory would not be bounded by the config."""
    model = encoder(max_batch_pieces=130)
    shapes = []
    forward = type(model.shims[0].module.bert).forward

    def watched(self, input_ids, **kwargs):
        shapes.append(input_ids.shape)
        return forward(self, input_ids=input_ids, **kwargs)

    monkeypatch.setattr(type(model.shims[0].module.bert), "forward", watched)
    model.predict(docs_of([*TEXTS, numbered(700)]))
    assert max(shape.numel() for shape in shapes) <= 130
    assert max(width for _, width in shapes) <= 64


@pytest.mark.slow
@pytest.mark.parametrize(("window", "overlap"), [(32, 8), (64, 0), (512, 128)])
def test_every_token_of_a_long_text_is_read_in_its_window(encoder, window, overlap):
    """Else what comes after BERT's last position would be tagged without being read."""
    words = numbered(300)
    model = encoder(window=window, overlap=overlap)
    capacity = min(window, 64) - 2
    shared = min(overlap, capacity // 2)
    shim = model.shims[0]
    ids = [piece for (piece,) in ids_of(model, words)]
    expected = []
    with torch.no_grad():
        for begin in range(0, len(ids), capacity - shared):
            window_ids = ids[begin : begin + capacity]
            states = plain_layers(shim.module.bert, shim.tokenizer.tokenizer, window_ids)[-1]
            expected.append((begin, states))
    (vectors,) = model.predict(docs_of([words]))
    assert vectors.shape == (300, 32)
    for (begin, states), (following, _) in pairwise(expected):
        # All but where windows meet, where rounding may give a token to either.
        first = begin + shared // 2 + 1 if begin else 0
        last = following + shared // 2 - 1
        near = states[first - begin : last - begin]
        assert len(near)
        np.testing.assert_allclose(vectors[first:last], near, atol=1e-4)


def test_a_token_longer_than_the_window_is_read_whole(encoder):
    """Else one long link would stop the training of a whole corpus."""
    model = encoder(pooling="mean", window=16, overlap=4)
    words = ["王", "x1" * 60, "年"]  # BERT's word limit is 100 characters: unknown, one piece
    assert [len(ids) for ids in ids_of(model, words)] == [1, 1, 1]
    words = ["王", "x1" * 40, "年"]
    assert len(ids_of(model, words)[1]) > 40
    (vectors,) = model.predict(docs_of([words]))
    assert vectors.shape == (3, 32)
    assert np.isfinite(vectors).all()
    (changed,) = model.predict(docs_of([["王", "x1" * 39 + "zz", "年"]]))
    assert np.abs(changed[1] - vectors[1]).max() > 1e-4  # its end is read, too


@pytest.mark.slow
@pytest.mark.parametrize("alignment", ["token", "text"])
@pytest.mark.parametrize(
    "texts", [[], [[]], [[], []], [["\n"]], [["\n", " "], [], ["\x07"]], [[], ["年"], ["\n"]]]
)
def test_texts_without_wordpieces(encoder, texts, alignment):
    """Else an empty line in a corpus would stop its training, or its prediction."""
    model = encoder(alignment=alignment)
    docs = docs_of(texts)
    for vectors in (model.predict(docs), model.begin_update(docs)[0]):
        assert [rows.shape for rows in vectors] == [(len(words), 32) for words in texts]
    if docs:
        backprop(model, docs)
        model.finish_update(SGD(0.1, grad_clip=0.0))


# Training


@pytest.mark.slow
@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("pooling", ["first", "mean", "last"])
def test_gradients_are_those_of_plain_torch(encoder, pooling, n_layers):
    """Else BERT would learn something else than the loss asks for."""
    model = encoder(pooling=pooling, n_layers=n_layers)
    texts = [words for words in TEXTS if words]
    d_vectors = backprop(model, docs_of(texts))
    found = gradients(model)
    module = model.shims[0].module
    module.zero_grad()
    for words, gradient in zip(texts, d_vectors, strict=True):
        vectors = plain_vectors(model, words, pooling, n_layers=n_layers)
        vectors.backward(torch.from_numpy(gradient))
    expected = gradients(model)
    assert found.keys() == expected.keys() == dict(module.named_parameters()).keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(
            found[name], gradient, rtol=1e-3, atol=1e-4, msg=lambda m, name=name: f"{name}: {m}"
        )
    assert found["pieceless"].abs().min() > 0


def test_gradients_of_two_batches_add_up(encoder):
    """Else `accumulate_gradient` would train on the last batch alone."""
    model = encoder()
    backprop(model, docs_of(TEXTS[:2]), seed=1)
    first = gradients(model)
    model.shims[0].module.zero_grad()
    backprop(model, docs_of(TEXTS[2:]), seed=2)
    second = gradients(model)
    backprop(model, docs_of(TEXTS[:2]), seed=1)
    for name, gradient in gradients(model).items():
        expected = second[name] + first.get(name, 0)
        torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_gradients_do_not_depend_on_batches(encoder):
    """Else the batch size on the device would change what is learned."""
    docs = docs_of([*TEXTS, numbered(150)])
    found = []
    for max_batch_pieces in (1, 4096):
        model = encoder(max_batch_pieces=max_batch_pieces)
        backprop(model, docs)
        found.append(gradients(model))
    for name in found[0]:
        torch.testing.assert_close(found[0][name], found[1][name], rtol=1e-3, atol=2e-4)


def test_gradient_checkpointing_changes_nothing_but_memory(encoder, bert_folder, monkeypatch):
    """Else a smaller GPU would train another model."""
    runs = []
    # Of the layer itself, transformers 5 calls what was its `forward` when it was made.
    part_class = type(encoder().shims[0].module.bert.encoder.layer[0].intermediate)
    forward = part_class.forward
    for checkpointing in (False, True):
        model = encoder(gradient_checkpointing=checkpointing, n_layers=2)
        n_calls = 0

        def counted(self, *args, **kwargs):
            nonlocal n_calls
            n_calls += 1
            return forward(self, *args, **kwargs)

        monkeypatch.setattr(part_class, "forward", counted)
        backprop(model, docs_of(TEXTS))
        runs.append((n_calls, gradients(model)))
    (n_plain, plain), (n_checkpointed, checkpointed) = runs
    assert n_checkpointed == 2 * n_plain
    for name in plain:
        torch.testing.assert_close(checkpointed[name], plain[name], rtol=1e-4, atol=1e-5)


def test_what_is_frozen_stays(encoder):
    """Else weight decay or a stray gradient would change what was to be kept."""
    model = encoder(frozen_embeddings=True, frozen_layers=2)
    module = model.shims[0].module
    before = copy.deepcopy(module.state_dict())
    backprop(model, docs_of(TEXTS))
    model.finish_update(SGD(0.1, L2=0.1, grad_clip=0.0))
    frozen = ("bert.embeddings.", "bert.encoder.layer.0.", "bert.encoder.layer.1.")
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name]) == name.startswith(frozen), name
    loaded = BertEncoder("", frozen_embeddings=True, frozen_layers=2).from_bytes(model.to_bytes())
    for name, parameter in loaded.shims[0].module.named_parameters():
        assert parameter.requires_grad != name.startswith(frozen), name


def test_with_everything_frozen_only_the_rest_learns(encoder):
    """A frozen BERT below a CRF that is trained is a common first stage."""
    model = encoder(frozen_embeddings=True, frozen_layers=3)
    backprop(model, docs_of(TEXTS))
    assert gradients(model).keys() == {"pieceless"}
    backprop(model, docs_of([["年"]]))
    model.finish_update(SGD(0.1, grad_clip=0.0))


def test_dropout_is_on_in_training_and_off_in_prediction(tiny_bert):
    """Else predictions would differ from call to call, or training would overfit."""
    model = BertEncoder(str(tiny_bert))
    model.initialize()
    docs = docs_of(TEXTS)
    first, second = (model.begin_update(docs)[0] for _ in range(2))
    assert not np.allclose(first[0], second[0])
    assert_same(model.predict(docs), model.predict(docs), 1e-7)


def test_a_step_makes_the_loss_smaller(encoder):
    """Else nothing would be learned, or away from the goal."""
    model = encoder(n_layers=2)
    docs = docs_of(TEXTS)
    goals = [np.ones((len(doc), 32), dtype="float32") for doc in docs]
    losses = []
    optimizer = SGD(2e-5, grad_clip=0.0)
    for _ in range(5):
        vectors, back = model.begin_update(docs)
        errors = [rows - goal for rows, goal in zip(vectors, goals, strict=True)]
        losses.append(sum(float((error**2).sum()) for error in errors))
        back(errors)
        model.finish_update(optimizer)
    assert losses == sorted(losses, reverse=True)


# Half precision


def test_mixed_precision_gives_close_vectors_and_finite_gradients(encoder):
    """Else the faster half precision would cost accuracy."""
    docs = docs_of([*TEXTS, numbered(100)])
    mixed, whole = encoder(mixed_precision=True), encoder()
    expected = whole.predict(docs)
    found = mixed.predict(docs)
    assert all(rows.dtype == np.float32 for rows in found)
    assert_same(found, expected, 0.15)
    assert not np.array_equal(found[0], expected[0])
    backprop(mixed, docs)
    backprop(whole, docs)
    expected_gradients = gradients(whole)
    for name, gradient in gradients(mixed).items():
        assert gradient.dtype == torch.float32
        assert torch.isfinite(gradient).all(), name
    flat = [torch.cat([g.flatten() for g in gradients(m).values()]) for m in (mixed, whole)]
    assert torch.cosine_similarity(*flat, dim=0) > 0.98
    assert expected_gradients.keys() == gradients(mixed).keys()


@pytest.fixture
def scaled(encoder) -> Model:
    """An encoder that scales its gradients, as on a GPU without bfloat16."""
    model = encoder()
    shim = model.shims[0]
    with_scale = BertShim(shim._build, "token", "float32", scale_gradients=True)
    model.shims[0] = with_scale.from_bytes(shim.to_bytes())
    return model


@pytest.mark.slow
@pytest.mark.parametrize("in_component", [False, True])
def test_scaled_gradients_make_the_same_step(encoder, scaled, in_component):
    """Else a GPU without bfloat16 would train with other steps, 65,536 times as long."""
    plain = encoder()
    if in_component:
        update_in_place(scaled)
    for model in (plain, scaled):
        for seed in (1, 2):  # two backward passes, scaled back once
            backprop(model, docs_of(TEXTS), seed=seed)
        model.finish_update(SGD(0.01, grad_clip=0.0))
    ours = scaled.shims[0].module.state_dict()
    for name, value in plain.shims[0].module.state_dict().items():
        torch.testing.assert_close(ours[name], value, rtol=1e-4, atol=1e-5)
    assert gradients(scaled) == {}


def test_gradients_are_scaled_while_they_flow(scaled):
    """Else small gradients would vanish in float16."""
    backprop(scaled, docs_of(TEXTS), size=1e-3)
    assert gradients(scaled)["pieceless"].abs().max() > 1


def test_an_overflow_skips_the_step_and_halves_the_scale(scaled):
    """Else one overflow would make every weight NaN."""
    module, scaler = scaled.shims[0].module, scaled.shims[0]._grad_scaler
    before, scale = copy.deepcopy(module.state_dict()), scaler._scale.clone()
    backprop(scaled, docs_of(TEXTS), size=1e36)
    scaled.finish_update(SGD(0.01, grad_clip=0.0))
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert torch.equal(scaler._scale, scale / 2)
    assert gradients(scaled) == {}
    backprop(scaled, docs_of(TEXTS))
    scaled.finish_update(SGD(0.01, grad_clip=0.0))
    assert not torch.equal(module.pieceless, before["pieceless"])
    assert torch.equal(scaler._scale, scale / 2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alignment": "word"}, "alignment is 'word'"),
        ({"pooling": "max"}, "pooling is 'max'"),
        ({"window": 7, "overlap": 0}, "window is 7"),
        ({"window": 64, "overlap": 33}, "overlap is 33"),
        ({"overlap": -1}, "overlap is -1"),
        ({"max_batch_pieces": 0}, "max_batch_pieces is 0"),
        ({"save_dtype": "int8"}, "save_dtype is 'int8'"),
        ({"n_layers": 0}, "n_layers cannot be 0"),
        ({"n_layers": 4}, "has 3 layers"),
        ({"frozen_layers": 4}, "has 3 layers"),
        ({"frozen_layers": -1}, "-1 layers"),
    ],
)
def test_settings_that_cannot_be_are_refused(bert_folder, settings, message):
    """Else they would show in the middle of training, or only in its score."""
    with pytest.raises(ValueError, match=message):
        BertEncoder(str(bert_folder), **settings).initialize()


def test_half_precision_is_that_of_the_weights_as_they_are(encoder, bert_docs):
    """torch keeps weights in half precision for all threads, as long as one is in the middle of a
    forward pass: after a step of training, others would read the weights of before it."""
    model = encoder(mixed_precision=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):  # as another thread's
        before = np.concatenate(model.predict(bert_docs))
        with torch.no_grad():
            for parameter in model.shims[0].module.bert.encoder.layer.parameters():
                parameter.mul_(2.0)
        assert not np.array_equal(np.concatenate(model.predict(bert_docs)), before)
        beside = np.concatenate(model.predict(bert_docs))
    np.testing.assert_array_equal(beside, np.concatenate(model.predict(bert_docs)))
