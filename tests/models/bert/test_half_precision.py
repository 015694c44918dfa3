"""Which GPUs compute in bfloat16, and which in float16."""

import pytest
import torch

from spacy_bertcrf.models.bert.half_precision import half_precision


@pytest.mark.parametrize(
    ("capability", "hip", "expected"),
    [
        ((7, 0), None, torch.float16),  # V100
        ((7, 5), None, torch.float16),  # T4, RTX 20
        ((8, 0), None, torch.bfloat16),  # A100
        ((9, 0), None, torch.bfloat16),  # H100
        ((7, 5), "6.0", torch.bfloat16),  # AMD's count otherwise
    ],
)
def test_older_gpus_compute_in_float16(monkeypatch, capability, hip, expected):
    """torch emulates bfloat16 on a T4, which is slower there than no half precision at all."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    monkeypatch.setattr(torch.version, "hip", hip)
    assert half_precision(torch.device("cuda", 0)) == expected


def test_cpus_compute_in_bfloat16():
    """They have no use for scaled gradients."""
    assert half_precision(torch.device("cpu")) == torch.bfloat16
