"""The optimizer's step in the parameters' own memory: thinc's numbers, and nothing moves."""

import copy

import pytest
import torch
from spacy.language import Language
from spacy.training import Example
from spacy.util import fix_random_seed, load_model_from_config
from thinc.api import SGD, Adam, Model, PyTorchShim, PyTorchWrapper, RAdam
from torch.profiler import ProfilerActivity, profile

from spacy_bertcrf.layers import onednn_linear
from spacy_bertcrf.models.bridge.in_place_update import update_in_place

OPTIMIZERS = {
    "adam": lambda: Adam(0.01, L2=0.01, L2_is_weight_decay=True, grad_clip=1.0),
    "adam_l2": lambda: Adam(0.01, L2=0.1, L2_is_weight_decay=False, grad_clip=0.0),
    "radam": lambda: RAdam(0.01, L2=0.01),
    "sgd": lambda: SGD(0.1, L2=0.01),
}


@pytest.mark.parametrize("make_optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
def test_steps_are_those_of_thinc(make_optimizer):
    """Else the same config would train another model with us than with spaCy's own layers."""
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.LSTM(5, 3))
    ours, theirs = PyTorchWrapper(module), PyTorchWrapper(copy.deepcopy(module))
    update_in_place(ours)
    our_optimizer, their_optimizer = make_optimizer(), make_optimizer()
    for _ in range(8):
        for our_parameter, their_parameter in _parameter_pairs(ours, theirs):
            gradient = torch.randn_like(our_parameter)
            our_parameter.grad, their_parameter.grad = gradient.clone(), gradient.clone()
        ours.finish_update(our_optimizer)
        theirs.finish_update(their_optimizer)
        our_optimizer.step_schedules()
        their_optimizer.step_schedules()
        for our_parameter, their_parameter in _parameter_pairs(ours, theirs):
            # Adam's fused kernel rounds in another order: to a ten-thousandth of a step of 0.01.
            torch.testing.assert_close(our_parameter, their_parameter, rtol=0, atol=1e-6)


def test_parameters_without_gradient_stay():
    """Else weight decay would eat what is frozen."""
    model = PyTorchWrapper(torch.nn.Linear(4, 5))
    update_in_place(model)
    module = model.shims[0]._model
    before = copy.deepcopy(module.state_dict())
    module.weight.grad = torch.ones(5, 4)
    model.finish_update(Adam(0.01, L2=0.1))
    assert not torch.equal(module.weight, before["weight"])
    assert torch.equal(module.bias, before["bias"])
    assert module.weight.grad is None


def test_copies_step_on_their_own():
    """Else training a copy of a model would train the original."""
    model = PyTorchWrapper(torch.nn.Linear(4, 5))
    update_in_place(model)
    twin = model.copy()
    before = copy.deepcopy(model.shims[0]._model.state_dict())
    for parameter in twin.shims[0]._model.parameters():
        parameter.grad = torch.ones_like(parameter)
    twin.finish_update(SGD(0.1))
    for name, parameter in model.shims[0]._model.named_parameters():
        assert torch.equal(parameter, before[name])
        assert not torch.equal(twin.shims[0]._model.get_parameter(name), before[name])


@pytest.mark.slow
@pytest.mark.parametrize(
    "config", ["cpu_cnn_crf", "bert_bilstm_crf", "bert_tcn_crf", "shared_transformer"]
)
@pytest.mark.parametrize("loaded", [False, True], ids=["new", "loaded"])
def test_parameters_stay_where_they_are(config, loaded, make_nlp, make_examples):
    """Else memory would grow at every step by the size of BERT's word embeddings, until the
    training is killed."""
    fix_random_seed(0)
    nlp = make_nlp(config)
    optimizer = nlp.initialize(lambda: make_examples(nlp))
    if loaded:
        saved = nlp.to_bytes()
        nlp = load_model_from_config(nlp.config, auto_fill=True).from_bytes(saved)
        optimizer = nlp.resume_training()
    optimizer.learn_rate = 0.01
    places = {name: parameter.data_ptr() for name, parameter in _torch_parameters(nlp).items()}
    values = {name: parameter.clone() for name, parameter in _torch_parameters(nlp).items()}
    assert any("crf" in name for name in places)
    assert any("embeddings" in name for name in places) == (config != "cpu_cnn_crf")
    # A token without wordpieces has a vector that is learned.
    with_space = Example.from_dict(nlp.make_doc("王 \n"), {"entities": []})
    for _ in range(3):
        nlp.update([*make_examples(nlp), with_space], sgd=False)
        for _, component in nlp.components:
            component.finish_update(optimizer)
    for name, parameter in _torch_parameters(nlp).items():
        assert parameter.data_ptr() == places[name], name
        assert parameter.grad is None, name
        if "pooler" not in name:
            assert not torch.equal(parameter, values[name]), name


@pytest.mark.slow
def test_a_shared_transformer_stays_where_it_is_however_it_was_added(make_nlp, make_examples):
    """Else the order of `nlp.add_pipe` calls would decide whether memory grows."""
    model_nlp = make_nlp("shared_transformer")
    nlp = make_nlp("shared_transformer")
    for name in ("transformer", "bertcrf"):
        nlp.remove_pipe(name)
    for name in ("bertcrf", "transformer"):
        config = model_nlp.get_pipe_config(name)
        config.pop("factory")
        nlp.add_pipe(name, config=config, first=True)
    assert nlp.pipe_names == ["transformer", "bertcrf"]
    optimizer = nlp.initialize(lambda: make_examples(nlp))
    places = {name: parameter.data_ptr() for name, parameter in _torch_parameters(nlp).items()}
    shim = nlp.get_pipe("transformer").model.layers[0].shims[0]
    nlp.update(make_examples(nlp), sgd=False)
    nlp.get_pipe("transformer").finish_update(optimizer)
    assert all(parameter.grad is None for parameter in shim._model.parameters())
    for name, parameter in _torch_parameters(nlp).items():
        assert parameter.data_ptr() == places[name], name


def _parameter_pairs(ours: Model, theirs: Model):
    return zip(ours.shims[0]._model.parameters(), theirs.shims[0]._model.parameters(), strict=True)


def _torch_parameters(nlp: Language) -> dict[str, torch.nn.Parameter]:
    return {
        f"{pipe_name}.{i}.{node.name}.{name}": parameter
        for pipe_name, pipe in nlp.components
        for i, node in enumerate(pipe.model.walk())
        for shim in node.shims
        if isinstance(shim, PyTorchShim)
        for name, parameter in shim._model.named_parameters()
    }


@pytest.mark.slow
@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch without oneDNN")
def test_a_shared_transformer_multiplies_by_onednn(make_nlp, make_examples, monkeypatch):
    """On an AMD CPU it would take twice as long as a BERT inside the component."""
    nlp = make_nlp("shared_transformer")
    nlp.initialize(lambda: make_examples(nlp))
    loaded = make_nlp("shared_transformer")
    loaded.from_bytes(nlp.to_bytes())
    monkeypatch.setattr(onednn_linear, "IS_FASTER", False)
    expected = vectors(loaded)
    assert not is_by_onednn(loaded)
    monkeypatch.setattr(onednn_linear, "IS_FASTER", True)
    for pipeline in (nlp, loaded):
        assert is_by_onednn(pipeline)
        torch.testing.assert_close(vectors(pipeline), expected)


def vectors(nlp):
    return torch.from_numpy(nlp("王小明在北京")._.trf_data.model_output.last_hidden_state)


def is_by_onednn(nlp):
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        nlp("王小明在北京")
    return any("_linear_pointwise" in event.key for event in profiler.key_averages())
