"""How the processes of one start find one another."""

import time
import uuid

from torch.distributed import Store

from spacy_bertcrf.training.distributed.errors import RankError

POLL = 0.05


def gather_processes(store: Store, rank: int, size: int, timeout: float) -> str:
    """Wait until all processes are there.

    The store may still hold what processes before a restart wrote, which is to be told apart
    from what those of now write: each other rank shows itself by a token that nobody had before,
    and rank 0 answers to that.

    Returns a name for what they do in the store together, which no earlier ones had. Raises
    RankError with the ranks that did not come, or, in these, did not get an answer, in time.
    """
    end = time.monotonic() + timeout
    token = uuid.uuid4().hex
    if rank > 0:
        store.set(f"token/{rank}", token)
        while not store.check([f"answer/{token}"]):
            if time.monotonic() > end:
                raise RankError(f"Rank 0 did not answer to rank {rank} within {timeout:g} s.")
            time.sleep(POLL)
        name = store.get(f"answer/{token}").decode()
        store.set(f"here/{name}/{rank}", "")
        return name
    missing = set(range(1, size))
    answered = set()
    while missing:
        for other in sorted(missing):
            if store.check([f"here/{token}/{other}"]):
                missing.remove(other)
            elif store.check([f"token/{other}"]):
                theirs = store.get(f"token/{other}").decode()
                if theirs not in answered:
                    store.set(f"answer/{theirs}", token)
                    answered.add(theirs)
        if missing and time.monotonic() > end:
            names = ", ".join(map(str, sorted(missing)))
            raise RankError(f"Of {size} processes, rank {names} did not come within {timeout:g} s.")
        time.sleep(POLL)
    return token
