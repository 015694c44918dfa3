"""Memory that is freed must not stay with the process for the rest of a training."""

import sys
from pathlib import Path

import numpy as np
import pytest

from spacy_bertcrf.pipeline.freed_memory import FreedMemory

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def with_gaps() -> list[np.ndarray]:
    """160 MB in blocks that glibc takes from its heap, between gaps of 160 MB."""
    blocks = [np.ones(8_000, dtype=np.int64) for _ in range(5_000)]
    del blocks[::2]
    return blocks


@pytest.mark.slow
def test_freed_blocks_between_blocks_in_use_are_given_back() -> None:
    memory = FreedMemory()
    memory.after_step()
    memory.after_step()  # what a step takes by itself
    blocks = with_gaps()
    full = resident_bytes()
    memory.after_step()
    assert full - resident_bytes() > 100e6
    assert all(block[0] == 1 for block in blocks)


@pytest.mark.slow
def test_what_an_evaluation_leaves_behind_is_given_back_before_the_next_step() -> None:
    """Else the step would take its own memory beside it."""
    memory = FreedMemory()
    memory.after_step()
    memory.after_step()
    blocks = with_gaps()
    full = resident_bytes()
    memory.before_update()
    assert full - resident_bytes() > 100e6
    assert len(blocks) == 2_500


def test_what_every_step_takes_is_left_to_it() -> None:
    """Else each step would wait for the system to clear the same pages again."""
    memory = FreedMemory()
    memory.after_step()
    blocks = with_gaps()
    memory.after_step()  # this is what a step takes
    full = resident_bytes()
    memory.after_step()
    assert full - resident_bytes() < 10e6
    assert len(blocks) == 2_500
