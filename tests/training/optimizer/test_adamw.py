"""AdamW: torch's numbers, parameter groups, and a norm over all gradients."""

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest
import torch
from spacy.util import fix_random_seed
from thinc.api import Adam, PyTorchShim, PyTorchWrapper, xp2torch

from spacy_bertcrf.models.bridge.in_place_update import begin_step, optimizer_of, update_in_place
from spacy_bertcrf.training.optimizer.adamw import AdamW
from spacy_bertcrf.training.optimizer.averages import EMA

CONFIGS = ["cpu_cnn_crf", "bert_bilstm_crf", "bert_tcn_crf", "shared_transformer"]


@pytest.fixture(params=CONFIGS)
def nlp(request, make_nlp, make_examples):
    return initialized(make_nlp(request.param), make_examples)


@pytest.fixture
def bert_nlp(make_nlp, make_examples, deep_bert):
    return initialized(
        make_nlp("bert_crf", **{"components.bertcrf.model.tok2vec.name": str(deep_bert)}),
        make_examples,
    )


def initialized(nlp, make_examples):
    fix_random_seed(0)
    nlp.initialize(lambda: make_examples(nlp))
    return nlp


def step(nlp, optimizer):
    """What `spacy train` does behind `nlp.update`."""
    for _, component in nlp.pipeline:
        component.finish_update(optimizer)
    optimizer.step_schedules()


def parameters(nlp):
    """Names, weights and gradients by the optimizer's keys, of torch and of thinc."""
    found = {}
    for _, component in nlp.pipeline:
        for node in component.model.walk():
            for shim in node.shims:
                if isinstance(shim, PyTorchShim):
                    for name, parameter in shim._model.named_parameters():
                        key = (shim.id, name)
                        found[key] = (f"{node.name}.{name}", parameter.data, parameter.grad)
            for name in node.param_names:
                if node.has_param(name):
                    gradient = xp2torch(node.get_grad(name)) if node.has_grad(name) else None
                    weights = xp2torch(node.get_param(name))
                    found[node.id, name] = (f"{node.name}.{name}", weights, gradient)
    return found


@pytest.mark.parametrize("as_thinc", [False, True])
@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_its_numbers_are_torchs(as_thinc, weight_decay):
    """Else the rates that papers give would be of no use here."""
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.LSTM(5, 3))
    model = PyTorchWrapper(copy.deepcopy(module))
    update_in_place(model)
    ours = model.shims[0]._model
    settings = {"weight_decay": weight_decay, "eps": 1e-6}
    optimizer = AdamW(0.1, beta1=0.8, beta2=0.99, grad_clip=0, **settings)
    groups = [
        {"params": [p for p in module.parameters() if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in module.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    theirs = torch.optim.AdamW(groups, lr=0.1, betas=(0.8, 0.99), **settings)
    for n_step in range(6):
        for our, their in zip(ours.parameters(), module.parameters(), strict=True):
            # Some get no gradient in the first step, and so are one step behind.
            their.grad = torch.randn_like(their) if n_step or their.ndim > 1 else None
            our.grad = None if their.grad is None else their.grad.clone()
        if as_thinc:
            for name, our in ours.named_parameters():
                if our.grad is not None:
                    weights, gradient = our.data.numpy(), our.grad.numpy()
                    updated, left = optimizer((model.shims[0].id, name), weights, gradient)
                    assert updated is weights
                    assert not left.any()
        else:
            model.finish_update(optimizer)
        optimizer.step_schedules()
        theirs.step()
        for our, their in zip(ours.parameters(), module.parameters(), strict=True):
            torch.testing.assert_close(our, their, rtol=0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("grad_clip", [0.01, 1000.0])
def test_gradients_are_limited_as_torch_does_over_all_that_is_trained(
    nlp, make_examples, grad_clip
):
    """Else each layer would be scaled by itself, and the step's direction be another."""
    optimizer = AdamW(0.001, grad_clip=grad_clip)
    for _ in range(2):
        nlp.update(make_examples(nlp), sgd=False)
        expected = {}
        for key, (_, weights, gradient) in parameters(nlp).items():
            if gradient is not None:
                expected[key] = torch.nn.Parameter(torch.zeros_like(weights))
                expected[key].grad = gradient.clone()
        norm = torch.nn.utils.clip_grad_norm_(expected.values(), grad_clip)
        before = {key: np.copy(moment) for key, moment in optimizer.mom1.items()}
        step(nlp, optimizer)
        assert optimizer.gradient_norm == pytest.approx(float(norm), rel=1e-5)
        assert optimizer.mom1.keys() == expected.keys()
        for key, parameter in expected.items():
            moment = 0.9 * before.get(key, 0) + 0.1 * parameter.grad.numpy().ravel()
            np.testing.assert_allclose(optimizer.mom1[key], moment, rtol=1e-4, atol=1e-6)


def test_a_shared_transformer_is_limited_with_all_that_listen_to_it(make_nlp, make_examples):
    """Else the transformer would be scaled by other gradients than its listeners."""
    nlp = make_nlp("shared_transformer")
    config = nlp.get_pipe_config("bertcrf")
    config.pop("factory")
    nlp.add_pipe("bertcrf", name="second", config=config)
    initialized(nlp, make_examples)
    nlp.update(make_examples(nlp), sgd=False)
    gradients = [g for _, _, g in parameters(nlp).values() if g is not None]
    norm = torch.linalg.vector_norm(torch.stack([g.norm() for g in gradients]))
    optimizer = AdamW(0.001)
    nlp.get_pipe("transformer").finish_update(optimizer)
    assert optimizer.gradient_norm == pytest.approx(float(norm), rel=1e-5)
    nlp.get_pipe("bertcrf").finish_update(optimizer)
    nlp.get_pipe("second").finish_update(optimizer)
    assert optimizer.gradient_norm == pytest.approx(float(norm), rel=1e-5)
    assert set(optimizer.nr_update.values()) == {0, 1}


def test_biases_and_norms_do_not_decay(nlp, make_examples):
    """Else they would be pulled to 0 by what is for the weights of the connections."""
    start = {key: weights.clone() for key, (_, weights, _) in parameters(nlp).items()}
    results = []
    for settings in ({"weight_decay": 0.0}, {"weight_decay": 0.5}):
        fix_random_seed(0)
        nlp.update(make_examples(nlp), sgd=False)
        step(nlp, AdamW(0.01, **settings))
        results.append({key: weights.clone() for key, (_, weights, _) in parameters(nlp).items()})
        for key, (_, weights, _) in parameters(nlp).items():
            weights.copy_(start[key])
    plain, decayed = results
    for key, (name, weights, _) in parameters(nlp).items():
        if sum(size > 1 for size in weights.shape) <= 1 or name.endswith(".b"):
            torch.testing.assert_close(decayed[key], plain[key], rtol=0, atol=0.0)
        elif not torch.equal(plain[key], start[key]):
            expected = plain[key] - 0.01 * 0.5 * start[key]
            torch.testing.assert_close(decayed[key], expected, rtol=0, atol=1e-6)


def test_groups_have_their_own_rates(bert_nlp, make_examples):
    """Adam's first step moves each weight by the rate, so it shows in the weights."""
    groups = {
        "crf": {"pattern": "crf.*", "learn_rate": iter([0.5, 0.25])},
        "bert": {"pattern": "bert_encoder.*", "learn_rate_scale": 0.1},
        "embeddings": {"pattern": "bert_encoder.bert.embeddings.*", "learn_rate_scale": 0.01},
    }
    optimizer = AdamW(0.01, weight_decay=0.0, groups=groups, layer_decay=0.5, eps=1e-16)
    assert optimizer.learn_rates == pytest.approx(
        {"default": 0.01, "crf": 0.5, "bert": 0.001, "embeddings": 0.0001}
    )
    before = {key: weights.clone() for key, (_, weights, _) in parameters(bert_nlp).items()}
    bert_nlp.update(make_examples(bert_nlp), sgd=False)
    step(bert_nlp, optimizer)
    rates = {
        "crf.transitions": 0.5,
        "sequence_tagger.projection.weight": 0.01,
        "bert_encoder.bert.encoder.layer.2.output.dense.weight": 0.001,
        "bert_encoder.bert.encoder.layer.1.output.dense.weight": 0.001 * 0.5,
        "bert_encoder.bert.encoder.layer.0.output.dense.weight": 0.001 * 0.5**2,
        "bert_encoder.bert.embeddings.LayerNorm.bias": 0.0001 * 0.5**3,
    }
    moved = {
        name: float((weights - before[key]).abs().max())
        for key, (name, weights, _) in parameters(bert_nlp).items()
    }
    for name, rate in rates.items():
        assert moved[name] == pytest.approx(rate, rel=0.02), name
    assert optimizer.learn_rates["crf"] == 0.25


@pytest.mark.parametrize("config", ["bert_bilstm_crf", "shared_transformer"])
def test_layer_decay_is_its_closed_form_embedded_and_shared(
    config, make_nlp, make_examples, deep_bert
):
    path = "bertcrf.model.tok2vec" if config == "bert_bilstm_crf" else "transformer.model"
    nlp = initialized(
        make_nlp(config, **{f"components.{path}.name": str(deep_bert)}), make_examples
    )
    optimizer = AdamW(0.01, weight_decay=0.0, layer_decay=0.3, eps=1e-16)
    before = {key: weights.clone() for key, (_, weights, _) in parameters(nlp).items()}
    nlp.update(make_examples(nlp), sgd=False)
    step(nlp, optimizer)
    for key, (name, weights, _) in parameters(nlp).items():
        if name.endswith(".output.dense.weight") or "embeddings.LayerNorm" in name:
            height = 0 if "embeddings" in name else int(name.split("layer.")[1][0]) + 1
            moved = float((weights - before[key]).abs().max())
            assert moved == pytest.approx(0.01 * 0.3 ** (3 - height), rel=0.02), name


def test_a_pattern_that_matches_nothing_is_an_error_in_the_first_step(nlp, make_examples):
    """Else a slip of the pen would train another model than one thinks."""
    optimizer = AdamW(0.01, groups={"crf": {"pattern": "crff.*"}})
    nlp.update(make_examples(nlp), sgd=False)
    with pytest.raises(ValueError, match=r"group 'crf' is empty.*crff\.\*.*Parameters are"):
        step(nlp, optimizer)
    optimizer = AdamW(0.01, groups={"crf": {"pattern": "crff.*"}})
    nlp.update(make_examples(nlp), sgd=optimizer)
    with pytest.raises(ValueError, match="group 'crf' is empty"):
        nlp.update(make_examples(nlp), sgd=optimizer)


def test_layer_decay_needs_layers(make_nlp, make_examples):
    nlp = initialized(make_nlp(), make_examples)
    nlp.update(make_examples(nlp), sgd=False)
    with pytest.raises(ValueError, match="no Hugging Face encoder"):
        step(nlp, AdamW(0.01, layer_decay=0.9))


def test_every_parameter_has_a_name_for_patterns(nlp, make_examples):
    patterns = ["tok2vec.*", "bert_encoder.*", "transformer.*", "sequence_tagger.*", "crf.*"]
    names = {node.name for _, pipe in nlp.pipeline for node in pipe.model.walk()}
    absent = {"transformer.*"} if "transformer" not in nlp.pipe_names else set()
    absent |= set() if "bert_encoder" in names else {"bert_encoder.*"}
    absent |= set() if any("hashembed" in name for name in names) else {"tok2vec.*"}
    used = [pattern for pattern in patterns if pattern not in absent]
    optimizer = AdamW(0.01, groups={str(i): {"pattern": p} for i, p in enumerate(used)})
    nlp.update(make_examples(nlp), sgd=False)
    step(nlp, optimizer)
    assert "default" not in {setting.group.name for setting in optimizer._settings.values()}


def test_frozen_parameters_stay_bit_for_bit(bert_nlp, make_examples):
    """Weight decay and averages would move them else."""
    module = bert_nlp.get_pipe("bertcrf").model.get_ref("tok2vec").shims[0].module
    frozen = module.bert.encoder.layer[0].requires_grad_(False)
    before = copy.deepcopy(frozen.state_dict())
    optimizer = AdamW(0.01, weight_decay=0.5, averages=EMA(0.5))
    for _ in range(2):
        bert_nlp.update(make_examples(bert_nlp), sgd=False)
        step(bert_nlp, optimizer)
    for name, weights in frozen.state_dict().items():
        assert torch.equal(weights, before[name])
    assert not any(".layer.0." in name for _, name in optimizer.averages)
    assert any(".layer.1." in name for _, name in optimizer.averages)


@pytest.mark.parametrize("grad_clip", [1.0, 0.0])
def test_a_step_with_gradients_that_are_no_numbers_is_not_taken(nlp, make_examples, grad_clip):
    """Else one bad batch would spoil all weights for good."""
    optimizer = AdamW(0.01, grad_clip=grad_clip)
    nlp.update(make_examples(nlp), sgd=False)
    shim = nlp.get_pipe("bertcrf").model.get_ref("crf").shims[0]
    shim.module.transitions.grad[0, 0] = torch.inf
    before = {key: weights.clone() for key, (_, weights, _) in parameters(nlp).items()}
    with pytest.warns(UserWarning, match="not all finite"):
        step(nlp, optimizer)
    for key, (name, weights, gradient) in parameters(nlp).items():
        assert torch.equal(weights, before[key]), name
        assert gradient is None or not gradient.any()
    assert optimizer.n_skipped == 1
    nlp.update(make_examples(nlp), sgd=False)
    step(nlp, optimizer)
    assert not torch.equal(
        parameters(nlp)[shim.id, "transitions"][1], before[shim.id, "transitions"]
    )
    assert optimizer.n_skipped == 1


@pytest.mark.parametrize("overflows", [False, True])
def test_scaled_gradients_of_half_precision_count_as_what_they_are(
    bert_nlp, make_examples, overflows
):
    """Else the norm would be that of numbers 65536 times too large; and a scale that is too large
    is nothing to warn of."""
    model = bert_nlp.get_pipe("bertcrf").model
    bert_nlp.update(make_examples(bert_nlp), sgd=False)
    gradients = [g for _, _, g in parameters(bert_nlp).values() if g is not None]
    norm = float(torch.linalg.vector_norm(torch.stack([g.norm() for g in gradients])))
    shim = model.get_ref("tok2vec").shims[0]
    shim._grad_scaler._enabled = True
    for parameter in shim.module.parameters():
        if parameter.grad is not None:
            parameter.grad *= shim._grad_scaler._scale
    if overflows:
        shim.module.bert.embeddings.LayerNorm.weight.grad[0] = torch.inf
    scale = float(shim._grad_scaler._scale)
    before = {key: weights.clone() for key, (_, weights, _) in parameters(bert_nlp).items()}
    optimizer = AdamW(0.01)
    step(bert_nlp, optimizer)
    same = [torch.equal(w, before[key]) for key, (_, w, _) in parameters(bert_nlp).items()]
    assert all(same) == overflows
    assert optimizer.n_skipped == 0
    assert float(shim._grad_scaler._scale) == (scale / 2 if overflows else scale)
    if not overflows:
        assert optimizer.gradient_norm == pytest.approx(norm, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("make", [lambda: AdamW(0.01), lambda: Adam(0.01)])
def test_a_logger_finds_the_optimizer(nlp, make_examples, make):
    model = nlp.get_pipe("bertcrf").model
    assert optimizer_of(model) is None
    optimizer = make()
    nlp.update(make_examples(nlp), sgd=optimizer)
    for _, component in nlp.pipeline:
        assert optimizer_of(component.model) is optimizer
        assert optimizer_of(component.model.copy()) is None
        copied = pickle.loads(pickle.dumps([n.shims for n in component.model.walk() if n.shims]))
        assert not any(vars(s).get("stepped_by", lambda: None)() for shims in copied for s in shims)


@pytest.mark.slow
def test_a_model_does_not_keep_the_optimizer(bert_nlp, make_examples):
    """Its moments are twice the size of the model."""
    optimizer = AdamW(0.01)
    bert_nlp.update(make_examples(bert_nlp), sgd=optimizer)
    gone = weakref.ref(optimizer)
    del optimizer
    gc.collect()
    assert gone() is None
    assert optimizer_of(bert_nlp.get_pipe("bertcrf").model) is None


def test_other_optimizers_are_not_told_of_steps(nlp, make_examples):
    begin_step(Adam(0.01), {"bertcrf": nlp.get_pipe("bertcrf").model})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beta1": 1.0}, "beta1 is 1.0"),
        ({"weight_decay": -0.1}, "weight_decay is -0.1"),
        ({"layer_decay": 0.0}, "layer_decay is 0.0"),
        ({"groups": {"crf": {}}}, "needs a pattern"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        AdamW(0.01, **settings)
