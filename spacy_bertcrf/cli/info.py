"""`python -m spacy bertcrf info`: what a bug report needs to know of a machine."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from wasabi import msg

from spacy_bertcrf.cli import bertcrf_app

if TYPE_CHECKING:
    import torch

    from spacy_bertcrf.models.bridge.gpus import GPUs

PACKAGES = [
    *("spacy-bertcrf", "spacy", "spacy-transformers", "thinc", "torch", "transformers"),
    *("tokenizers", "safetensors", "pytorch-crf", "numpy"),
]
CUPY = ("cupy-cuda12x", "cupy-cuda13x", "cupy")
# Of the CPU, as Linux names them.
MULTIPLIERS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_bf16": "AVX-512 for bfloat16",
    "amx_bf16": "AMX for bfloat16",
}
VARIABLES = [
    *("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"),
    *("TOKENIZERS_PARALLELISM", "HF_HUB_OFFLINE", "NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME"),
]


@bertcrf_app.command("info")
def info_cli(
    markdown: Annotated[
        bool, typer.Option("--markdown", "-m", help="As Markdown, to paste into a report")
    ] = False,
) -> None:
    """Print what a bug report needs: versions, processor, GPUs, and whether --gpu-id works here."""
    from spacy_bertcrf.models.bridge.gpus import missing, present_gpus

    gpus = present_gpus()
    fault = missing(gpus)
    sections = {
        "Versions": _versions(),
        "Processor": _processor(),
        "GPUs": {**_gpus(gpus), "--gpu-id 0": "works" if fault is None else fault},
        "mixed_precision = true": _half_precision(fault is None),
        "Set in the environment": {
            name: os.environ[name] for name in VARIABLES if name in os.environ
        },
    }
    for title, rows in sections.items():
        if markdown and rows:
            typer.echo(
                "\n".join([f"## {title}", *(f"- **{n}:** {v}" for n, v in rows.items()), ""])
            )
        elif rows:
            msg.divider(title)
            width = max(map(len, rows))
            for name, value in rows.items():
                typer.echo(f"{name:<{width}}  {value}")


def _versions() -> dict[str, str]:
    found = {name: _version(name) or "is not installed" for name in PACKAGES}
    of_cupy = {name: installed for name in CUPY if (installed := _version(name))}
    return {
        **found,
        **(of_cupy or {"cupy": "is not installed"}),
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "system": platform.platform(),
    }


def _processor() -> dict[str, str]:
    import torch

    from spacy_bertcrf.layers.onednn_linear import IS_FASTER

    name, flags = _cpu()
    known = [meaning for flag, meaning in MULTIPLIERS.items() if flag in flags]
    return {
        "name": name,
        "cores": f"{os.cpu_count()}, of which torch uses {torch.get_num_threads()}",
        "multiplies by": ", ".join(known) or torch.backends.cpu.get_cpu_capability(),
        "BERT's float32 products": "oneDNN's" if IS_FASTER else "torch's own",
    }


def _cpu() -> tuple[str, set[str]]:
    """The name, and what it can do as far as Linux tells."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    found = dict(reversed([_named(line) for line in lines if ":" in line]))
    return found.get("model name", platform.processor()), set(found.get("flags", "").split())


def _named(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip(), value.strip()


def _gpus(gpus: "GPUs") -> dict[str, str]:
    import torch

    rows = {
        "torch": "is built for CPUs alone" if gpus.torch_cuda is None else _seen(gpus.n_torch),
        "CuPy": _seen(gpus.n_cupy),
    }
    if gpus.torch_cuda is not None:
        rows["torch"] += f", built for CUDA {gpus.torch_cuda}"
    if gpus.cupy is None:
        rows["CuPy"] = "is not installed"
    elif gpus.cupy_fault is not None:
        rows["CuPy"] = f"cannot be used: {gpus.cupy_fault}"
    if gpus.torch_fault is not None:
        return rows
    for number in range(gpus.n_torch):
        rows[str(number)] = _described(torch.cuda.get_device_properties(number))
    if gpus.n_torch:
        rows["float32 products"] = f"{torch.get_float32_matmul_precision()} precision"
    return rows


def _seen(n: int) -> str:
    return "sees 1 GPU" if n == 1 else f"sees {n or 'no'} GPUs"


def _described(properties: "torch.cuda._CudaDeviceProperties") -> str:
    capability = f"{properties.major}.{properties.minor}"
    memory = properties.total_memory / 2**30
    return f"{properties.name}, {memory:.1f} GiB, compute capability {capability}"


def _half_precision(has_gpu: bool) -> dict[str, str]:
    import torch

    from spacy_bertcrf.models.bert.half_precision import half_precision
    from spacy_bertcrf.training.recipes.machine import computes_in_bfloat16

    emulated = "bfloat16, which this one has to emulate: slower"
    rows = {"on the CPU": "bfloat16 by hardware" if computes_in_bfloat16() else emulated}
    if has_gpu:
        is_bfloat16 = half_precision(torch.device("cuda")) == torch.bfloat16
        rows["on the GPU"] = "bfloat16" if is_bfloat16 else "float16 with scaled gradients"
    return rows


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
