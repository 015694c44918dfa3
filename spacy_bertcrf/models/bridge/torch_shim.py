"""A thinc shim for torch modules that are built late and saved as safetensors."""

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import Any

import safetensors
import safetensors.torch
import srsly
import torch
from thinc.api import (
    ArgsKwargs,
    Model,
    Optimizer,
    PyTorchShim,
    Shim,
    get_torch_default_device,
)
from thinc.util import convert_recursive

from spacy_bertcrf.models.bridge import in_place_update
from spacy_bertcrf.models.bridge.forked_processes import use_one_thread

use_one_thread()


def torch_shim(model: Model) -> "TorchShim":
    """The shim of a layer that has one."""
    shim = model.shims[0]
    assert isinstance(shim, TorchShim)
    return shim


class TorchShim(PyTorchShim):
    """Holds a torch module whose sizes are settled only by `rebuild` or `from_bytes`.

    Any number of threads may predict at a time, with the results that one has alone: nothing is
    changed by a prediction. One more thread may update meanwhile. A prediction beside an update
    raises no error and has no dropout, and reads each weight as it is at that moment, so that
    some may be of before a step and some of after it. Only updates, `use_params`, `rebuild` and
    loading are for one thread at a time, and of these only the update may go beside predictions
    without changing what they compute otherwise.

    build: makes the module from its settings, which are saved with the weights.
    """

    def __init__(self, build: Callable[..., torch.nn.Module]):
        super().__init__(torch.nn.Module(), config={})
        self._build = build
        self._training_module: torch.nn.Module | None = None

    @property
    def module(self) -> Any:
        """The torch module, in evaluation mode; empty before `rebuild` or `from_bytes`."""
        return self._model

    @property
    def training_module(self) -> Any:
        """The module in training mode: one with the same parameters and buffers, no copies.

        To switch the mode of one and the same module would put dropout into what other threads
        predict meanwhile.

        Raises ValueError if layers have been quantised, which cannot learn.
        """
        if self._training_module is None:
            self._require_weights()
            tensors = chain(self._model.parameters(), self._model.buffers())
            shared = {id(tensor): tensor for tensor in tensors}
            self._training_module = copy.deepcopy(self._model, shared).train()
        return self._training_module

    def rebuild(self, **settings: Any) -> None:
        """Replace the module by a new one with these settings and random weights."""
        self.cfg = settings
        # The optimizer keeps its moments and averages by the shim's id and the parameter's name.
        # Those of another module have another meaning, or sizes that do not even fit: under a
        # new id it starts new ones.
        with self.global_id_lock:
            Shim.global_id += 1
            self.id = Shim.global_id
        self._model = self._build(**settings).to(get_torch_default_device()).eval()
        self._training_module = None

    def to_device(self, device_type: str, device_id: int) -> None:
        """Move the module."""
        super().to_device(device_type, device_id)
        self._training_module = None

    def predict(self, inputs: ArgsKwargs) -> Any:
        """What the module computes of `inputs`, without gradient."""
        # Not as thinc does it, which sets the module to training mode at the end.
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            return self._model(*inputs.args, **inputs.kwargs)

    def begin_update(self, inputs: ArgsKwargs) -> tuple[Any, Callable[[ArgsKwargs], Any]]:
        """What the module computes of `inputs` in training, and a backward pass that adds to the
        weights' gradients and returns those of the inputs."""
        with torch.autocast(self.device.type, enabled=False):
            outputs = self.training_module(*inputs.args, **inputs.kwargs)

        def backprop(gradients: ArgsKwargs) -> Any:
            torch.autograd.backward(*gradients.args, **gradients.kwargs)
            return convert_recursive(lambda x: hasattr(x, "grad"), lambda x: x.grad, inputs)

        return outputs, backprop

    def finish_update(self, optimizer: Optimizer) -> None:
        """Take an optimizer step and drop the gradients."""
        in_place_update.finish_update(self, optimizer)

    @contextmanager
    def use_params(self, params: Mapping[Any, Any]) -> Iterator[None]:
        """Have the weights replaced by others inside a with block."""
        with in_place_update.use_params(self, params):
            yield

    def to_bytes(self) -> bytes:
        """The settings and the weights: safetensors inside msgpack, no pickle.

        Raises ValueError if layers have been quantised.
        """
        self._require_weights()
        state = safetensors.torch.save(self._state())
        return srsly.msgpack_dumps({"config": self.cfg, "state": state})

    def from_bytes(self, bytes_data: bytes) -> "TorchShim":
        """Build the module as it was saved and give it its weights.

        Raises ValueError if the weights are not those of the module that the config builds.
        """
        message = srsly.msgpack_loads(bytes_data)
        if not message["config"]:
            return self
        self.rebuild(**message["config"])
        try:
            tensors = safetensors.torch.load(message["state"])
        except safetensors.SafetensorError as error:
            raise ValueError(
                f"The saved weights of {', '.join(self._model.state_dict())} are damaged "
                f"({error}). Save the pipeline again."
            ) from error
        differences = _differences(self._model.state_dict(), tensors)
        if differences:
            raise ValueError(
                f"The saved weights do not fit the model of the config: {'; '.join(differences)}. "
                "Load them with the config that they were trained with."
            )
        self._model.load_state_dict(tensors)
        return self

    def _state(self) -> dict[str, torch.Tensor]:
        """The weights as they are saved."""
        return {name: value.contiguous() for name, value in self._model.state_dict().items()}

    @property
    def packed(self) -> list[str]:
        """What layers have in the place of weights that `torch.ao.quantization` has packed: these
        have no gradient."""
        return [
            name
            for name, value in self._model.state_dict().items()
            if not isinstance(value, torch.Tensor)
        ]

    def _require_weights(self) -> None:
        packed = self.packed
        if packed:
            raise ValueError(
                f"Layers that torch.ao.quantization has packed ({packed[0].rpartition('.')[0]} and "
                "others) can neither learn nor be saved. Train and save the pipeline as it is, and "
                "quantise it after spacy.load, to predict with it."
            )

    def __reduce__(self) -> tuple[Callable, tuple]:
        # torch does not pickle modules with weight norm, and where processes are spawned
        # `nlp.pipe(n_process=2)` sends them the model as a pickle.
        return _from_bytes, (self._build, self.to_bytes())


def _from_bytes(build: Callable[..., torch.nn.Module], bytes_data: bytes) -> TorchShim:
    return TorchShim(build).from_bytes(bytes_data)


def _differences(expected: dict[str, torch.Tensor], found: dict[str, torch.Tensor]) -> list[str]:
    differences = [f"'{name}' is missing" for name in sorted(expected.keys() - found.keys())]
    differences += [
        f"'{name}' is not in the model" for name in sorted(found.keys() - expected.keys())
    ]
    differences += [
        f"'{name}' is {tuple(found[name].shape)}, in the model {tuple(expected[name].shape)}"
        for name in sorted(expected.keys() & found.keys())
        if expected[name].shape != found[name].shape
    ]
    return differences
