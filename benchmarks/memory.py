"""The memory of this process, in MB of 10^6 bytes. Linux only: it is read from /proc."""

import re
from pathlib import Path


def resident_mb() -> float:
    """What is resident now."""
    return _status("VmRSS")


def peak_mb() -> float:
    """The most that was resident at once, since the start or `forget_peak`."""
    return _status("VmHWM")


def forget_peak() -> None:
    """Let the peak start anew."""
    Path("/proc/self/clear_refs").write_text("5")


def _status(field: str) -> float:
    found = re.search(rf"{field}:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024 / 1e6
