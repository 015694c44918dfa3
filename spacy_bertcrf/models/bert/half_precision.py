"""The type of numbers that `mixed_precision` computes with."""

import torch


def half_precision(device: torch.device) -> torch.dtype:
    """bfloat16; float16, whose gradients have to be scaled, on a GPU that has no bfloat16."""
    is_on_gpu = device.type == "cuda"
    return torch.float16 if is_on_gpu and not _computes_bfloat16() else torch.bfloat16


def _computes_bfloat16() -> bool:
    # torch.cuda.is_bf16_supported says yes for all GPUs, for older ones emulate it, slowly.
    return torch.version.hip is not None or torch.cuda.get_device_capability() >= (8, 0)
