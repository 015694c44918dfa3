"""A device for torch on a machine that has none: its tensors hold the numbers of CPU tensors.

They are as CUDA's are where a program could go wrong: mixed with tensors of the CPU they raise,
NumPy cannot have them, and whatever has to wait for the device is noted with its place.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from stand_in_journal import journal
from torch.utils.backend_registration import (
    _DummyBackendModule,
    _setup_privateuseone_for_python_backend,
)

NAME = "standin"

# Where the other arguments of a tensor of the device may be tensors of the CPU.
CROSSING = {"copy_", "_to_copy", "_pad_packed_sequence", "_pack_padded_sequence_backward"}
INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"}
# The results have a size or a value that only the device knows.
WAITING = {
    *("_local_scalar_dense", "is_nonzero", "equal", "nonzero", "masked_select", "bincount"),
    *("_unique2", "unique_dim", "unique_consecutive", "repeat_interleave"),
}
RESHAPING = {"resize_", "set_", "resize_as_", "squeeze_", "unsqueeze_", "transpose_", "t_"}


class Backend(_DummyBackendModule):
    """What torch asks of the module of a backend."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]

    def get_rng_state(self, device: Any = None) -> torch.Tensor:
        return torch.get_rng_state()

    def set_rng_state(self, state: torch.Tensor, device: Any = None) -> None:
        """The generator is the CPU's, and set with it."""


_setup_privateuseone_for_python_backend(NAME, backend_module=Backend())
DEVICE = torch.device(NAME, 0)


class DeviceTensor(torch.Tensor):
    """A tensor on the device.

    raw: the numbers, on the CPU.
    """

    raw: torch.Tensor

    @staticmethod
    def __new__(cls, raw: torch.Tensor) -> "DeviceTensor":
        tensor = torch.Tensor._make_wrapper_subclass(
            cls,
            raw.shape,
            strides=raw.stride(),
            storage_offset=raw.storage_offset(),
            dtype=raw.dtype,
            device=DEVICE,
        )
        tensor.raw = raw
        return tensor

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, op: Any, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        return run(op, args, kwargs or {})

    is_cuda = property(lambda self: True)

    def __repr__(self) -> str:  # type: ignore[override]
        return f"{NAME}({self.raw!r})"

    def data_ptr(self) -> int:
        return self.raw.data_ptr()

    def untyped_storage(self) -> torch.UntypedStorage:
        return self.raw.untyped_storage()

    def tolist(self) -> Any:
        journal.wait("tolist")
        return self.raw.tolist()

    def numpy(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"can't convert {DEVICE} device type tensor to numpy. Use Tensor.cpu()")

    __array__ = numpy

    def __getitem__(self, key: Any) -> torch.Tensor:
        return super().__getitem__(_with_tensors(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(_with_tensors(key), value)


def _with_tensors(key: Any) -> Any:
    if isinstance(key, tuple):
        return tuple(map(_with_tensors, key))
    return _real_tensor(key).to(DEVICE) if isinstance(key, list) else key


def run(op: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    """What the device does for one of torch's operations."""
    name = op._schema.name.partition("::")[2]
    given = list(_tensors((args, tuple(kwargs.values()))))
    on_device = [t for t in given if isinstance(t, DeviceTensor)]
    on_cpu = [t for t in given if not isinstance(t, DeviceTensor)]
    target = kwargs.get("device")
    to_device = bool(on_device) if target is None else torch.device(target).type == NAME
    if name in RESHAPING:
        raise NotImplementedError(f"{name} changes a tensor that keeps its shape here")
    if on_device and on_cpu:
        _check_devices(name, args, on_cpu)
    _note(op, name, args, kwargs, on_device, to_device)
    if target is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    with torch._C._ExcludeDispatchKeyGuard(torch._C.DispatchKeySet(torch._C.DispatchKey.Python)):
        result = op(*_mapped(_raw, args), **{k: _mapped(_raw, v) for k, v in kwargs.items()})
    if not to_device:
        return result
    # What is written to stays the same object.
    same = {id(t.raw): t for t in on_device}
    sizes = (
        result[1] if name in ("_pack_padded_sequence", "_pad_packed_sequence") else None
    )  # they stay on the CPU

    def on_the_device(value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or isinstance(value, DeviceTensor):
            return value
        if id(value) in same or value is sizes:
            return same.get(id(value), value)
        return DeviceTensor(value)

    return _mapped(on_the_device, result)


def _check_devices(name: str, args: tuple, on_cpu: list[torch.Tensor]) -> None:
    if name == "_pack_padded_sequence":
        if isinstance(args[1], DeviceTensor):
            raise RuntimeError("'lengths' argument should be a 1D CPU int64 tensor")
        if isinstance(args[0], DeviceTensor):
            return
    if name in CROSSING or (name in INDEXING and isinstance(args[0], DeviceTensor)):
        return
    shapes = [tuple(t.shape) for t in on_cpu if t.dim()]
    if shapes:
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but {name} found {DEVICE} and cpu, "
            f"there {shapes}"
        )


def _note(
    op: Any, name: str, args: tuple, kwargs: dict[str, Any], on_device: list, to_device: bool
) -> None:
    if not on_device and not to_device:
        return
    if name == "_to_copy" and not to_device:
        journal.wait("to the CPU")
        return
    if name == "copy_" and isinstance(args[0], DeviceTensor) != isinstance(args[1], DeviceTensor):
        is_upload = isinstance(args[0], DeviceTensor)
        is_asynchronous = kwargs.get("non_blocking") or (len(args) > 2 and args[2])
        if args[1].dim() == 0 and is_upload:
            journal.launch("fill_")
        elif is_upload and is_asynchronous:
            journal.launch("upload")
        else:
            journal.wait("upload" if is_upload else "to the CPU")
        return
    if name in INDEXING:
        indices = [i for i in args[1] if i is not None]
        if any(i.dtype in (torch.bool, torch.uint8) for i in indices):
            journal.wait(f"{name} by a mask")
        if any(not isinstance(i, DeviceTensor) for i in indices):
            journal.wait(f"upload for {name}")
    if name in WAITING:
        journal.wait(name)
    if not _is_view(op) and not name.startswith(("empty", "new_empty")):
        journal.launch(name)


def _is_view(op: Any) -> bool:
    returned = [r.alias_info for r in op._schema.returns]
    return any(a is not None and not a.is_write for a in returned) or op._schema.name in (
        "aten::_unsafe_view",
        "aten::detach",
        "aten::alias",
    )


def _tensors(values: Any) -> Iterator[torch.Tensor]:
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)


def _mapped(function: Callable[[Any], Any], value: Any) -> Any:
    """The value, or each of the values that a list or tuple holds."""
    if isinstance(value, list | tuple):
        return type(value)([_mapped(function, part) for part in value])
    return function(value)


def _raw(value: Any) -> Any:
    return value.raw if isinstance(value, DeviceTensor) else value


class _CudnnLSTM(torch.autograd.Function):
    """One operation, as cuDNN's is, with no backward pass in evaluation mode."""

    @staticmethod
    def forward(ctx: Any, training: bool, call: Callable, *tensors: torch.Tensor) -> Any:
        leaves = [t.raw.detach().clone().requires_grad_(t.is_floating_point()) for t in tensors]  # type: ignore[attr-defined]
        python = torch._C.DispatchKeySet(torch._C.DispatchKey.Python)
        with torch.enable_grad(), torch._C._ExcludeDispatchKeyGuard(python):
            outputs = call(*leaves)
        ctx.leaves, ctx.outputs, ctx.training = leaves, outputs, training
        journal.launch("_cudnn_rnn")
        return tuple(DeviceTensor(output.detach().clone()) for output in outputs)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        if not ctx.training:
            raise RuntimeError("cudnn RNN backward can only be called in training mode")
        journal.launch("_cudnn_rnn_backward")
        pairs = [
            (output, gradient.raw)  # type: ignore[attr-defined]
            for output, gradient in zip(ctx.outputs, gradients, strict=True)
            if gradient is not None
        ]
        found = torch.autograd.grad(
            [output for output, _ in pairs],
            ctx.leaves,
            [gradient for _, gradient in pairs],
            allow_unused=True,
        )
        return (None, None, *(None if g is None else DeviceTensor(g) for g in found))


_real_lstm = torch._VF.lstm  # type: ignore[attr-defined]


def _lstm(data: torch.Tensor, second: Any, *rest: Any) -> Any:
    if not isinstance(data, DeviceTensor):
        return _real_lstm(data, second, *rest)
    is_packed = isinstance(second, torch.Tensor)
    if is_packed:
        if isinstance(second, DeviceTensor):
            raise RuntimeError("batch_sizes should always be on CPU")
        state, weights, *settings = rest
    else:
        state, (weights, *settings) = second, rest
    if not all(isinstance(t, DeviceTensor) for t in (*state, *weights)):
        raise RuntimeError("Input and parameter tensors are not at the same device")

    def call(x: torch.Tensor, h: torch.Tensor, c: torch.Tensor, *w: torch.Tensor) -> Any:
        arguments = (second, (h, c)) if is_packed else ((h, c),)
        return _real_lstm(x, *arguments, list(w), *settings)

    training = settings[3]
    return _CudnnLSTM.apply(training, call, data, *state, *weights)


_real_tensor = torch.tensor


def _tensor(data: Any, *args: Any, device: Any = None, **kwargs: Any) -> torch.Tensor:
    """torch makes it on the CPU and waits until it is copied, below all that can be caught."""
    made = _real_tensor(data, *args, **kwargs)
    return made if device is None else made.to(device)


# Factories have no tensor by which they would come to DeviceTensor.
_everything = torch.library.Library("_", "IMPL")
_everything.fallback(lambda op, *args, **kwargs: run(op, args, kwargs), "PrivateUse1")
_everything.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
torch.tensor = _tensor
torch._VF.lstm = _lstm  # type: ignore[attr-defined]
