"""What each process tells of itself, and who is missing when one does not answer."""

import json
import os
import socket
import threading
import time
from pathlib import Path
from typing import Any, TypeAlias

from torch.distributed import Store

from spacy_bertcrf.training.distributed.errors import RankError

INTERVAL = 0.5  # seconds between two beats
SILENCE = 3.0  # seconds without a beat after which a process is not running
POLL = 0.02

Status: TypeAlias = dict[str, Any]


class Heartbeat:
    """Writes to a store, twice a second, what the process is doing, from a thread of its own.

    store: shared by the processes. It is used by this thread and, when others are asked about, by
        the caller.
    timeout: seconds that a process may go without any progress.
    """

    def __init__(self, store: Store, rank: int, size: int, timeout: float):
        self._store = store
        self._rank = rank
        self._size = size
        self._timeout = timeout
        self._lock = threading.Lock()
        self._status: Status = {
            "beat": 0,
            "entered": 0,
            "progress": 0,
            "meeting": 0,
            "doing": "its start",
            "host": socket.gethostname(),
            "pid": os.getpid(),
        }
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True, name="heartbeat")

    def start(self) -> None:
        """Begin to beat."""
        self._publish()
        self._thread.start()

    def stop(self) -> None:
        """Beat no more."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(2 * INTERVAL)

    def enter(self, doing: str) -> None:
        """Note that the process begins what all do together."""
        self._status["entered"] += 1
        self._status["doing"] = doing

    def progress(self) -> None:
        """Note that the process goes on with what it is at."""
        self._status["progress"] += 1

    def fail(self, error: BaseException) -> None:
        """Tell the others why this process ends."""
        blamed = isinstance(error, RankError)
        cause = str(error) if blamed else f"{type(error).__name__}: {error}"
        self._status["blames" if blamed else "failed"] = cause
        self._publish()

    def meet(self, purpose: str) -> None:
        """Wait for all processes, as long as those that are not there yet make progress.

        Raises RankError, naming the first that does not.
        """
        self.enter(purpose)
        self._status["meeting"] += 1
        self._publish()
        number = self._status["meeting"]
        missing = set(range(self._size)) - {self._rank}
        seen: dict[int, tuple[Any, float]] = {}
        while missing:
            for rank in sorted(missing):
                status = self._read(rank)
                if status.get("meeting", 0) >= number:
                    missing.remove(rank)
                    continue
                state = {key: value for key, value in status.items() if key != "beat"}
                now = time.monotonic()
                if rank not in seen or seen[rank][0] != state:
                    seen[rank] = (state, now)
                if "failed" in status or "blames" in status or now - seen[rank][1] > self._timeout:
                    raise RankError(self.diagnose(purpose))
            time.sleep(POLL if len(missing) < 8 else 10 * POLL)

    def diagnose(self, purpose: str) -> str:
        """Which process is to blame if `purpose` could not be done together, and why, as far as
        can be told."""
        try:
            before = self._read_others()
            culprit = _told(before)
            if culprit is None:
                time.sleep(SILENCE)
                after = self._read_others()
                culprit = _told(after) or self._found(before, after)
        except RuntimeError as error:
            return (
                f"Could not {purpose}, and the store of the processes, on the machine of rank 0, "
                f"is out of reach: {_first_line(error)}. That machine, or the network to it, is "
                "gone."
            )
        return culprit or f"Could not {purpose} with the other processes, though all are running."

    def _found(self, before: dict[int, Status], after: dict[int, Status]) -> str | None:
        for rank, status in after.items():
            if not status:
                return f"Rank {rank} has never been heard of."
            if status["beat"] == before[rank].get("beat"):
                cause = _state_of_process(status) or (
                    "it was killed or stopped, or its machine is out of reach"
                )
                return (
                    f"{_name(rank, status)} does not answer: {cause}. The last that it "
                    f"did with the others: {_doing(status)}."
                )
        # All are running: whoever has not come as far as the others keeps them waiting.
        slowest = min(after, key=lambda rank: after[rank]["entered"], default=None)
        if slowest is not None and after[slowest]["entered"] < self._status["entered"]:
            status = after[slowest]
            return (
                f"{_name(slowest, status)} did not answer within {self._timeout:g} s. It is still "
                f"what came after this: {_doing(status)}. If that takes so long, raise --timeout."
            )
        return None

    def _read_others(self) -> dict[int, Status]:
        return {rank: self._read(rank) for rank in range(self._size) if rank != self._rank}

    def _read(self, rank: int) -> Status:
        with self._lock:
            if not self._store.check([_key(rank)]):
                return {}
            status: Status = json.loads(self._store.get(_key(rank)))
        return status

    def _publish(self) -> None:
        with self._lock:
            self._status["beat"] += 1
            self._store.set(_key(self._rank), json.dumps(self._status))

    def _beat(self) -> None:
        while not self._stopped.wait(INTERVAL):
            try:
                self._publish()
            except RuntimeError:
                # The store is gone. The next thing that is done together says so.
                return


def _told(statuses: dict[int, Status]) -> str | None:
    """What a process said itself of its end, or of another's."""
    for rank, status in statuses.items():
        if "failed" in status:
            return f"{_name(rank, status)} ended with {status['failed']}"
    return next((status["blames"] for status in statuses.values() if "blames" in status), None)


def _state_of_process(status: Status) -> str | None:
    """What has become of a process, if it is one of this machine's."""
    if status["host"] != socket.gethostname() or not Path("/proc/self/stat").exists():
        return None
    try:
        state = Path(f"/proc/{status['pid']}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "it has died"
    return {"Z": "it has died", "X": "it has died", "T": "it is stopped"}.get(state)


def _name(rank: int, status: Status) -> str:
    return f"Rank {rank} (process {status['pid']} on {status['host']})"


def _doing(status: Status) -> str:
    return str(status["doing"])


def _key(rank: int) -> str:
    return f"status/{rank}"


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
