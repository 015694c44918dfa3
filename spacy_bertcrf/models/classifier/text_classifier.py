"""The thinc layer around layers.TextClassifier: vectors to logits."""

from functools import partial

import torch
from thinc.api import Model
from thinc.types import Floats2d, Ragged

from spacy_bertcrf import layers
from spacy_bertcrf.models.bridge.torch_layer import ragged_to_torch, torch_layer, torch_to_array
from spacy_bertcrf.models.bridge.torch_shim import TorchShim, torch_shim

NEW_LABEL_RESERVE = 1.0  # that new labels score lower than the mean of the old ones


def TextClassifier(attention: bool) -> Model[Ragged, Floats2d]:
    """The vectors of texts, (n_vectors, input_width), to logits (n_texts, n_labels).

    attention: as in `layers.TextClassifier`.

    The torch module is made by `build_text_classifier`, or when the model is loaded, since its
    sizes are not known before.
    """
    shim = TorchShim(partial(layers.TextClassifier, attention=attention))
    model = torch_layer("text_classifier", shim, ragged_to_torch, torch_to_array)
    model.attrs["dropout_rate"] = 0.0
    return model


def build_text_classifier(model: Model[Ragged, Floats2d], input_width: int, n_labels: int) -> None:
    """Give the layer a new torch module of these sizes, with random weights."""
    torch_shim(model).rebuild(input_width=input_width, n_labels=n_labels)
    model.set_dim("nI", input_width)
    model.set_dim("nO", n_labels)


def grow_text_classifier(model: Model[Ragged, Floats2d], n_labels: int) -> None:
    """Give a trained layer more labels, behind those that it has, whose logits stay as they are.
    Those of the new ones are their mean less a reserve, so that none is the highest."""
    shim = torch_shim(model)
    weights = shim.module.state_dict()
    for name in ("projection.weight", "projection.bias"):
        old = weights[name]
        new = old.mean(0, keepdim=True).repeat(n_labels - len(old), *[1] * (old.dim() - 1))
        weights[name] = torch.cat([old, new if old.dim() > 1 else new - NEW_LABEL_RESERVE])
    shim.rebuild(input_width=model.get_dim("nI"), n_labels=n_labels)
    shim.module.load_state_dict(weights)
    model.set_dim("nO", n_labels, force=True)
