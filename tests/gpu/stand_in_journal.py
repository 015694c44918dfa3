"""What a device was asked to do, and by which lines of the package."""

import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import spacy_bertcrf

PACKAGE = str(Path(spacy_bertcrf.__file__).parent)


class Place(NamedTuple):
    """A line of the package, or of what calls it; in the backward pass no line of ours is known."""

    file: str
    function: str
    line: int


BACKWARD = Place("backward pass", "", 0)


class Journal:
    """Counts what a device does, each kind by place and operation.

    launches: operations that are started on the device, and not waited for.
    waits: for which the processor stops until the device has done all that it was asked before.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.launches: Counter[tuple[Place, str]] = Counter()
        self.waits: Counter[tuple[Place, str]] = Counter()

    def launch(self, what: str) -> None:
        self.launches[place(), what] += 1

    def wait(self, what: str) -> None:
        self.waits[place(), what] += 1

    def noted(self) -> dict[str, Any]:
        """What the device has done since the journal was cleared: how many launches, and the waits
        by place and operation."""
        waits = sorted((*place, what, n) for (place, what), n in self.waits.items())
        return {"launches": sum(self.launches.values()), "waits": waits}


def place() -> Place:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(PACKAGE):
            file = code.co_filename[len(PACKAGE) + 1 :]
            return Place(file, code.co_name, frame.f_lineno)
        frame = frame.f_back
    return BACKWARD


journal = Journal()
