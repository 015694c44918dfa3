"""What keeps the memory of a long training flat."""

import ctypes
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

# glibc's names for what mallopt sets.
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3


def release_freed_memory() -> None:
    """Give the pages that hold nothing any more back to the operating system.

    Batches have different shapes, so torch frees and takes blocks of ever other sizes, and glibc
    keeps what was freed between blocks that are still in use: over a training on the CPU this
    adds up to more than the model. Takes some milliseconds. Where the C library is not glibc
    (macOS, Windows, musl), nothing is done.
    """
    trim = _from_glibc("malloc_trim")
    if trim is not None:
        trim(0)


@cache
def keep_large_blocks_apart() -> None:
    """Have glibc map blocks of 256 KiB and more on their own, for good, in this process.

    It would begin with 128 KiB, but raises the limit to the size of each such block that is
    freed, up to 32 MiB. Then gradients and activations lie in the heap among small objects, and
    the gaps that they leave are not used again. That it does not give back the heap's end at
    every occasion saves the time that the mapping costs.
    """
    mallopt = _from_glibc("mallopt")
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 256 * 2**10)
        mallopt(M_TRIM_THRESHOLD, 2**30)


def _from_glibc(name: str) -> Callable[..., Any] | None:
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), name, None)
