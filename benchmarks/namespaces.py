"""Network namespaces: machines of one's own, as far as the network goes (Linux, as root)."""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ADDRESS = "10.77.0.1"  # of the first


@contextmanager
def linked_namespaces(gbit: float) -> Iterator[list[str]]:
    """The names of two namespaces with a cable between them, which carries so many Gbit/s each
    way."""
    names = [f"benchmark{os.getpid()}{i}" for i in "ab"]
    limit = f"root tbf rate {gbit * 1000:.0f}mbit burst 256kb latency 50ms"
    commands = [
        *(f"ip netns add {name}" for name in names),
        f"ip link add cable0 netns {names[0]} type veth peer name cable1 netns {names[1]}",
        *(f"ip -n {name} addr add 10.77.0.{i + 1}/24 dev cable{i}" for i, name in enumerate(names)),
        *(f"ip -n {name} link set cable{i} up" for i, name in enumerate(names)),
        *(f"ip -n {name} link set lo up" for name in names),
        *(f"tc -n {name} qdisc add dev cable{i} {limit}" for i, name in enumerate(names)),
    ]
    try:
        for command in commands:
            subprocess.run(command.split(), check=True)
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], check=False)


def enter(name: str) -> None:
    """Have all sockets that this thread opens from now on, and the threads that it starts, in a
    namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/var/run/netns", name).open() as namespace:
        if libc.setns(namespace.fileno(), 0):
            raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")
