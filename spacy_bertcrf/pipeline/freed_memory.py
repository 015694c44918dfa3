"""What keeps the memory of a long training flat."""

import ctypes
import sys
from collections.abc import Callable
from typing import Any


def release_freed_memory() -> None:
    """Give the pages that hold nothing any more back to the operating system.

    Batches have different shapes, so torch frees and takes blocks of ever other sizes, and glibc
    keeps what was freed between blocks that are still in use: over a training on the CPU this
    adds up to more than the model. Takes some milliseconds. Where the C library has no
    `malloc_trim` (macOS, Windows, musl), nothing is done.
    """
    if _malloc_trim is not None:
        _malloc_trim(0)


def _find_malloc_trim() -> Callable[[int], Any] | None:
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)


_malloc_trim = _find_malloc_trim()
