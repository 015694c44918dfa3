"""Which layer of a Hugging Face encoder each of its parameters belongs to."""

from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from torch import nn


class EncoderLayers(NamedTuple):
    """The layers of an encoder, counted from the bottom.

    depth: number of layers with weights of their own; 1 where all share theirs.
    heights: by parameter name: 0 for the embeddings, n for the n-th layer.
    """

    depth: int
    heights: dict[str, int]

    def distances(self) -> dict[str, int]:
        """By parameter name, the number of layers above: 0 for the top layer, and `depth` for
        the embeddings."""
        return {name: self.depth - height for name, height in self.heights.items()}


def layer_stack(encoder: Any) -> nn.ModuleList | None:
    """The layers of a Hugging Face encoder, the lowest first; None where they share weights."""
    depth = encoder.config.num_hidden_layers
    for module in encoder.modules():
        if isinstance(module, nn.ModuleList) and len(module) == depth:
            return module
    return None


def hugging_face_encoder(module: nn.Module) -> nn.Module | None:
    """The Hugging Face encoder that a torch module is or has inside; None if there is none."""
    return _named_encoder(module)[1]


def encoder_layers(module: nn.Module) -> EncoderLayers | None:
    """The layers of the Hugging Face encoder that a torch module is or has inside, its parameters
    named as the module names them; None if there is none.

    What feeds all layers, such as relative positions, counts among the embeddings.
    """
    if module not in _FOUND:
        _FOUND[module] = _find(module)
    return _FOUND[module]


_FOUND: WeakKeyDictionary[nn.Module, EncoderLayers | None] = WeakKeyDictionary()


def _find(module: nn.Module) -> EncoderLayers | None:
    prefix, encoder = _named_encoder(module)
    if encoder is None:
        return None
    stack = layer_stack(encoder)
    layers = () if stack is None else stack
    layer_of = {id(p): n for n, layer in enumerate(layers, 1) for p in layer.parameters()}
    depth = max(len(layers), 1)
    heights = {
        f"{prefix}.{name}".lstrip("."): layer_of.get(id(parameter), _outside(name, depth, stack))
        for name, parameter in encoder.named_parameters()
    }
    return EncoderLayers(depth, heights)


def _named_encoder(module: nn.Module) -> tuple[str, nn.Module | None]:
    encoders = (
        (name, part)
        for name, part in module.named_modules()
        if hasattr(getattr(part, "config", None), "num_hidden_layers")
    )
    return next(encoders, ("", None))


def _outside(name: str, depth: int, stack: nn.ModuleList | None) -> int:
    """The height of a parameter that is in no layer."""
    if stack is None:
        return 0 if "embedding" in name else depth
    # Such as a last normalisation; all else that an encoder has stands before its layers.
    return depth if "final" in name or "pooler" in name else 0
