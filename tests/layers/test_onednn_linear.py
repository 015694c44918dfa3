"""Linear layers by oneDNN: the same function, gradients and parameters as torch's own."""

import copy
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile

from spacy_bertcrf.layers import onednn_linear
from spacy_bertcrf.layers.onednn_linear import multiply_by_onednn

requires_onednn = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="torch is built without oneDNN"
)


def onednns(module: nn.Module) -> nn.Module:
    """The module, which multiplies by oneDNN also where that is not faster."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onednn_linear, "IS_FASTER", True)
        multiply_by_onednn(module)
    return module


def is_onednns(layer: nn.Module) -> bool:
    """Whether oneDNN computes what the layer gives."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        layer(torch.ones(1, 3))
    return any("mkldnn" in event.key for event in profiler.key_averages())


@requires_onednn
@pytest.mark.parametrize("shape", [(7, 5), (3, 4, 5), (2, 3, 2, 5), (1, 5), (0, 5), (5,)])
@pytest.mark.parametrize("bias", [True, False])
def test_it_computes_what_linear_does(shape: tuple[int, ...], bias: bool) -> None:
    """Else a BERT would not be the one that was loaded."""
    torch.manual_seed(0)
    layer = onednns(nn.Linear(5, 6, bias=bias))
    ours = torch.randn(shape, requires_grad=True)
    theirs = ours.detach().clone().requires_grad_()
    weights = [p.detach().clone().requires_grad_() for p in layer.parameters()]
    found, expected = layer(ours), functional.linear(theirs, *weights)
    d_output = torch.randn_like(expected)
    found.backward(d_output)
    expected.backward(d_output)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(ours.grad, theirs.grad)
    for parameter, weight in zip(layer.parameters(), weights, strict=True):
        torch.testing.assert_close(parameter.grad, weight.grad)


@requires_onednn
def test_strided_input_is_read_as_it_is() -> None:
    """A transposed or expanded tensor is a view of memory in another order."""
    layer = onednns(nn.Linear(5, 6))
    for input in (torch.randn(5, 4).t(), torch.randn(1, 5).expand(4, 5), torch.randn(4, 9)[:, 2:7]):
        expected = functional.linear(input, layer.weight, layer.bias)
        torch.testing.assert_close(layer(input), expected)


@requires_onednn
def test_gradients_can_be_differentiated() -> None:
    """Gradient penalties differentiate twice."""
    layer = onednns(nn.Linear(3, 2))
    input = torch.randn(4, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(layer(input).square().sum(), input, create_graph=True)
    gradient.square().sum().backward()
    weight = layer.weight.detach().clone().requires_grad_()
    bias = layer.bias.detach().clone()
    again = input.detach().clone().requires_grad_()
    output = functional.linear(again, weight, bias)
    (expected,) = torch.autograd.grad(output.square().sum(), again, create_graph=True)
    expected.square().sum().backward()
    torch.testing.assert_close(layer.weight.grad, weight.grad)
    torch.testing.assert_close(input.grad, again.grad)


@requires_onednn
def test_only_what_needs_a_gradient_gets_one() -> None:
    """A frozen BERT costs no backward pass of its weights."""
    layer = onednns(nn.Linear(3, 2)).requires_grad_(False)
    input = torch.randn(4, 3, requires_grad=True)
    layer(input).sum().backward()
    assert input.grad is not None
    assert layer.weight.grad is None
    assert layer.bias.grad is None
    assert not layer(input.detach()).requires_grad


@requires_onednn
def test_other_precisions_are_torchs() -> None:
    """Under autocast, and with float64 weights, the product is torch's own."""
    layer = onednns(nn.Linear(8, 4))
    input = torch.randn(3, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(input).dtype == torch.bfloat16
    assert layer.double()(input.double()).dtype == torch.float64


@requires_onednn
def test_modules_are_changed_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names and tensors stay, so a saved model fits; a derived class is left to itself."""

    class Doubled(nn.Linear):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            return 2 * super().forward(input)

    module = nn.Sequential(nn.Linear(3, 3), Doubled(3, 3), nn.LayerNorm(3))
    before = copy.deepcopy(module)
    monkeypatch.setattr(onednn_linear, "IS_FASTER", False)
    multiply_by_onednn(module)
    assert not is_onednns(module[0])
    monkeypatch.setattr(onednn_linear, "IS_FASTER", True)
    multiply_by_onednn(module)
    assert [is_onednns(layer) for layer in module[:2]] == [True, False]
    assert [type(layer) for layer in module] == [nn.Linear, Doubled, nn.LayerNorm]
    assert module.state_dict().keys() == before.state_dict().keys()
    input = torch.randn(2, 3)
    torch.testing.assert_close(module(input), before(input))


@requires_onednn
@pytest.mark.parametrize("copied_by", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_multiplies_by_its_own_weights(copied_by: Callable) -> None:
    """Else what learns would be another module than what it is a copy of, and so would what
    `nlp.pipe(n_process=2)` sends to processes that are spawned."""
    module = onednns(nn.Sequential(nn.Linear(3, 3)))
    copied = copied_by(module)
    assert is_onednns(copied[0])
    with torch.no_grad():
        copied[0].weight.zero_()
        copied[0].bias.zero_()
    input = torch.randn(2, 3)
    assert not copied(input).any()
    assert module(input).all()


@requires_onednn
def test_weights_of_another_kind_multiply_themselves() -> None:
    """torchao quantises a layer by a tensor of its own in place of the weight."""

    class Ours(torch.Tensor):
        pass

    layer = onednns(nn.Linear(3, 3))
    assert is_onednns(layer)
    layer.weight = nn.Parameter(layer.weight.detach().as_subclass(Ours))
    assert not is_onednns(layer)


@requires_onednn
def test_torch_quantises_them() -> None:
    """Else its quantisation would change nothing, without a word."""
    module = onednns(nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64)))
    quantized = torch.ao.quantization.quantize_dynamic(module, {nn.Linear})
    for layer in (quantized[0], quantized[2]):
        assert isinstance(layer, torch.ao.nn.quantized.dynamic.Linear)
    input = torch.randn(5, 64)
    torch.testing.assert_close(quantized(input), module(input), atol=0.05, rtol=0.05)
