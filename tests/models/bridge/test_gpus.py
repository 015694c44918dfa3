"""What keeps a GPU from being used, and how it is mended."""

import pytest
import torch

from spacy_bertcrf.models.bridge.gpus import GPUs, MissingGPUError, check_gpus, missing

SOUND = GPUs("Linux", "14.2.0", None, "12.8", None, n_torch=2, n_cupy=2)
FAULTS = {
    "Mac": (SOUND._replace(system="Darwin"), 0, 1, "float64"),
    "torch for CPUs": (SOUND._replace(torch_cuda=None), 0, 1, "built for CPUs alone"),
    "no CuPy": (SOUND._replace(cupy=None), 0, 1, 'pip install "spacy-bertcrf[cuda12x]"'),
    "no CuPy, CUDA 13": (
        SOUND._replace(cupy=None, torch_cuda="13.0"),
        0,
        1,
        'pip install "spacy-bertcrf[cuda13x]"',
    ),
    "no CUDA libraries": (
        SOUND._replace(cupy_fault="ImportError: libcublasLt.so.12", n_cupy=0),
        0,
        1,
        "libcublasLt.so.12",
    ),
    "old driver": (
        SOUND._replace(torch_fault="RuntimeError: The NVIDIA driver on your system is too old"),
        0,
        1,
        "driver on your system is too old",
    ),
    "no GPU": (SOUND._replace(n_torch=0, n_cupy=0), 0, 1, "nvidia-smi"),
    "wrong number": (SOUND, 2, 1, "no GPU 2: 2 GPUs are seen, and their numbers are 0 to 1"),
    "too many": (SOUND, 0, 4, "no 4 GPUs from the number 0 on"),
    "only one": (SOUND._replace(n_cupy=1), 1, 1, "1 GPU is seen, and its number is 0"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_missing_is_said_in_one_line(name, monkeypatch):
    """thinc says that CuPy is not installed, or no GPU there, whatever it is."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    gpus, gpu_id, n, expected = FAULTS[name]
    fault = missing(gpus, gpu_id, n)
    assert fault is not None
    assert expected in fault
    assert "\n" not in fault


@pytest.mark.parametrize(("gpu_id", "n"), [(0, 1), (1, 1), (0, 2)])
def test_gpus_that_are_there_can_be_used(gpu_id, n):
    assert missing(SOUND, gpu_id, n) is None


def test_gpus_that_are_hidden_are_told(monkeypatch):
    """An empty CUDA_VISIBLE_DEVICES of a job scheduler hides them all."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    fault = missing(SOUND._replace(n_torch=0, n_cupy=0))
    assert fault is not None
    assert "CUDA_VISIBLE_DEVICES is ''" in fault


def test_the_cpu_is_always_there():
    check_gpus(-1)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_one_is_not_used():
    with pytest.raises(MissingGPUError):
        check_gpus(0)
