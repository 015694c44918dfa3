"""Memory of an update: bounded by `max_batch_pieces`, however long the texts are."""

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import Model
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from spacy_bertcrf.models.bert import encoder_input
from spacy_bertcrf.models.bert.bert_encoder import BertEncoder

VOCAB = Vocab()
WINDOW = {"window": 64, "overlap": 16}


class PeakMemory(TorchDispatchMode):
    """Counts the bytes of all tensors that are made inside it and alive at a time.

    peak: the most.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._alive: dict[int, int] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        output = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(output):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                key = storage._cdata
                if key not in self._alive:
                    self._alive[key] = storage.nbytes()
                    weakref.finalize(storage, self._alive.pop, key, None)
        self.peak = max(self.peak, sum(self._alive.values()))
        return output


@pytest.fixture
def with_dropout(bert_folder) -> Callable[..., Model]:
    """Make a BertEncoder of three layers with dropout."""

    def make(**settings: Any) -> Model:
        config = {"hidden_dropout_prob": 0.2, "attention_probs_dropout_prob": 0.1}
        model = BertEncoder(str(bert_folder), transformer_config=config, **WINDOW, **settings)
        torch.manual_seed(0)
        model.initialize()
        return model

    return make


def text_of(n_tokens: int) -> Doc:
    characters = np.random.default_rng(0).choice([*"王小明在北京大学工作李雷和韩梅上海"], n_tokens)
    return Doc(VOCAB, words=characters.tolist(), spaces=[False] * n_tokens)


def update(model: Model, docs: list[Doc]) -> None:
    torch.manual_seed(1)
    vectors, backprop = model.begin_update(docs)
    rng = np.random.default_rng(1)
    backprop([rng.normal(size=rows.shape).astype("float32") for rows in vectors])


def peak_of(model: Model, docs: list[Doc]) -> int:
    update(model, docs)  # the gradients have their memory from then on
    with PeakMemory() as memory:
        update(model, docs)
    return memory.peak


def gradients(model: Model) -> dict[str, torch.Tensor]:
    parameters = model.shims[0].module.named_parameters()
    return {name: p.grad for name, p in parameters if p.grad is not None}


@pytest.mark.slow
def test_a_text_of_any_length_takes_the_memory_of_the_setting(with_dropout):
    """Else one long document would end the training of a corpus in which all others fit."""
    peaks = {
        (n_tokens, max_batch_pieces): peak_of(
            with_dropout(max_batch_pieces=max_batch_pieces), [text_of(n_tokens)]
        )
        for n_tokens in (180, 1440)
        for max_batch_pieces in (256, 4096)
    }
    assert peaks[1440, 4096] > 6 * peaks[180, 4096]
    # Eight times as many vectors, but what they are computed from only once.
    assert peaks[1440, 256] < 1.5 * peaks[180, 256]


@pytest.mark.slow
def test_many_short_texts_take_no_more_either(with_dropout):
    """Else a large batch would need what a long text does not."""
    model = with_dropout(max_batch_pieces=256)
    many = [text_of(30)] * 48
    assert peak_of(model, many) < 1.5 * peak_of(model, many[:8])


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"n_layers": 2, "alignment": "text"},
        {"mixed_precision": True},
        {"gradient_checkpointing": True},
        {"frozen_embeddings": True, "frozen_layers": 2},
        {"frozen_embeddings": True, "frozen_layers": 3},
    ],
)
def test_what_is_computed_again_teaches_the_same(with_dropout, monkeypatch, settings):
    """Else a text would teach something else for being long: dropout must fall as it fell."""
    docs = [text_of(300), text_of(20), text_of(0)]
    recomputed = with_dropout(max_batch_pieces=128, **settings)
    inputs, _ = recomputed.attrs["convert_inputs"](recomputed, docs, True)
    assert 0 < inputs.args[-1] < len(inputs.args[0])
    update(recomputed, docs)
    state = torch.get_rng_state()
    monkeypatch.setattr(encoder_input, "_n_beyond", lambda *_: 0)
    kept = with_dropout(max_batch_pieces=128, **settings)
    update(kept, docs)
    assert torch.equal(torch.get_rng_state(), state)
    expected = gradients(kept)
    assert gradients(recomputed).keys() == expected.keys() != set()
    for name, gradient in gradients(recomputed).items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-5, atol=1e-5)


def test_nothing_is_computed_again_that_fits(with_dropout):
    """Else a usual training would take a third more time."""
    model = with_dropout(max_batch_pieces=256)
    docs = [text_of(20)] * 11  # 242 with special tokens
    for is_train, n_texts, expected in [(True, 11, 0), (True, 1, 0), (False, 110, 0)]:
        inputs, _ = model.attrs["convert_inputs"](model, (docs * 10)[:n_texts], is_train)
        assert inputs.args[-1] == expected
    alone, _ = with_dropout(max_batch_pieces=8).attrs["convert_inputs"](model, docs[:1], True)
    assert alone.args[-1] == 0
