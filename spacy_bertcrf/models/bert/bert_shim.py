"""The thinc shim of a BERT: its tokenizer beside it, half precision in memory and on disk."""

from collections.abc import Callable
from typing import Any

import torch
from thinc.api import ArgsKwargs, Model, Optimizer, PyTorchGradScaler

from spacy_bertcrf.models.bert.saved_tokenizer import build_tokenizer
from spacy_bertcrf.models.bert.wordpieces import WordpieceTokenizer
from spacy_bertcrf.models.bridge.torch_shim import TorchShim

SAVE_DTYPES = ("float32", "float16")


def bert_shim(model: Model) -> "BertShim":
    """The shim of a BertEncoder."""
    shim = model.shims[0]
    assert isinstance(shim, BertShim)
    return shim


class BertShim(TorchShim):
    """Holds a `layers.WordpieceEncoder` and the tokenizer of its wordpieces.

    build: as in TorchShim; its settings are "config", "tokenizer" and "use_fast".
    alignment: as in WordpieceTokenizer.
    save_dtype: of the weights on disk.
    scale_gradients: multiply the gradients by a large number in the backward pass, for they
        would vanish in float16 (Micikevicius et al. 2018, https://arxiv.org/abs/1710.03740).

    Raises ValueError for another dtype.
    """

    def __init__(
        self,
        build: Callable[..., torch.nn.Module],
        alignment: str,
        save_dtype: str,
        scale_gradients: bool = False,
    ):
        if save_dtype not in SAVE_DTYPES:
            raise ValueError(f"save_dtype is '{save_dtype}'; it can be {', '.join(SAVE_DTYPES)}.")
        super().__init__(build)
        self._alignment = alignment
        self._save_dtype = save_dtype
        self._grad_scaler = PyTorchGradScaler(enabled=scale_gradients)
        self._grad_scaler.to_(self.device)
        self._unscaled = False

    @property
    def tokenizer(self) -> WordpieceTokenizer:
        """The tokenizer; there is none before `rebuild` or `from_bytes`."""
        return self._tokenizer

    @property
    def keeps_embeddings(self) -> bool:
        """Whether the embeddings are frozen for good; known before there are any."""
        settings: dict[str, Any] = getattr(self._build, "keywords", {})
        return bool(settings.get("frozen_embeddings"))

    def rebuild(self, **settings: Any) -> None:
        """Replace the encoder, with random weights, and the tokenizer."""
        super().rebuild(**settings)
        tokenizer = build_tokenizer(settings["tokenizer"], settings["use_fast"])
        self._tokenizer = WordpieceTokenizer(tokenizer, self._alignment)

    def begin_update(self, inputs: ArgsKwargs) -> tuple[torch.Tensor, Callable[[ArgsKwargs], Any]]:
        """The vectors of `inputs`, and a backward pass that adds to the weights' gradients."""
        vectors = self.training_module(*inputs.args, **inputs.kwargs)

        def backprop(gradients: ArgsKwargs) -> ArgsKwargs:
            (gradient,) = gradients.kwargs["grad_tensors"]
            if vectors.requires_grad:
                vectors.backward(gradient * self._scale())
            return inputs

        return vectors, backprop

    def finish_update(self, optimizer: Optimizer) -> None:
        """Take an optimizer step and drop the gradients.

        Scaled gradients that overflow are dropped without a step, and the scale is halved.
        """
        self.unscale_gradients()
        self._unscaled = False
        super().finish_update(optimizer)

    def unscale_gradients(self) -> None:
        """Give the gradients their own size, once before each `finish_update`."""
        # Not in each backward pass, where gradients that are added up would be scaled back more
        # than once.
        if not self._unscaled:
            self._grad_scaler.unscale(
                [p.grad for p in self._model.parameters() if p.grad is not None]
            )
            self._unscaled = True

    @property
    def has_overflown(self) -> bool:
        """Whether the gradients of this step, once they are unscaled, turned out to be too large:
        the step will not be taken."""
        found: bool = self._grad_scaler.found_inf
        return found

    def scaled(self, tensor: torch.Tensor) -> torch.Tensor:
        """The same tensor for a loss of one's own, whose gradient is multiplied, from here on back
        to the weights, by what those of `begin_update` are."""
        if not self._grad_scaler._enabled or not tensor.requires_grad:
            return tensor
        # Another view, for a hook on the weights themselves would stay.
        passed = tensor.view_as(tensor)
        passed.register_hook(lambda gradient: gradient * self._scale())
        return passed

    def _scale(self) -> torch.Tensor | float:
        # PyTorchGradScaler.scale works for CUDA alone.
        return self._grad_scaler._scale if self._grad_scaler._enabled else 1.0

    def _state(self) -> dict[str, torch.Tensor]:
        dtype = getattr(torch, self._save_dtype)
        return {
            name: value.to(dtype) if value.is_floating_point() else value
            for name, value in super()._state().items()
        }

    def __reduce__(self) -> tuple[Callable, tuple]:
        return _from_bytes, (
            self._build,
            self._alignment,
            self._save_dtype,
            self._grad_scaler._enabled,
            self.to_bytes(),
        )


def _from_bytes(
    build: Callable[..., torch.nn.Module],
    alignment: str,
    save_dtype: str,
    scale_gradients: bool,
    bytes_data: bytes,
) -> BertShim:
    shim = BertShim(build, alignment, save_dtype, scale_gradients)
    shim.from_bytes(bytes_data)
    return shim
