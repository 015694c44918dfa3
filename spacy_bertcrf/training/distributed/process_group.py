"""What several processes do together, and the errors that tell who did not."""

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist

from spacy_bertcrf.models.bridge.gpus import check_gpus
from spacy_bertcrf.training.distributed.errors import RankError
from spacy_bertcrf.training.distributed.gathering import gather_processes
from spacy_bertcrf.training.distributed.heartbeat import Heartbeat

Value = TypeVar("Value")

STORE_TIMEOUT = timedelta(seconds=30)
INLINE_BYTES = 4096
HOW_TO_START = (
    "Start as many as --nnodes and --nproc-per-node say, with the same address and port, on "
    "machines that reach one another (gloo and NCCL take ports of their own)."
)


def started_as_rank() -> bool:
    """Whether torchrun, or what sets the same variables, has started this process as one of
    several."""
    return all(name in os.environ for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"))


def local_rank() -> int:
    """The number of this process on its machine."""
    return int(os.environ.get("LOCAL_RANK", 0))


@contextmanager
def join(timeout: float, use_gpu: bool) -> Iterator["ProcessGroup"]:
    """Join the processes that torchrun has started with this one, for a with block.

    timeout: seconds after which a process that the others wait for is given up.
    use_gpu: NCCL, and the GPU with the number LOCAL_RANK, which is made the current one; else
        gloo.

    Raises MissingGPUError, a ValueError, if the GPU cannot be used; RankError if not all processes
    come within the time, and inside the block if one dies or does not answer. What else is raised
    inside it is told to the others.
    """
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    address = os.environ["MASTER_ADDR"]
    device = torch.device("cpu")
    if use_gpu:
        check_gpus(local_rank())
        device = torch.device("cuda", local_rank())
        torch.cuda.set_device(device)
        # Else a process that does not answer ends the others without a word.
        os.environ.setdefault("TORCH_NCCL_BLOCKING_WAIT", "1")
    else:
        _choose_network_interface(address)
    limit = timedelta(seconds=timeout)
    try:
        store, rank, size = next(dist.rendezvous("env://", rank, size, timeout=limit))
        name = gather_processes(store, rank, size, timeout)
        dist.init_process_group(
            "nccl" if use_gpu else "gloo",
            store=dist.PrefixStore(f"collectives/{name}", store),
            rank=rank,
            world_size=size,
            timeout=limit,
        )
        # A client of its own, for waiting in one keeps all who use it waiting.
        statuses = dist.TCPStore(
            address,
            int(os.environ["MASTER_PORT"]),
            is_master=False,
            wait_for_workers=False,
            timeout=STORE_TIMEOUT,
        )
    except RankError as error:
        raise RankError(f"{error} {HOW_TO_START}") from error
    except RuntimeError as error:
        raise RankError(
            f"Rank {rank} could not be connected with the {size} processes at {address}: "
            f"{str(error).strip().partition(chr(10))[0]}. {HOW_TO_START}"
        ) from error
    heartbeat = Heartbeat(dist.PrefixStore(f"statuses/{name}", statuses), rank, size, timeout)
    heartbeat.start()
    group = ProcessGroup(rank, size, device, heartbeat)
    try:
        group.meet("begin")
        yield group
        group.meet("end")
        dist.destroy_process_group()
    except BaseException as error:
        _tell_failure(heartbeat, error)
        raise
    finally:
        heartbeat.stop()


class ProcessGroup:
    """The processes that train together. All methods are called by all of them, in the same order;
    each raises RankError if another process does not.

    rank: of this process.
    size: how many they are.
    device: where tensors are exchanged.
    """

    def __init__(self, rank: int, size: int, device: torch.device, heartbeat: Heartbeat):
        self.rank = rank
        self.size = size
        self.device = device
        self.heartbeat = heartbeat

    def begin_sum(self, tensor: torch.Tensor, purpose: str) -> Callable[[], None]:
        """Begin to sum up a tensor over all processes, in place. It is done when the function
        that is returned comes back.

        purpose: what for, as in "sum up the gradients".
        """
        self.heartbeat.enter(purpose)
        with self._together(purpose):
            work = dist.all_reduce(tensor, async_op=True)

        def wait() -> None:
            with self._together(purpose):
                work.wait()

        return wait

    def sum(self, tensor: torch.Tensor, purpose: str) -> torch.Tensor:
        """Sum up a tensor over all processes, in place if it is on their device.

        Returns it, on the device where it was.
        """
        exchanged = tensor.to(self.device)
        self.begin_sum(exchanged, purpose)()
        return exchanged.to(tensor.device)

    def tell(self, value: Value, purpose: str) -> Value:
        """The value of the first process, which can be written as JSON."""
        self.heartbeat.enter(purpose)
        content = json.dumps(value).encode() if self.rank == 0 else b""
        # The length and, mostly, all of the content in one go.
        head = torch.zeros(8 + INLINE_BYTES, dtype=torch.uint8)
        if self.rank == 0:
            head[:8] = _bytes_tensor(len(content).to_bytes(8, "big"))
            head[8 : 8 + len(content[:INLINE_BYTES])] = _bytes_tensor(content[:INLINE_BYTES])
        head = self._broadcast(head, purpose)
        length = int.from_bytes(_bytes(head[:8]), "big")
        received = _bytes(head[8:])[:length]
        if length > INLINE_BYTES:
            rest = torch.zeros(length - INLINE_BYTES, dtype=torch.uint8)
            if self.rank == 0:
                rest = _bytes_tensor(content[INLINE_BYTES:])
            received += _bytes(self._broadcast(rest, purpose))
        return value if self.rank == 0 else json.loads(received)

    def copy_from_first(self, tensor: torch.Tensor, purpose: str) -> None:
        """Give a tensor the values that it has in the first process."""
        self.heartbeat.enter(purpose)
        tensor.copy_(self._broadcast(tensor, purpose))

    def gather(self, content: bytes, purpose: str) -> list[bytes] | None:
        """The contents of all processes, in the first; None in the others."""
        sizes = torch.zeros(self.size, dtype=torch.int64)
        sizes[self.rank] = len(content)
        sizes = self.sum(sizes, purpose)
        with self._together(purpose):
            if self.rank > 0:
                if content:
                    dist.send(_bytes_tensor(content).to(self.device), dst=0)
                return None
            gathered = [content]
            for rank in range(1, self.size):
                buffer = torch.empty(int(sizes[rank]), dtype=torch.uint8, device=self.device)
                if len(buffer):
                    dist.recv(buffer, src=rank)
                gathered.append(_bytes(buffer))
                self.heartbeat.progress()
            return gathered

    def meet(self, purpose: str) -> None:
        """Wait for all processes, without a limit for those that make progress."""
        self.heartbeat.meet(purpose)

    def _broadcast(self, tensor: torch.Tensor, purpose: str) -> torch.Tensor:
        exchanged = tensor.to(self.device)
        with self._together(purpose):
            dist.broadcast(exchanged, src=0)
        return exchanged.to(tensor.device)

    @contextmanager
    def _together(self, purpose: str) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            raise RankError(self.heartbeat.diagnose(purpose)) from error


def _tell_failure(heartbeat: Heartbeat, error: BaseException) -> None:
    try:
        heartbeat.fail(error)
    except RuntimeError:
        # Without the store nobody can be told; the error itself is raised by the caller.
        return


def _choose_network_interface(address: str) -> None:
    """Have gloo use the network interface that leads to the first machine: it would take the one
    that the host's name stands for, which is mostly that of the machine alone."""
    if "GLOO_SOCKET_IFNAME" in os.environ:
        return
    name = _interface_towards(address)
    if name is not None:
        os.environ["GLOO_SOCKET_IFNAME"] = name


def _interface_towards(address: str) -> str | None:
    try:
        import fcntl

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            # Sends nothing.
            probe.connect((address, 9))
            own: bytes = socket.inet_aton(probe.getsockname()[0])
            for _, name in socket.if_nameindex():
                try:
                    # SIOCGIFADDR of linux/sockios.h: the interface's address, behind 20 bytes.
                    found = fcntl.ioctl(probe, 0x8915, name.encode().ljust(256, b"\0"))
                except OSError:
                    continue  # an interface without an address
                if found[20:24] == own:
                    return name
    except (ImportError, OSError):
        # Another system than Linux, or a name that only gloo can resolve: it chooses itself.
        return None
    return None


def _bytes_tensor(content: bytes) -> torch.Tensor:
    return torch.frombuffer(bytearray(content), dtype=torch.uint8)


def _bytes(tensor: torch.Tensor) -> bytes:
    return tensor.cpu().numpy().tobytes()
