"""TorchShim: torch modules that are built late, and saved without pickle."""

import copy
import pickle
from functools import partial

import pytest
import safetensors.torch
import srsly
import torch
from torch.nn.utils.parametrizations import weight_norm

from spacy_bertcrf.models.bridge.torch_shim import TorchShim


def build(width: int, bias: bool = True, normed: bool = False) -> torch.nn.Module:
    layer = torch.nn.Linear(width, 3, bias=bias)
    return weight_norm(layer) if normed else layer


@pytest.fixture
def shim() -> TorchShim:
    shim = TorchShim(build)
    shim.rebuild(width=4)
    return shim


def test_the_module_comes_back_as_it_was(shim):
    """Else a loaded pipeline would have other weights than the saved one."""
    loaded = TorchShim(build).from_bytes(shim.to_bytes())
    assert loaded.module.in_features == 4
    assert torch.equal(loaded.module.weight, shim.module.weight)
    assert torch.equal(loaded.module.bias, shim.module.bias)


def test_nothing_built_is_nothing_saved():
    """Else a pipeline that is not initialized could not be saved."""
    loaded = TorchShim(build).from_bytes(TorchShim(build).to_bytes())
    assert list(loaded.module.parameters()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("bias"), r"'bias' is missing"),
        (lambda tensors: tensors.update(extra=torch.ones(1)), r"'extra' is not in the model"),
        (
            lambda tensors: tensors.update(weight=torch.ones(3, 5)),
            r"'weight' is \(3, 5\), in the model \(3, 4\)",
        ),
    ],
)
def test_weights_that_do_not_fit_are_named(shim, change, message):
    """Else wrong weights would be taken in silence, or the user would not know which."""
    saved = srsly.msgpack_loads(shim.to_bytes())
    tensors = safetensors.torch.load(saved["state"])
    change(tensors)
    saved["state"] = safetensors.torch.save(tensors)
    with pytest.raises(ValueError, match=message):
        TorchShim(build).from_bytes(srsly.msgpack_dumps(saved))


@pytest.mark.parametrize("cut", [0, 5, 60, -1])
def test_damaged_weights_are_refused(shim, cut):
    """Else half a download would give a pipeline of random weights, or an error of no help."""
    saved = srsly.msgpack_loads(shim.to_bytes())
    saved["state"] = saved["state"][:cut]
    with pytest.raises(ValueError, match=r"weight, bias are damaged"):
        TorchShim(build).from_bytes(srsly.msgpack_dumps(saved))


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda shim: pickle.loads(pickle.dumps(shim))]
)
@pytest.mark.parametrize("normed", [False, True])
def test_copies_are_whole_and_apart(duplicate, normed):
    """Else `nlp.pipe(n_process=2)` with spawned processes would fail, or a copy of a pipeline
    would learn along with the original."""
    shim = TorchShim(partial(build, normed=normed))
    shim.rebuild(width=4)
    twin = duplicate(shim)
    vectors = torch.randn(2, 4)
    expected = shim.module(vectors)
    assert torch.equal(twin.module(vectors), expected)
    with torch.no_grad():
        for parameter in twin.module.parameters():
            parameter.zero_()
    assert torch.equal(shim.module(vectors), expected)
    assert twin.id != shim.id, "an optimizer tells parameters by the shim's id"


def test_training_shares_the_weights_and_nothing_of_the_mode(shim):
    """Else what is learned would not be what predicts, or predictions would have dropout."""
    twin = shim.training_module
    assert twin.training
    assert not shim.module.training
    ours, theirs = dict(shim.module.named_parameters()), dict(twin.named_parameters())
    assert ours.keys() == theirs.keys()
    assert all(ours[name] is theirs[name] for name in ours)
    assert shim.training_module is twin
    shim.rebuild(width=4)
    assert shim.training_module.weight is shim.module.weight


def test_normed_weights_learn_where_they_predict():
    """torch keeps what a weight norm is made of in places of its own."""
    shim = TorchShim(partial(build, normed=True))
    shim.rebuild(width=4)
    vectors = torch.randn(2, 4)
    before = shim.module(vectors)
    shim.training_module(vectors).sum().backward()
    with torch.no_grad():
        for parameter in shim.module.parameters():
            assert parameter.grad is not None
            parameter -= parameter.grad
    assert not torch.equal(shim.module(vectors), before)
    assert torch.equal(shim.module(vectors), shim.training_module(vectors))
