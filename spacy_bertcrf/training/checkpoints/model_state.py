"""The state of thinc models for a checkpoint: all weights, and what else a step changes."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from spacy.language import Language
from thinc.api import Model, PyTorchShim

from spacy_bertcrf.models.bridge.module_state import module_state, restore_module
from spacy_bertcrf.models.bridge.trained_parameters import Key
from spacy_bertcrf.models.resumable import NotResumableError, Resumable, State

ALL_ZERO = "zeros"


class ComponentStates:
    """The state of the components that a training updates.

    components: by name; they have been initialized.

    Raises NotResumableError for modules of other libraries than torch.
    """

    def __init__(self, components: Mapping[str, Any]):
        self._components = components
        for pipe in components.values():
            for node in pipe.model.walk():
                _require_torch(node.shims)

    def training_state(self) -> State:
        """By component, "model" and, of what is `Resumable` in its learning, "own"."""
        states = {}
        for name, pipe in self._components.items():
            learning = learning_of(pipe)
            own = learning.training_state() if isinstance(learning, Resumable) else None
            states[name] = {"model": model_state(pipe.model), "own": own}
        return states

    def restore_training_state(self, state: State) -> None:
        """Give the components their weights, and the rest."""
        for name, pipe in self._components.items():
            restore_model(pipe.model, state[name]["model"])
            learning = learning_of(pipe)
            if isinstance(learning, Resumable):
                learning.restore_training_state(state[name]["own"])

    def optimizer_names(self) -> dict[Key, str]:
        """What is the same in every process in the place of the keys that an optimizer has its
        parameters under: component, position, name."""
        names: dict[Key, str] = {}
        for component, pipe in self._components.items():
            for i, node in enumerate(pipe.model.walk()):
                names.update(
                    {(node.id, name): f"{component}/{i}/{name}" for name in node.param_names}
                )
                for j, shim in enumerate(node.shims):
                    for name, _ in shim._model.named_parameters():
                        names[shim.id, name] = f"{component}/{i}.{j}/{name}"
            own: Mapping[str, Key] = getattr(learning_of(pipe), "optimizer_keys", dict)()
            names.update({key: f"{component}/own/{name}" for name, key in own.items()})
        return names


def trained_components(nlp: Language, frozen: Iterable[str]) -> dict[str, Any]:
    """The components that a training updates, in the order of the pipeline."""
    return {
        name: pipe
        for name, pipe in nlp.pipeline
        if name not in frozen
        and getattr(pipe, "is_trainable", False)
        and getattr(pipe, "model", None) not in (True, False, None)
    }


def learning_of(pipe: object) -> object:
    """What knows how a component learns: its `learning`, as bertcrf has it, or else itself."""
    return getattr(pipe, "learning", pipe)


def model_state(model: Model) -> State:
    """By position of the layer: parameters, torch modules, gradients."""
    layers = {}
    for i, node in enumerate(model.walk()):
        params = {name: node.get_param(name) for name in node.param_names if node.has_param(name)}
        grads = {name: _gradient(node.get_grad(name)) for name in params if node.has_grad(name)}
        layers[str(i)] = {
            "params": params,
            "gradients": grads,
            "shims": [_shim_state(shim) for shim in node.shims],
        }
    return layers


def restore_model(model: Model, state: State) -> None:
    """Set all that `model_state` gave, in the memory that is there."""
    for i, node in enumerate(model.walk()):
        layer = state[str(i)]
        for name, values in layer["params"].items():
            if node.has_param(name):
                own: Any = node.get_param(name)
                own[...] = values
            else:
                node.set_param(name, values)
        for name, values in layer["gradients"].items():
            zeros = node.ops.xp.zeros_like(node.get_param(name))
            node.set_grad(name, zeros if isinstance(values, str) else values)
        for shim, values in zip(node.shims, layer["shims"], strict=True):
            _restore_shim(shim, values)


def _gradient(gradient: Any) -> Any:
    # thinc keeps gradients of zeros, with which its optimizer still takes a step.
    return gradient if gradient.any() else ALL_ZERO


def _require_torch(shims: Iterable[Any]) -> None:
    for shim in shims:
        if not isinstance(shim, PyTorchShim):
            raise NotResumableError(
                f"A checkpoint cannot hold the state of a {type(shim).__name__}: of other "
                "libraries' modules, only torch's can be resumed."
            )


def _shim_state(shim: Any) -> State:
    parameters = dict(shim._model.named_parameters())
    return {
        "tensors": module_state(shim._model),
        "frozen": [name for name, p in parameters.items() if not p.requires_grad],
        "frozen_for_now": sorted(vars(shim).get("frozen_for_now", ())),
        "gradients": {
            name: _gradient(p.grad) for name, p in parameters.items() if p.grad is not None
        },
        "scale": shim._grad_scaler._scale,
        "growth_tracker": shim._grad_scaler._growth_tracker,
    }


def _restore_shim(shim: Any, state: State) -> None:
    restore_module(shim._model, state["tensors"])
    frozen = set(state["frozen"])
    for name, parameter in shim._model.named_parameters():
        parameter.requires_grad_(name not in frozen)
        if name in state["gradients"]:
            values = state["gradients"][name]
            parameter.grad = (
                torch.zeros_like(parameter) if isinstance(values, str) else values.clone()
            )
    if state["frozen_for_now"]:
        vars(shim)["frozen_for_now"] = set(state["frozen_for_now"])
    scaler = shim._grad_scaler
    scaler._scale = state["scale"].to(scaler._scale.device)
    scaler._growth_tracker = state["growth_tracker"].to(scaler._growth_tracker.device)
