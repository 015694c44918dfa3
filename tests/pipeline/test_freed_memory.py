"""Memory that is freed must not stay with the process for the rest of a training."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spacy_bertcrf.pipeline.freed_memory import release_freed_memory


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_freed_blocks_between_blocks_in_use_are_given_back() -> None:
    # Blocks that glibc takes from its heap, every second one freed: 160 of 320 MB.
    blocks = [np.ones(8_000, dtype=np.int64) for _ in range(5_000)]
    full = resident_bytes()
    del blocks[::2]
    release_freed_memory()
    assert full - resident_bytes() > 100e6
    assert all(block[0] == 1 for block in blocks)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_large_blocks_are_given_back_as_soon_as_they_are_freed() -> None:
    code = """
import numpy as np
from pathlib import Path
from spacy_bertcrf.pipeline.freed_memory import keep_large_blocks_apart

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 // 10**6

keep_large_blocks_apart()
# glibc alone would take blocks as large as this one from its heap from now on.
np.ones(3_000_000, dtype=np.int64)
blocks = [np.ones(40_000, dtype=np.int64) for _ in range(1_000)]
full = resident_mb()
del blocks[::2]
print(full - resident_mb())
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(found.stdout) > 100
