"""What keeps the memory of a long training flat."""

import ctypes
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

SLACK = 1.12


class FreedMemory:
    """Gives memory that nothing uses any more back to the operating system, where glibc keeps it.

    Batches have different shapes, so torch frees and takes blocks of ever other sizes, and glibc
    finds them places between blocks that are still in use. Over a training on the CPU the places
    that have been used once add up to more than the model. Giving them all back at every step
    would take more time than the step's arithmetic at times, for the system has to clear each
    page that is taken again. So it is done when a process has a certain share more than what a
    step takes by itself, as measured in the steps that follow a release.

    Where the C library is not glibc (macOS, Windows, musl), nothing is done.
    """

    def __init__(self) -> None:
        self._n_measured = 0
        self._mean_need = 0.0  # bytes that are resident after a step that began with a release
        self._was_released = False

    def before_update(self) -> None:
        """Called before each update, when an evaluation may have left its memory behind."""
        if self._n_measured:
            self._release_if_much()

    def after_step(self) -> None:
        """Called after each step of a training."""
        if self._was_released:
            self._n_measured += 1
            self._mean_need += (_resident_bytes() - self._mean_need) / self._n_measured
        self._was_released = False
        self._release_if_much()

    def _release_if_much(self) -> None:
        if _malloc_trim() is not None and _resident_bytes() > SLACK * self._mean_need:
            give_back_memory()
            self._was_released = True


def give_back_memory() -> None:
    """Give what glibc keeps of freed memory back to the operating system, now."""
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


def _resident_bytes() -> int:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
