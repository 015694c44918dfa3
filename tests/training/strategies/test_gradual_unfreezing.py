"""BERT's layers join in from the top, step by step."""

import copy

import pytest
import torch
from spacy.util import fix_random_seed

from spacy_bertcrf.models.bridge.encoder_layers import encoder_layers
from spacy_bertcrf.models.bridge.trained_parameters import torch_shims
from spacy_bertcrf.training.optimizer.adamw import AdamW
from spacy_bertcrf.training.strategies.gradual_unfreezing import gradual_unfreezing

PATHS = {
    "bertcrf": ("bert_crf", "components.bertcrf.model.tok2vec"),
    "transformer": ("shared_transformer", "components.transformer.model"),
}


@pytest.fixture
def make(make_nlp, make_examples, deep_bert):
    def build(component, **settings):
        config, path = PATHS[component]
        settings = {f"{path}.{name}": value for name, value in settings.items()}
        nlp = make_nlp(config, **{f"{path}.name": str(deep_bert)}, **settings)
        fix_random_seed(0)
        nlp.initialize(lambda: make_examples(nlp))
        return nlp

    return build


def heights_that_move(nlp, component, make_examples, optimizer):
    """Of BERT's embeddings (0) and layers (1, 2, 3), those that an update changes, bit for bit."""
    shims = list(torch_shims({component: nlp.get_pipe(component).model}))
    (module,) = [shim._model for shim in shims if encoder_layers(shim._model)]
    heights = encoder_layers(module).heights
    before = copy.deepcopy(module.state_dict())
    # As in `spacy train`. With an optimizer, nlp.update would be a step late with what is shared.
    nlp.update(make_examples(nlp), sgd=False)
    for _, pipe in nlp.pipeline:
        pipe.finish_update(optimizer)
    return {
        heights[name]
        for name, weights in module.named_parameters()
        if name in heights and not torch.equal(weights, before[name])
    }


@pytest.mark.slow
@pytest.mark.parametrize("component", PATHS)
@pytest.mark.parametrize("unit", ["steps", "epochs"])
def test_layers_join_in_at_their_step(component, unit, make, make_examples):
    """Else they would be frozen too long, or forget what they know from the first step on."""
    nlp = make(component)
    optimizer = AdamW(0.01, weight_decay=0.1)
    before_update = gradual_unfreezing(component, every=2, unit=unit)
    for at in range(10):
        info = {"step": 100, "epoch": 100} | {unit[:-1]: at}
        before_update(nlp, info)
        expected = {height for height in range(4) if height > 3 - at // 2}
        assert heights_that_move(nlp, component, make_examples, optimizer) == expected


def test_several_layers_at_a_time(make, make_examples):
    nlp = make("bertcrf")
    before_update = gradual_unfreezing("bertcrf", every=1, unit="steps", layers=2)
    for step, expected in enumerate([set(), {2, 3}, {0, 1, 2, 3}]):
        before_update(nlp, {"step": step, "epoch": 0})
        assert heights_that_move(nlp, "bertcrf", make_examples, AdamW(0.01)) == expected


def test_what_the_encoder_freezes_stays_frozen(make, make_examples):
    """Also in a second training, with another callback that finds some layers frozen."""
    nlp = make("bertcrf", frozen_embeddings=True, frozen_layers=1)
    gradual_unfreezing("bertcrf")(nlp, {"step": 0, "epoch": 0})
    assert heights_that_move(nlp, "bertcrf", make_examples, AdamW(0.01)) == set()
    gradual_unfreezing("bertcrf")(nlp, {"step": 0, "epoch": 50})
    assert heights_that_move(nlp, "bertcrf", make_examples, AdamW(0.01)) == {2, 3}


def test_frozen_layers_cost_no_backward_pass(make, make_examples):
    nlp = make("bertcrf")
    gradual_unfreezing("bertcrf")(nlp, {"step": 0, "epoch": 1})
    nlp.update(make_examples(nlp), sgd=False)
    module = nlp.get_pipe("bertcrf").model.get_ref("tok2vec").shims[0].module
    with_gradient = {name for name, p in module.named_parameters() if p.grad is not None}
    heights = encoder_layers(module).heights
    assert {heights[name] for name in with_gradient if name in heights} == {3}


@pytest.mark.parametrize(
    ("config", "component"),
    [("cpu_cnn_crf", "bertcrf"), ("shared_transformer", "bertcrf"), ("bert_crf", "transformer")],
)
def test_a_component_without_bert_is_an_error(config, component, make_nlp, make_examples):
    """Else nothing would be frozen, and nobody know."""
    nlp = make_nlp(config)
    nlp.initialize(lambda: make_examples(nlp))
    with pytest.raises(ValueError, match=f"'{component}', which has no BERT of its own.*pipeline"):
        gradual_unfreezing(component)(nlp, {"step": 0, "epoch": 0})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"unit": "hours"}, "unit is 'hours'"),
        ({"every": 0}, "every is 0"),
        ({"layers": 0}, "layers 0"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        gradual_unfreezing("bertcrf", **settings)
