"""A module in the place of CuPy: its arrays hold NumPy's numbers and are as strict as CuPy's."""

import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from stand_in_journal import journal

CONVERSIONS = {"asarray", "array", "ascontiguousarray", "asanyarray", "save", "asnumpy"}
WAITING = {"nonzero", "unique", "argwhere", "flatnonzero", "array_equal", "allclose"}


class Array(np.lib.mixins.NDArrayOperatorsMixin):
    """Not an ndarray, so that whatever takes it for one fails, as with CuPy's."""

    __cuda_array_interface__ = property(lambda self: {})

    def __init__(self, raw: Any):
        self.raw = np.asarray(raw)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct "
            "a NumPy array explicitly."
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return strict(getattr(ufunc, method), ufunc.__name__)(*inputs, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return strict(function)(*args, **kwargs)

    def get(self) -> np.ndarray:
        journal.wait("cupy get")
        return self.raw.copy()

    def item(self) -> Any:
        journal.wait("cupy item")
        return self.raw.item()

    def tolist(self) -> Any:
        journal.wait("cupy tolist")
        return self.raw.tolist()

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        return self.item().__index__()

    def __bool__(self) -> bool:
        journal.wait("cupy bool")
        return bool(self.raw)

    def __len__(self) -> int:
        return len(self.raw)

    def __iter__(self) -> Iterator["Array"]:
        return (Array(part) for part in self.raw)

    def __getitem__(self, key: Any) -> "Array":
        if any(raw.dtype == bool for raw in _raws(key)):
            journal.wait("cupy index by a mask")
        return Array(self.raw[unwrapped(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        _require_arrays((value,), "setitem")
        self.raw[unwrapped(key)] = unwrapped(value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = getattr(self.raw, name)
        if callable(value):
            return strict(value, name)
        return Array(value) if isinstance(value, np.ndarray) else value

    def toDlpack(self) -> "Capsule":
        return Capsule(self.raw)

    def __repr__(self) -> str:
        return f"cupy({self.raw!r})"


class Capsule:
    """An array on its way to another library."""

    def __init__(self, raw: np.ndarray):
        self.raw = raw


def strict(function: Callable, name: str = "") -> Callable:
    """The function for Arrays; NumPy's are refused."""
    name = name or getattr(function, "__name__", "")

    def call(*args: Any, **kwargs: Any) -> Any:
        if name not in CONVERSIONS:
            # Where to split may be said by an array of NumPy's.
            _require_arrays((args[:1] if name == "split" else args, kwargs), name)
        if name in WAITING:
            journal.wait(f"cupy {name}")
        journal.launch(f"cupy {name}")
        found = function(*unwrapped(args), **unwrapped(kwargs))
        # What is written to stays the same object.
        same = {id(array.raw): array for array in _arrays((args, kwargs))}
        return _wrapped(found, same)

    return call


def _wrapped(value: Any, same: dict[int, Array]) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return same[id(value)] if id(value) in same else Array(value)
    if isinstance(value, list | tuple):
        return type(value)(_wrapped(item, same) for item in value)
    return value


def unwrapped(value: Any) -> Any:
    if isinstance(value, Array):
        return value.raw
    if isinstance(value, dict):
        return {key: unwrapped(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(unwrapped(item) for item in value)
    return value


def _leaves(values: Any) -> Iterator[Any]:
    for value in values.values() if isinstance(values, dict) else values:
        if isinstance(value, list | tuple | dict):
            yield from _leaves(value)
        else:
            yield value


def _arrays(values: Any) -> Iterator[Array]:
    return (value for value in _leaves(values) if isinstance(value, Array))


def _raws(key: Any) -> Iterator[np.ndarray]:
    for part in key if isinstance(key, tuple) else (key,):
        if isinstance(part, Array | np.ndarray):
            yield unwrapped(part)


def _require_arrays(values: Any, name: str) -> None:
    for value in _leaves(values):
        if isinstance(value, np.ndarray) and value.ndim:
            raise TypeError(f"Unsupported type {np.ndarray} in {name}")


class Random:
    """A generator of the device's own."""

    RandomState = np.random.RandomState

    def __init__(self) -> None:
        self.seed(None)

    def seed(self, seed: int | None = None) -> None:
        self._state = np.random.RandomState(None if seed is None else seed % 2**32)

    def get_random_state(self) -> np.random.RandomState:
        return self._state

    def set_random_state(self, state: np.random.RandomState) -> None:
        self._state = state

    def __getattr__(self, name: str) -> Any:
        return strict(getattr(self._state, name), name)


class CuPy(types.ModuleType):
    """numpy's functions, for Arrays."""

    __version__ = "14.2.0"
    ndarray = Array

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = getattr(np, name)
        if isinstance(value, type) or not callable(value):
            return value
        return strict(value, name)


class CUDARuntimeError(RuntimeError):
    """As CuPy's."""


class Device:
    def __init__(self, number: int):
        self.id = number

    def use(self) -> None:
        if self.id >= N_DEVICES:
            raise CUDARuntimeError("cudaErrorInvalidDevice: invalid device ordinal")


N_DEVICES = 2


class RawModule:
    """Of thinc's kernels, in whose place NumpyOps are."""

    def __init__(self, **kwargs: Any):
        self.compile = lambda: None

    def get_function(self, name: str) -> None:
        return None


def make_modules() -> dict[str, types.ModuleType]:
    """The modules by name."""
    cupy, cublas, cupyx = CuPy("cupy"), types.ModuleType("cupy.cublas"), types.ModuleType("cupyx")
    runtime = types.SimpleNamespace(
        getDeviceCount=lambda: N_DEVICES, CUDARuntimeError=CUDARuntimeError
    )
    contents = {
        "cublas": cublas,
        "random": Random(),
        "get_array_module": lambda array: cupy if isinstance(array, Array) else np,
        "from_dlpack": lambda capsule: Array(capsule.raw),
        "RawModule": RawModule,
        "ElementwiseKernel": lambda *args, **kwargs: None,
        "ReductionKernel": lambda *args, **kwargs: None,
        "get_default_memory_pool": lambda: types.SimpleNamespace(free_all_blocks=lambda: None),
        "cuda": types.SimpleNamespace(
            runtime=runtime,
            device=types.SimpleNamespace(Device=Device),
            Device=Device,
            MemoryPool=lambda **kwargs: types.SimpleNamespace(malloc=None),
            set_allocator=lambda allocator: None,
        ),
    }
    vars(cupy).update(contents)
    return {"cupy": cupy, "cupy.cublas": cublas, "cupyx": cupyx}
