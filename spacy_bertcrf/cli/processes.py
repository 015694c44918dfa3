"""The processes of a training: starting them on this machine, and being one of them."""

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from wasabi import msg

if TYPE_CHECKING:
    from spacy_bertcrf.training.ranks import Ranks


def start_processes(n: int, arguments: Sequence[str]) -> NoReturn:
    """Become torchrun, which starts n processes of `python -m spacy_bertcrf.cli` here.

    arguments: of this process, those of each but for `--nproc`.
    """
    # Else torchrun gives each one thread, also where there are more cores.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // n)))
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={n}"]
    sys.stdout.flush()
    os.execv(
        sys.executable,
        [sys.executable, *launcher, "-m", "spacy_bertcrf.cli", *_without_nproc(arguments)],
    )


def _without_nproc(arguments: Sequence[str]) -> list[str]:
    # torchrun looks at all arguments, and cannot tell this from its own --nproc-per-node.
    kept: list[str] = []
    is_value = False
    for argument in arguments:
        if not is_value and argument.partition("=")[0] != "--nproc":
            kept.append(argument)
        is_value = argument == "--nproc"
    return kept


@contextmanager
def joined_processes(
    timeout: float, gpu_id: int, compress_gradients: bool
) -> Iterator[tuple["Ranks", int]]:
    """Join the processes that torchrun has started with this one, for a with block; if it has
    started none, this one is alone.

    compress_gradients: send them in bfloat16.

    Gives the ranks, and the number of this process's GPU: with several, it is that of the process
    on its machine; -1 for none.
    """
    import torch

    from spacy_bertcrf.training.distributed import (
        ProcessRanks,
        RankError,
        join,
        local_rank,
        started_as_rank,
    )
    from spacy_bertcrf.training.ranks import ALONE

    if not started_as_rank():
        yield ALONE, gpu_id
        return
    try:
        with join(timeout, use_gpu=gpu_id >= 0) as group:
            ranks = ProcessRanks(group, torch.bfloat16 if compress_gradients else torch.float32)
            if not ranks.is_first:
                msg.no_print = True
                warnings.simplefilter("ignore")
            yield ranks, local_rank() if gpu_id >= 0 else -1
    except RankError as error:
        msg.no_print = False
        msg.fail(f"Rank {os.environ['RANK']} ends, for another process is missing", str(error))
        sys.stdout.flush()
        sys.stderr.flush()
        # An orderly end would wait for the missing process.
        os._exit(1)
