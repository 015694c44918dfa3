"""Whether torch and thinc both can use this machine's GPUs, and if not, what is missing.

thinc's own arrays are CuPy's, on a GPU; its message is "CuPy is not installed" also where CuPy
lacks its libraries, and "No GPU devices detected" also where torch is one for CPUs.
"""

import importlib.util
import os
import platform
from typing import NamedTuple

import torch

# By the first number of the version of CUDA that torch is built for.
EXTRAS = {"12": "cuda12x", "13": "cuda13x"}


class MissingGPUError(ValueError):
    """For a GPU that is asked for and cannot be used."""


class GPUs(NamedTuple):
    """What this process sees.

    system: as `platform.system` says.
    cupy: the version of CuPy; None where it is not installed.
    cupy_fault: why CuPy cannot be used, None if it can.
    torch_cuda: the version of CUDA that torch is built for; None if for CPUs alone.
    torch_fault: why torch cannot use its CUDA, None if it can.
    n_torch, n_cupy: how many GPUs each of them sees.
    """

    system: str
    cupy: str | None
    cupy_fault: str | None
    torch_cuda: str | None
    torch_fault: str | None
    n_torch: int
    n_cupy: int


def present_gpus() -> GPUs:
    """Those of this machine."""
    cupy, cupy_fault, n_cupy = _cupy()
    n_torch, torch_fault = 0, None
    built_for = torch.version.cuda or torch.version.hip
    if built_for is not None:
        n_torch = torch.cuda.device_count()
        torch_fault = _torch_fault() if n_torch else None
    return GPUs(platform.system(), cupy, cupy_fault, built_for, torch_fault, n_torch, n_cupy)


def missing(gpus: GPUs, gpu_id: int = 0, n: int = 1) -> str | None:
    """What keeps torch and thinc from using n GPUs from the number `gpu_id` on, and the mend, in
    one line; None if nothing does."""
    if gpus.system == "Darwin":
        return (
            "A Mac's GPU (MPS) cannot be used: the CRF computes in float64, which it does not "
            "have. Train and predict on the CPU, by --gpu-id -1."
        )
    if gpus.torch_cuda is None:
        return (
            f"The installed torch ({torch.__version__}) is built for CPUs alone. Install one for "
            "your CUDA by the command that https://pytorch.org/get-started/locally shows."
        )
    install = f'pip install "spacy-bertcrf[{EXTRAS.get(gpus.torch_cuda.split(".")[0], "cuda12x")}]"'
    if gpus.cupy is None:
        return f"CuPy, which spaCy needs for a GPU, is not installed: {install}"
    if gpus.torch_fault is not None:
        return f"torch cannot use the GPU: {gpus.torch_fault}"
    if gpus.n_torch == 0:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        hidden = "" if visible is None else f" (CUDA_VISIBLE_DEVICES is '{visible}')"
        return (
            f"No GPU is seen{hidden}: the command nvidia-smi has to list it. In a container, start "
            "it with --gpus all."
        )
    if gpus.cupy_fault is not None:
        return (
            f"CuPy {gpus.cupy} is installed and cannot be used ({gpus.cupy_fault}). Mostly its "
            f"CUDA libraries are missing: {install}"
        )
    n_seen = min(gpus.n_torch, gpus.n_cupy)
    if gpu_id + n > n_seen:
        numbers = "its number is 0" if n_seen == 1 else f"their numbers are 0 to {n_seen - 1}"
        asked = f"no GPU {gpu_id}" if n == 1 else f"no {n} GPUs from the number {gpu_id} on"
        count = "1 GPU is seen" if n_seen == 1 else f"{n_seen} GPUs are seen"
        return f"There is {asked}: {count}, and {numbers}. Each process needs a GPU of its own."
    return None


def check_gpus(gpu_id: int, n: int = 1) -> None:
    """Raise MissingGPUError, a ValueError, if torch and thinc cannot use n GPUs from this number
    on. A negative number stands for the CPU, which is always there."""
    if gpu_id < 0:
        return
    fault = missing(present_gpus(), gpu_id, n)
    if fault is not None:
        raise MissingGPUError(fault)


def _cupy() -> tuple[str | None, str | None, int]:
    if importlib.util.find_spec("cupy") is None:
        return None, None, 0
    version = ""
    try:
        import cupy

        version = cupy.__version__
        import cupy.cublas

        return version, None, cupy.cuda.runtime.getDeviceCount()
    # CuPy raises errors of its own, the driver's and the dynamic linker's.
    except Exception as error:
        return version, _first_line(error), 0


def _torch_fault() -> str | None:
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        return _first_line(error)
    return None


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
