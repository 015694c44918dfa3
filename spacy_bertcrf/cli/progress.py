"""Shows on a terminal that a command is at work, where that takes longer than two seconds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from shutil import get_terminal_size
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from tqdm import tqdm

SECONDS_BEFORE = 2.0
SECONDS_BETWEEN = 0.5

T = TypeVar("T")


@contextmanager
def working(title: str, is_shown: bool = True) -> Iterator[None]:
    """Show what is being done in a with block, and for how long.

    is_shown: False for a process beside one that shows it.
    """
    with _shown(desc=title, bar_format="{desc} {elapsed}", disable=None if is_shown else True):
        yield


@contextmanager
def counting(title: str, unit: str = " texts") -> Iterator[tqdm[Any]]:
    """Show how much is done in a with block; also while none of it is: `update(n)` of what is
    yielded counts."""
    with _shown(desc=title, unit=unit, disable=None) as bar:
        yield bar


def counted(items: Iterable[T], title: str, unit: str = " texts") -> Iterator[T]:
    """Pass items on, and show how many."""
    with counting(title, unit) as bar:
        for item in items:
            yield item
            bar.update()


@contextmanager
def _shown(**how: Any) -> Iterator[tqdm[Any]]:
    from tqdm import tqdm

    # By itself, tqdm shows nothing on a terminal that does not know its size.
    columns, lines = get_terminal_size()
    bar = tqdm(delay=SECONDS_BEFORE, leave=False, ncols=columns, nrows=lines, **how)
    done = Event()

    # tqdm draws when something is counted. Before the first of it, a file may have to be read.
    def draw() -> None:
        wait = SECONDS_BEFORE
        while not done.wait(wait):
            bar.refresh()
            wait = SECONDS_BETWEEN

    drawing = Thread(target=draw, daemon=True)
    if not bar.disable:
        drawing.start()
    try:
        yield bar
    finally:
        done.set()
        if not bar.disable:
            drawing.join()
        bar.close()
