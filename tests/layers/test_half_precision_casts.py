"""Shared casts to half precision: the numbers of torch's autocast, and no tensor cast twice."""

import threading
import weakref
from functools import partial

import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from spacy_bertcrf.layers import onednn_linear
from spacy_bertcrf.layers.half_precision_casts import BY_ONEDNN, Casts, casts_kept, sharing_casts
from spacy_bertcrf.layers.onednn_linear import multiply_by_onednn


class Attention(nn.Module):
    """Three layers that read the same, and one that reads what they give."""

    def __init__(self) -> None:
        super().__init__()
        self.of_input = nn.ModuleList(nn.Linear(8, 8, bias=bool(i)) for i in range(3))
        self.output = nn.Linear(8, 8)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        queries, keys, values = (layer(input) for layer in self.of_input)
        return self.output(queries + keys + values).float()


@pytest.fixture
def module(monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setattr(onednn_linear, "IS_FASTER", True)
    module = Attention()
    multiply_by_onednn(module)
    return module


def in_bfloat16(module, *inputs):
    with torch.autocast("cpu", dtype=torch.bfloat16, cache_enabled=False):
        return [module(input) for input in inputs]


def casts(run):
    return calls(run, "aten::_to_copy")


def calls(run, name):
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        run()
    return sum(event.count for event in profiler.key_averages() if event.key == name)


@torch.no_grad()
def test_the_numbers_are_autocasts(module):
    """Else entities would depend on how many texts are read at once."""
    inputs = torch.randn(3, 2, 5, 8)
    expected = in_bfloat16(module, *inputs)
    for keep in (True, False):
        with sharing_casts(keep_weights=keep):
            found = in_bfloat16(module, *inputs)
        assert all(map(torch.equal, found, expected))


@torch.no_grad()
def test_nothing_is_cast_twice(module):
    """It is what a batch of short texts spends a quarter of its time on."""
    inputs = torch.randn(4, 2, 8)
    n_weights, n_outputs = len(list(module.parameters())), len(inputs)
    with sharing_casts(keep_weights=True):
        shared = casts(lambda: in_bfloat16(module, *inputs))
    assert shared == n_weights + len(inputs) + n_outputs
    assert casts(lambda: in_bfloat16(module, *inputs)) > 2 * shared


@torch.no_grad()
def test_an_input_that_has_changed_is_cast_again(module):
    layer = module.output
    input = torch.randn(2, 8)
    with sharing_casts(keep_weights=True):
        before = in_bfloat16(layer, input)[0]
        input.mul_(2)
        after = in_bfloat16(layer, input)[0]
    assert torch.equal(before, in_bfloat16(layer, input / 2)[0])
    assert torch.equal(after, in_bfloat16(layer, input)[0])


def test_what_learns_has_its_gradients(module):
    """A cast that is kept without its history would leave weights as they are."""
    input = torch.randn(2, 8)
    with sharing_casts(keep_weights=True):
        in_bfloat16(module, input)[0].sum().backward()
    assert all(p.grad is not None for p in module.parameters())


@torch.no_grad()
def test_the_next_pass_and_other_threads_have_nothing_of_it(module):
    """A step of training changes weights where they are."""
    input = torch.randn(2, 8)
    with sharing_casts(keep_weights=True):
        in_bfloat16(module, input)
        module.output.weight.zero_()
        elsewhere: list[torch.Tensor] = []

        def predict() -> None:
            with torch.no_grad():
                elsewhere.extend(in_bfloat16(module.output, input))

        thread = threading.Thread(target=predict)
        thread.start()
        thread.join()
    with sharing_casts(keep_weights=True):
        again = in_bfloat16(module.output, input)
    bias = module.output.bias.bfloat16().expand(2, 8)
    assert torch.equal(elsewhere[0], bias)
    assert torch.equal(again[0], bias)


@torch.inference_mode()
def test_tensors_without_versions_are_cast_each_time(module):
    """Who predicts under torch.inference_mode gets the same."""
    input = torch.randn(2, 8)
    expected = in_bfloat16(module, input)
    with sharing_casts(keep_weights=True):
        assert torch.equal(in_bfloat16(module, input)[0], expected[0])


@torch.no_grad()
def test_weights_are_cast_once_as_long_as_they_are_kept(module):
    """Of a single text, to cast them takes as long as all products."""
    kept = Casts()

    def predict(batch):
        with casts_kept(kept), sharing_casts(keep_weights=False):
            (found,) = in_bfloat16(module, batch)
        assert torch.equal(found, *in_bfloat16(module, batch))

    batch = torch.randn(2, 5, 8)
    n_weights = sum(1 for _ in module.parameters())
    assert casts(partial(predict, batch)) - casts(partial(predict, batch)) == n_weights
    gone = weakref.ref(batch)
    del batch
    assert gone() is None, "a batch is kept in memory"


@pytest.mark.skipif(not BY_ONEDNN, reason="oneDNN has no bfloat16 here")
@pytest.mark.parametrize("keep", [True, False])
@torch.no_grad()
def test_kept_weights_are_laid_out_once(module, keep):
    """A single batch would wait longer for the layout than it gains by it."""
    inputs = torch.randn(3, 2, 8)

    def predict():
        with sharing_casts(keep_weights=keep):
            in_bfloat16(module, *inputs)

    n_weights = sum(1 for layer in module.modules() if isinstance(layer, nn.Linear))
    assert calls(predict, "mkldnn::_linear_pointwise") == n_weights * len(inputs)
    assert calls(predict, "mkldnn::_reorder_linear_weight") == (n_weights if keep else 0)
