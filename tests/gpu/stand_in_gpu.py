"""Puts the device and its arrays in the place of a GPU: for a process of its own, before thinc is
imported. `thinc.api.require_gpu` then takes them."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import stand_in_cupy
import torch
import torch.utils.dlpack
from stand_in_cupy import Array, Capsule, strict, unwrapped
from stand_in_device import DEVICE, NAME, DeviceTensor

assert "thinc" not in sys.modules, "thinc has looked for a GPU already"
sys.modules.update(stand_in_cupy.make_modules())

_real_from_dlpack = torch.utils.dlpack.from_dlpack


def _from_dlpack(array: Any) -> torch.Tensor:
    if not isinstance(array, Capsule):
        return _real_from_dlpack(array)
    raw = array.raw if array.raw.flags.writeable else array.raw.copy()
    return DeviceTensor(torch.from_numpy(raw))


def _to_dlpack(tensor: torch.Tensor) -> Capsule:
    assert isinstance(tensor, DeviceTensor)
    return Capsule(tensor.raw.detach().numpy())


torch.utils.dlpack.from_dlpack = _from_dlpack
torch.utils.dlpack.to_dlpack = _to_dlpack

import thinc.util  # noqa: E402


def _default_device() -> torch.device:
    from thinc.api import CupyOps, get_current_ops

    return DEVICE if isinstance(get_current_ops(), CupyOps) else torch.device("cpu")


thinc.util.get_torch_default_device = _default_device

from thinc.backends import CupyOps, NumpyOps, Ops  # noqa: E402

OWN = {"to_numpy", "asarray", "alloc"}  # what moves data is thinc's own code for CuPy


def _kernel(name: str) -> Callable:
    method = getattr(NumpyOps(), name)

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return strict(method, name)(*args, **kwargs)

    return call


def _scatter_add(self: Any, table: Array, indices: Any, values: Array) -> None:
    # As where an array is indexed, NumPy's indices are moved.
    strict(np.add.at, "scatter_add")(table, Array(unwrapped(indices)), values)


# thinc's kernels for the CPU, so that the numbers are those of the CPU.
for _name in dir(NumpyOps):
    _is_kernel = _name[0] != "_" and callable(getattr(NumpyOps, _name)) and _name not in OWN
    _own = getattr(Ops, _name, None)
    if _is_kernel and (
        getattr(NumpyOps, _name) is not _own or getattr(CupyOps, _name, None) is not _own
    ):
        setattr(CupyOps, _name, _kernel(_name))
CupyOps.scatter_add = _scatter_add

from spacy_bertcrf.training.optimizer import adamw  # noqa: E402

adamw.FUSED_DEVICES = (*adamw.FUSED_DEVICES, NAME)

__all__ = ["DEVICE", "Array", "DeviceTensor", "unwrapped"]
