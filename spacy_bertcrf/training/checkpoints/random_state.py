"""The state of all random numbers of a process, for a checkpoint."""

import random
import zlib
from base64 import b64decode, b64encode
from typing import Any, NamedTuple

import numpy as np
import torch
from thinc.compat import has_cupy_gpu

from spacy_bertcrf.models.resumable import State


class PlainRandomState(NamedTuple):
    """Of Python's and NumPy's generators, which everything that reads a corpus draws from."""

    python: tuple[Any, ...]
    numpy: tuple[Any, ...]

    @classmethod
    def present(cls) -> "PlainRandomState":
        """The state now."""
        return cls(random.getstate(), np.random.get_state(legacy=True))  # type: ignore[arg-type]

    def set(self) -> None:
        """Go on from this state."""
        random.setstate(self.python)
        np.random.set_state(self.numpy)

    def to_json(self) -> State:
        """As JSON can hold it."""
        name, keys, *rest = self.numpy
        return {"python": self.python, "numpy": [name, keys.tolist(), *rest]}

    @classmethod
    def from_json(cls, state: State) -> "PlainRandomState":
        """What `to_json` gave."""
        version, internal, gauss = state["python"]
        name, keys, *rest = state["numpy"]
        numpy_state = (name, np.asarray(keys, dtype=np.uint32), *rest)
        return cls((version, tuple(internal), gauss), numpy_state)


def random_state() -> State:
    """The states of Python, NumPy and torch, on the CPU and all GPUs, as JSON can hold them."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return {
        **PlainRandomState.present().to_json(),
        "torch": _text(torch.get_rng_state()),
        "cuda": [_text(state) for state in cuda],
    }


def set_random_state(state: State) -> None:
    """Go on from a state that `random_state` gave.

    CuPy's generator cannot be set to where it was: dropout in thinc's own layers on a GPU is
    another one after this.
    """
    plain = PlainRandomState.from_json(state)
    plain.set()
    torch.set_rng_state(_tensor(state["torch"]))
    if torch.cuda.is_available():
        for device, text in enumerate(state["cuda"][: torch.cuda.device_count()]):
            torch.cuda.set_rng_state(_tensor(text), device)
    if has_cupy_gpu:
        import cupy

        # The seed of the start would give the dropout of the first steps again. torch's state is
        # another in each of the processes that train together.
        cupy.random.seed(zlib.crc32(b64decode(state["torch"])))


def _text(state: torch.Tensor) -> str:
    return b64encode(state.cpu().numpy().tobytes()).decode("ascii")


def _tensor(text: str) -> torch.Tensor:
    return torch.frombuffer(bytearray(b64decode(text)), dtype=torch.uint8)
