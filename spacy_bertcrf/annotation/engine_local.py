"""Annotation on this machine: in this process, or in several that may die."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any

from spacy_bertcrf.annotation.annotator import DeviceLost
from spacy_bertcrf.annotation.attempts import forgive
from spacy_bertcrf.annotation.job import Done, Job, ShardAnnotator
from spacy_bertcrf.annotation.shards import Shard

# What takes seconds to import in `spacy.load`, of any pipeline.
PRELOADED = [
    "spacy_bertcrf.annotation.engine_local",
    "spacy_bertcrf.models.bert.bert_encoder",
    "spacy_bertcrf.models.tagger.crf_tagger",
    "spacy_transformers",
    "spacy.pipeline.factories",
]
DEVICE_LOST = 70  # exit code: a software error, as sysexits.h has it
MAX_DEATHS = 5  # in a row, of processes that have come no further than the one before


def annotate_here(job: Job, shards: Iterable[Shard]) -> Generator[Done, None, None]:
    """Annotate shards in this process. If a text ends it, the next one reads that with care."""
    annotator = ShardAnnotator(job)
    for shard in shards:
        yield annotator(shard)


def annotate_in_processes(job: Job, shards: Iterable[Shard], n: int) -> Generator[Done, None, None]:
    """Annotate shards in n processes; one that dies is replaced, and its shard done by the new one.

    With GPUs each process takes its own, from job.gpu_id on.

    Yields what is done, in no order. Raises OSError, ValueError or RuntimeError for what has ended
    a process in good order, and RuntimeError if they die again and again with no text to blame.
    """
    remaining = iter(shards)
    workers: list[_Worker] = []
    try:
        for i in range(n):
            gpu_id = job.gpu_id + i if job.gpu_id >= 0 else -1
            worker = _Worker(job._replace(gpu_id=gpu_id), n)
            if worker.go_on(remaining):
                workers.append(worker)
        while workers:
            ready = wait([worker.connection for worker in workers])
            for worker in [worker for worker in workers if worker.connection in ready]:
                done = worker.received()
                if done is not None:
                    yield done
                    if not worker.go_on(remaining):
                        workers.remove(worker)
    finally:
        for worker in workers:
            worker.stop()


def end_with_parent() -> None:
    """Have this process end when the one that started it is killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        # What it writes has its name whole or not at all.
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class _Worker:
    """A process, and the shard that it is to do."""

    def __init__(self, job: Job, n: int):
        self._job, self._n = job, n
        self._shard: Shard | None = None
        self._process: Any = None
        self._how: str | None = None
        self._notes: list[bytes] = []
        self.connection: Connection

    def go_on(self, shards: Iterator[Shard]) -> bool:
        """Begin with the next shard; without one, end the process. Returns whether there is one."""
        self._shard, self._notes = next(shards, None), []
        if self._shard is None:
            self.stop()
        elif self._process is None:
            self._start()
        else:
            self._send()
        return self._shard is not None

    def received(self) -> Done | None:
        """What the process has done; None if it has died, and another begins in its place."""
        try:
            answer = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            self._how = _ending(self._process.exitcode)
            self.connection.close()
            self._check_progress()
            self._start()
            return None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def stop(self) -> None:
        """End the process at once."""
        if self._process is None:
            return
        self._process.kill()
        self._process.join()
        self.connection.close()
        self._process = None
        if self._shard is not None:
            with suppress(OSError):
                forgive(self._job.note(self._shard.number))

    def _start(self) -> None:
        context = _context()
        self.connection, theirs = context.Pipe()
        arguments = theirs, self._job, self._n
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        self._send()

    def _send(self) -> None:
        # If it has died, that is noticed where it is waited for.
        with suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send((self._shard, self._how))

    def _check_progress(self) -> None:
        assert self._shard is not None
        note = self._job.note(self._shard.number)
        self._notes.append(note.read_bytes() if note.exists() else b"")
        if self._notes[-MAX_DEATHS:] == MAX_DEATHS * [self._notes[-1]]:
            raise RuntimeError(
                f"{MAX_DEATHS} processes in a row have ended ({self._how}) before they read a text "
                "or after they had read all. Is there too little memory? Try a smaller --nproc or "
                "--shard-size."
            )


def _serve(connection: Connection, job: Job, n: int) -> None:
    # Ctrl-C reaches all processes, and so does what a batch system sends; the first one ends the
    # others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    end_with_parent()
    if "OMP_NUM_THREADS" not in os.environ:
        import torch

        torch.set_num_threads(max(1, (os.cpu_count() or 1) // n))
    annotator = None
    while True:
        shard, how = connection.recv()
        try:
            annotator = annotator or ShardAnnotator(job)
            answer: Done | Exception = annotator(shard, how)
        except DeviceLost:
            os._exit(DEVICE_LOST)  # for another process to go on
        except OSError as error:
            answer = OSError(str(error))
        except ValueError as error:
            answer = ValueError(str(error))
        except Exception as error:
            answer = RuntimeError(f"{type(error).__name__}: {error}")
        connection.send(answer)


def _context() -> Any:
    # Forked from a process that has imported all, a new one is there at once.
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def _ending(exit_code: int) -> str:
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        return signal.Signals(-exit_code).name
    except ValueError:
        return f"signal {-exit_code}"
