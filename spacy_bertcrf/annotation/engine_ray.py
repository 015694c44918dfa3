"""Annotation on Ray Data: on this machine, or on all of a cluster.

Ray starts the actors that hold the pipeline, places them by CPUs and GPUs, adds and removes them
between bounds, hands out the shards, and runs them again elsewhere when an actor or a node dies.
Reading and writing stay our own: Ray's readers know no line numbers, and its checkpoints are of
rows with unique ids, after which a text that ends its process would be tried for ever.
"""

import os
import pickle
import socket
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from spacy_bertcrf.annotation.attempts import count_tries, forget_tries, forgive
from spacy_bertcrf.annotation.job import NOTES, WORK, Done, Job, ShardAnnotator
from spacy_bertcrf.annotation.shards import Shard

if TYPE_CHECKING:
    from types import ModuleType

PATIENCE = 10  # seconds, until the machine at an address answers
MAX_DEATHS = 5  # in a row, of actors that have come no further than the one before


def annotate_on_ray(
    job: Job,
    shards: Sequence[Shard],
    address: str,
    min_actors: int = 1,
    max_actors: int | None = None,
) -> Generator[Done, None, None]:
    """Annotate shards by actors, each with one CPU or, if job.gpu_id is not negative, one GPU.

    address: of the cluster; "auto" for that which this machine belongs to; "local" for a new one on
        this machine; "" for what `ray.init()` finds: RAY_ADDRESS, else "auto", else "local". All
        nodes see the same inputs, pipeline and output under their paths.
    min_actors, max_actors: how many there are; without the latter, as many as there is place for.

    Yields what is done, in no order. Raises ImportError without Ray, ValueError if there is none at
    that address, and OSError, ValueError or RuntimeError for what has ended the work on a shard in
    good order, or if actors die again and again with no text to blame.
    """
    ray = import_ray()
    if not shards:
        return
    for shard in shards:
        forget_tries(job.note(shard.number))
    was_there = ray.is_initialized()
    if not was_there:
        _require_answer(address or os.environ.get("RAY_ADDRESS", ""))
        try:
            ray.init(address or None, log_to_driver=False, include_dashboard=False)
        except (ValueError, ConnectionError) as error:
            raise ValueError(f"--ray {address}: {error}") from error
    try:
        for row in _rows(job, shards, min_actors, max_actors):
            answer = pickle.loads(row["answer"])
            if isinstance(answer, Exception):
                raise answer
            yield answer
    finally:
        if not was_there:
            ray.shutdown()
        for note in (job.output / WORK).glob(NOTES):
            with suppress(OSError):
                forgive(note)


def import_ray() -> "ModuleType":
    """Raises ImportError, with the extra to install, if there is no Ray Data."""
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ImportError(
            "--ray needs Ray. Install it: pip install 'spacy-bertcrf[ray]'"
        ) from error
    return ray


def _require_answer(address: str) -> None:
    """Raise ValueError if nothing listens at an address with a port: Ray would try for minutes, and
    then end the process."""
    parts = urlsplit(address if "//" in address else f"//{address}")
    try:
        port = parts.port
    except ValueError as error:
        raise ValueError(f"--ray {address}: {error}") from error
    if not port:
        return
    try:
        socket.create_connection((parts.hostname or "", port), timeout=PATIENCE).close()
    except OSError as error:
        raise ValueError(
            f"--ray {address}: nothing answers there ({error}). Is the cluster's head running "
            "(`ray start --head`), and does a firewall let this machine through?"
        ) from error


def _rows(
    job: Job, shards: Sequence[Shard], min_actors: int, max_actors: int | None
) -> Iterator[dict[str, Any]]:
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    pool = ray.data.ActorPoolStrategy(
        min_size=min_actors,
        max_size=max_actors,
        # One at work, and one that waits: what an actor holds is lost with it.
        max_tasks_in_flight_per_actor=2,
    )
    items = [{"shard": pickle.dumps(shard)} for shard in shards]
    results = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
        _Actor,
        fn_constructor_args=(job._replace(gpu_id=min(job.gpu_id, 0)), MAX_DEATHS),
        batch_size=1,
        compute=pool,
        num_cpus=1 if job.gpu_id < 0 else None,
        num_gpus=1 if job.gpu_id >= 0 else None,
    )
    yield from results.iter_rows()


class _Actor:
    """Holds the pipeline. What ends a shard in good order is answered, for Ray would raise it with
    pages of what surrounds it. So is the death of one actor after the other, for Ray would start
    the next one for ever; and the pipeline is loaded with the first shard, for of an actor that
    dies before it has one nobody could count the deaths."""

    def __init__(self, job: Job, max_deaths: int):
        self._job, self._max_deaths = job, max_deaths
        self._annotator: ShardAnnotator | None = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        (shard,) = batch["shard"]
        return {"answer": [pickle.dumps(self._answer(pickle.loads(shard)))]}

    def _answer(self, shard: Shard) -> Done | Exception:
        note = self._job.note(shard.number)
        try:
            if count_tries(note) > self._max_deaths:
                raise RuntimeError(
                    f"{self._max_deaths} actors in a row have ended before they read a text or "
                    "after they had read all. Is there too little memory? Try a smaller --nproc or "
                    "--shard-size."
                )
            self._annotator = self._annotator or ShardAnnotator(self._job)
            done = self._annotator(shard)
            forget_tries(note)
        except OSError as error:
            return OSError(str(error))
        except ValueError as error:
            return ValueError(str(error))
        except Exception as error:
            return RuntimeError(f"{type(error).__name__}: {error}")
        return done
