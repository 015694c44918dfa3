"""torch.distributed with NCCL's rules, over gloo: tensors lie on the device, in one piece."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
import torch.distributed as dist
from stand_in_gpu import DEVICE, DeviceTensor

from spacy_bertcrf.training.distributed import process_group

TYPES = {torch.bfloat16, torch.float32, torch.float64, torch.int32, torch.int64, torch.uint8}


class Replaced:
    """A module with some names replaced."""

    def __init__(self, module: Any, **names: Any):
        self._module = module
        vars(self).update(names)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


@contextmanager
def nccl() -> Iterator[None]:
    """Have `process_group.join` take the device, and NCCL, inside a with block."""

    def device(kind: Any, *number: int) -> torch.device:
        return DEVICE if kind == "cuda" else torch.device(kind, *number)

    def init_process_group(backend: str, **settings: Any) -> None:
        assert backend == "nccl"
        dist.init_process_group("gloo", **settings)

    cuda = Replaced(torch.cuda, set_device=lambda device: None)
    collectives = {name: checked(name) for name in ("all_reduce", "broadcast", "send", "recv")}
    with (
        patch.object(process_group, "torch", Replaced(torch, device=device, cuda=cuda)),
        patch.object(
            process_group,
            "dist",
            Replaced(dist, init_process_group=init_process_group, **collectives),
        ),
        patch.object(process_group, "check_gpus", lambda gpu_id: None),
    ):
        yield


def checked(name: str) -> Any:
    def call(tensor: torch.Tensor, **settings: Any) -> Any:
        if not isinstance(tensor, DeviceTensor):
            raise RuntimeError("No backend type associated with device type cpu")
        if not tensor.is_contiguous():
            raise ValueError("Tensors must be contiguous")
        assert tensor.dtype in TYPES, tensor.dtype
        return getattr(dist, name)(tensor.raw, **settings)

    return call
