"""A training that is asked to stop: by Ctrl-C, or by SIGTERM, as batch systems send it."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class TrainingInterrupted(Exception):
    """Raised when a training that was asked to stop has written a checkpoint.

    signal_number: of the signal that asked for it.
    """

    def __init__(self, signal_number: int):
        super().__init__(f"The training was stopped by {signal.Signals(signal_number).name}.")
        self.signal_number = signal_number


class Interruption:
    """Whether the training was asked to stop.

    signal_number: of the signal that asked for it, None as long as there was none.
    """

    def __init__(self) -> None:
        self.signal_number: int | None = None


@contextmanager
def noticing(say: Callable[[str, str], None]) -> Iterator[Interruption]:
    """Let the first signal inside a with block only be noticed, so that the step can be finished.
    The second does what it always does: the process ends at once.

    say: told of the first signal, by kind of message and text.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        # Only there Python allows signals to be handled.
        yield interruption
        return
    usual = {number: signal.getsignal(number) or signal.SIG_DFL for number in SIGNALS}

    def notice(number: int, frame: FrameType | None) -> None:
        interruption.signal_number = number
        for each in SIGNALS:
            signal.signal(each, usual[each])
        say(
            "warn",
            f"{signal.Signals(number).name}: the step is finished and a checkpoint written. "
            "Once more, and the training ends at once.",
        )

    for number in SIGNALS:
        signal.signal(number, notice)
    try:
        yield interruption
    finally:
        for number in SIGNALS:
            signal.signal(number, usual[number])
