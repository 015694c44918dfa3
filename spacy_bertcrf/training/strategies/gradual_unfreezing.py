"""`spacy-bertcrf.gradual_unfreezing.v1`: BERT learns layer after layer, from the top."""

from collections.abc import Callable
from typing import Any

from spacy.language import Language
from thinc.api import PyTorchShim

from spacy_bertcrf.models.bridge.encoder_layers import EncoderLayers, encoder_layers
from spacy_bertcrf.models.bridge.trained_parameters import torch_shims

UNITS = ("steps", "epochs")


def gradual_unfreezing(
    component: str = "bertcrf", every: int = 1, unit: str = "epochs", layers: int = 1
) -> Callable[[Language, dict[str, Any]], None]:
    """Gradual unfreezing (Howard & Ruder 2018, https://arxiv.org/abs/1801.06146), for
    `[training.before_update]`.

    At first BERT is frozen and only what stands on it learns. Then its layers join in from the
    top, and last its embeddings. Frozen layers cost no backward pass. What `frozen_layers` and
    `frozen_embeddings` of `spacy-bertcrf.BertEncoder.v1` freeze stays so.

    component: the component that BERT is in: "bertcrf", or "transformer" where it is shared.
    every, unit: how many "steps" or "epochs" lie between one unfreezing and the next.
    layers: how many layers are unfrozen at a time.

    Returns the callback. Raises ValueError for a setting that cannot be; the callback raises it
    for a component that has no BERT.
    """
    if unit not in UNITS:
        raise ValueError(f"unit is '{unit}'; it can be {', '.join(UNITS)}.")
    if every < 1 or layers < 1:
        raise ValueError(f"every is {every} and layers {layers}; they must be at least 1.")

    def before_update(nlp: Language, info: dict[str, Any]) -> None:
        n_unfrozen = layers * (info[unit.removesuffix("s")] // every)
        found = _encoders(nlp, component)
        for shim, encoder in found:
            _freeze_below(shim, encoder, encoder.depth - n_unfrozen)

    return before_update


def _encoders(nlp: Language, component: str) -> list[tuple[PyTorchShim, EncoderLayers]]:
    found = []
    if component in nlp.component_names:
        for shim in torch_shims({component: getattr(nlp.get_pipe(component), "model", None)}):
            layers = encoder_layers(shim._model)
            if layers is not None:
                found.append((shim, layers))
    if not found:
        raise ValueError(
            f"gradual_unfreezing is for the component '{component}', which has no BERT of its own. "
            f"Give the name of the one that has: the pipeline is {', '.join(nlp.pipe_names)}."
        )
    return found


def _freeze_below(shim: PyTorchShim, encoder: EncoderLayers, height: int) -> None:
    """Freeze the layers up to this height, and unfreeze those above that are to learn at all."""
    # With the model and not with the callback, for a later training may have another.
    frozen_for_now: set[str] = vars(shim).setdefault("frozen_for_now", set())
    for name, parameter in shim._model.named_parameters():
        if name not in encoder.heights:
            continue
        if parameter.requires_grad and encoder.heights[name] <= height:
            parameter.requires_grad_(False)
            frozen_for_now.add(name)
        elif name in frozen_for_now and encoder.heights[name] > height:
            parameter.requires_grad_(True)
            frozen_for_now.remove(name)
