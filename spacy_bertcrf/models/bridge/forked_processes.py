"""What keeps `nlp.pipe(n_process=2)` from hanging where processes are forked."""

import os
from functools import partial

import torch


def use_one_thread() -> None:
    """Make torch work on one thread in every process that is forked off from now on.

    OpenMP's threads do not survive a fork, but their pool believes that they do: a child whose
    parent has used them waits for them for ever. One thread needs no pool, and the processes
    share the cores anyway. Processes that are spawned start their own threads.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=partial(torch.set_num_threads, 1))
