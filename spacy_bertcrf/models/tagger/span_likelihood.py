"""The log probability of an entity, with gradient."""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from thinc.api import Model

from spacy_bertcrf.models.bridge.torch_shim import torch_shim


class SpanLikelihood:
    """The log probability that a text has an entity, as a function of the vectors of its tokens.

    The weights are the model's, and are left as they are, as is its mode.

    sequence_tagger, crf: the layers of the model.
    readings: each (n_tokens, n_tags) bool, the tags that tokens may have where the text has the
        entity. No tag sequence is inside of two.
    allowed: the same where nothing is said of the entity; None for all tags.
    temperature: what all scores are divided by.
    """

    def __init__(
        self,
        sequence_tagger: Model,
        crf: Model,
        readings: Sequence[np.ndarray],
        allowed: np.ndarray | None,
        temperature: float,
    ):
        self._tagger = _with_backward_pass(torch_shim(sequence_tagger).module)
        self._crf = torch_shim(crf).module
        anywhere = np.ones_like(readings[0]) if allowed is None else allowed
        self._limits = torch.from_numpy(np.stack([anywhere, *readings]))
        self._temperature = temperature

    def __call__(self, vectors: torch.Tensor) -> torch.Tensor:
        """vectors: (n, n_tokens, width). Returns (n,) float64, minus infinity where the entity is
        impossible."""
        n, n_tokens, _ = vectors.shape
        lengths = torch.full((n,), n_tokens, dtype=torch.int64)
        scores = self._tagger(vectors.flatten(0, 1), lengths).view(n, n_tokens, -1)
        # Not rounded to float32 before they are subtracted, for they are large and close.
        exact = scores.double().repeat_interleave(len(self._limits), dim=0)
        limits = self._limits.repeat(n, 1, 1)
        partitions = self._crf.log_partition(
            exact, None, limits, temperature=self._temperature
        ).view(n, -1)
        found: torch.Tensor = partitions[:, 1:].logsumexp(1) - partitions[:, 0]
        return found


def _with_backward_pass(module: torch.nn.Module) -> torch.nn.Module:
    """The module without dropout, and so that there is a gradient: cuDNN has a backward pass for
    recurrent layers that are in training mode alone. The weights are the same, no copies."""
    if all(parameter.device.type == "cpu" for parameter in module.parameters()):
        return module
    shared = {id(tensor): tensor for tensor in [*module.parameters(), *module.buffers()]}
    copied = copy.deepcopy(module, shared)
    for layer in copied.modules():
        if isinstance(layer, torch.nn.RNNBase):
            layer.dropout = 0.0
            layer.train()
    return copied
