"""thinc's Adam by torch's fused kernels."""

import numpy as np
import pytest
import torch
from thinc.api import SGD, Adam, Optimizer, RAdam

from spacy_bertcrf.models.bridge import adam

LEARN_RATE = 0.1
# The fused kernel rounds in another order: to a ten-thousandth of a step.
ROUNDING = 1e-4 * LEARN_RATE
SHAPES = {"matrix": (7, 5), "vector": (11,), "scalar": ()}


def _parameters(rng: np.random.Generator) -> dict[tuple[int, str], torch.nn.Parameter]:
    return {
        (1, name): torch.nn.Parameter(torch.tensor(rng.normal(size=shape), dtype=torch.float32))
        for name, shape in SHAPES.items()
    }


def _theirs(optimizer: Optimizer, parameters: dict) -> None:
    for key, parameter in parameters.items():
        weights, gradient = parameter.detach().numpy(), parameter.grad.numpy()
        shape = weights.shape
        updated, _ = optimizer(key, weights.reshape(-1).copy(), gradient.reshape(-1).copy())
        parameter.data.copy_(torch.from_numpy(updated.reshape(shape)))


@pytest.mark.parametrize("l2_is_weight_decay", [True, False])
@pytest.mark.parametrize("grad_clip", [0.0, 0.5])
@pytest.mark.parametrize("use_averages", [True, False])
def test_its_numbers_are_thincs(l2_is_weight_decay, grad_clip, use_averages):
    """Else a config would train another model than spaCy's users expect."""
    settings = {
        "L2": 0.1,
        "L2_is_weight_decay": l2_is_weight_decay,
        "grad_clip": grad_clip,
        "use_averages": use_averages,
        "eps": 1e-3,
    }
    ours, theirs = Adam(LEARN_RATE, **settings), Adam(LEARN_RATE, **settings)
    our_parameters = _parameters(np.random.default_rng(0))
    their_parameters = _parameters(np.random.default_rng(0))
    rng = np.random.default_rng(1)
    for n_step in range(5):
        # Some get no gradient in the first step, and so are one step behind.
        present = [key for key in our_parameters if n_step or key[1] != "vector"]
        for key in present:
            gradient = torch.tensor(rng.normal(size=SHAPES[key[1]]), dtype=torch.float32)
            our_parameters[key].grad = gradient.clone()
            their_parameters[key].grad = gradient.clone()
        assert adam.can_step(ours, our_parameters)
        adam.step(ours, {key: our_parameters[key] for key in present})
        _theirs(theirs, {key: their_parameters[key] for key in present})
    for key, parameter in our_parameters.items():
        torch.testing.assert_close(parameter, their_parameters[key], rtol=0, atol=ROUNDING)
        np.testing.assert_allclose(ours.mom1[key], theirs.mom1[key], rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(ours.mom2[key], theirs.mom2[key], rtol=1e-5, atol=1e-7)
        assert ours.nr_update[key] == theirs.nr_update[key]
        if use_averages:
            np.testing.assert_allclose(
                ours.averages[key].ravel(), theirs.averages[key].ravel(), rtol=0, atol=ROUNDING
            )


def test_a_gradient_of_zeros_is_no_division_by_zero():
    parameters = _parameters(np.random.default_rng(0))
    for parameter in parameters.values():
        parameter.grad = torch.zeros_like(parameter)
    before = {key: parameter.detach().clone() for key, parameter in parameters.items()}
    adam.step(Adam(0.1, L2=0.0, grad_clip=1.0), parameters)
    for key, parameter in parameters.items():
        torch.testing.assert_close(parameter.detach(), before[key])


@pytest.mark.parametrize("optimizer", [SGD(0.1), RAdam(0.1)])
def test_other_optimizers_are_left_to_thinc(optimizer):
    assert not adam.can_step(optimizer, _parameters(np.random.default_rng(0)))


def test_other_precisions_are_left_to_thinc():
    parameters = {(1, "half"): torch.nn.Parameter(torch.zeros(3, dtype=torch.float16))}
    assert not adam.can_step(Adam(0.1), parameters)
