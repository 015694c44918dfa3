"""All parameters that learn from the same batches, with the names that settings know them by."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import torch
from thinc.api import Model, PyTorchShim

from spacy_bertcrf.models.bridge.encoder_layers import encoder_layers
from spacy_bertcrf.models.types import Array

Key = tuple[int, str]
"""What thinc's optimizers keep a parameter's state under: the id of its shim or thinc layer, and
its name there."""


HEADS = ("crf", "head", "classifier")
"""What stands on the "tok2vec" of our models."""


class TrainedParameter(NamedTuple):
    """A parameter of a torch module or a thinc layer.

    name: where it is, such as "bert_encoder.bert.encoder.layer.0.output.dense.bias",
        "sequence_tagger.projection.weight", "crf.transitions", "text_classifier.projection.bias"
        or, in a component that others listen to, the component's name and the parameter's,
        "transformer.encoder…".
    gradient: None where there is none.
    distance: number of layers above it in its Hugging Face encoder; None outside of one.
    """

    key: Key
    name: str
    weights: torch.Tensor | Array
    gradient: torch.Tensor | Array | None
    distance: int | None


class Place(NamedTuple):
    """What an optimizer's settings of a parameter depend on: `name` and `distance` as above."""

    name: str
    distance: int | None


# By key, without the weights. A few strings for each model that has rehearsed.
_PLACES: dict[Key, Place] = {}


def remember_places(parameters: Iterable[TrainedParameter]) -> None:
    """Let `place_of` know where these parameters are: for what reaches an optimizer by its key
    alone, as in `nlp.rehearse`."""
    _PLACES.update((p.key, Place(p.name, p.distance)) for p in parameters)


def place_of(key: Key) -> Place:
    """Where a parameter is, as far as it is known."""
    return _PLACES.get(key, Place(key[1], None))


def torch_shims(models: Mapping[str, Model | None]) -> Iterator[PyTorchShim]:
    """All torch modules of the models, which are given by component, None for
    one that has no model."""
    for _, node in _named_nodes(models):
        for shim in node.shims:
            if isinstance(shim, PyTorchShim):
                yield shim


def trained_parameters(models: Mapping[str, Model]) -> Iterator[TrainedParameter]:
    """All parameters of the models, frozen ones included.

    models: by the name of their component.
    """
    for prefix, node in _named_nodes(models):
        for shim in node.shims:
            if isinstance(shim, PyTorchShim):
                layers = encoder_layers(shim._model)
                distances = {} if layers is None else layers.distances()
                for name, parameter in shim._model.named_parameters():
                    yield TrainedParameter(
                        (shim.id, name),
                        f"{prefix}.{name}",
                        parameter.data,
                        parameter.grad,
                        distances.get(name),
                    )
        for name in node.param_names:
            if node.has_param(name):
                gradient = node.get_grad(name) if node.has_grad(name) else None
                qualified = f"{prefix}.{node.name}.{name}"
                key = (node.id, name)
                yield TrainedParameter(key, qualified, node.get_param(name), gradient, None)


def _named_nodes(models: Mapping[str, Model | None]) -> Iterator[tuple[str, Model]]:
    for component, model in models.items():
        if model is None:
            continue
        if not model.has_ref("tok2vec") or not any(map(model.has_ref, HEADS)):
            for node in model.walk():
                yield component, node
            continue
        for part in model.layers:
            # spaCy's own token vectors have a long name that is made of all their layers'.
            unnamed = part is model.get_ref("tok2vec") and not part.shims
            for node in part.walk():
                yield "tok2vec" if unnamed else part.name, node
