"""Between what was found out on one device and on another."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def difference(found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> float:
    assert found.keys() == expected.keys()
    return max(float(np.abs(found[name] - expected[name]).max(initial=0)) for name in expected)


def different(found: Any, expected: Any, name: str = "") -> list[str]:
    """The names of all numbers that are not the same up to rounding, with both."""
    if isinstance(found, dict) and isinstance(expected, dict) and found.keys() == expected.keys():
        return [d for key in found for d in different(found[key], expected[key], f"{name}.{key}")]
    sequences = (list, tuple, np.ndarray)
    if isinstance(found, sequences) and len(found) == len(expected):
        pairs = enumerate(zip(found, expected, strict=True))
        return [d for i, pair in pairs for d in different(*pair, f"{name}.{i}")]
    if isinstance(found, float | np.floating):
        is_same = abs(found - expected) <= 1e-4 * max(1.0, abs(expected))
    else:
        is_same = found == expected
    return [] if is_same else [f"{name}: {found} and {expected}"]
