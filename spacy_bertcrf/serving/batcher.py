"""Requests of many connections, answered in batches."""

import asyncio
import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import NamedTuple

from spacy_bertcrf.annotation.annotator import Failure
from spacy_bertcrf.serving.readings import Answer, Question, Reader

# How long a batch waits for more, if the one before it had several texts. A lone request never
# waits.
GATHER_SECONDS = 0.003


class QueueFullError(Exception):
    """More texts wait than the queue holds."""


class ClosedError(Exception):
    """The service is shutting down."""


class _Asked(NamedTuple):
    question: Question
    answer: "Future[Answer | Failure]"


class Batcher:
    """Answers questions in one thread, those that came meanwhile together.

    One thread, for torch uses all cores for a batch, and a batch costs less than its texts alone.

    max_batch: the most texts of a batch.
    max_waiting: the most texts that wait.
    """

    def __init__(self, reader: Reader, max_batch: int = 64, max_waiting: int = 1024):
        self.reader = reader
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._n_waiting = 0
        self._is_closed = False
        self._lock = threading.Lock()
        self._asked: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="bertcrf-batches", daemon=True)
        self._thread.start()

    @property
    def n_waiting(self) -> int:
        """How many texts are not answered yet."""
        return self._n_waiting

    async def ask(self, questions: Sequence[Question]) -> list[Answer | Failure]:
        """The answers to some questions.

        Raises QueueFullError, and ClosedError after `close`.
        """
        with self._lock:
            if self._is_closed:
                raise ClosedError
            if self._n_waiting + len(questions) > self._max_waiting:
                raise QueueFullError
            self._n_waiting += len(questions)
            asked = [_Asked(question, Future()) for question in questions]
            for item in asked:
                self._asked.put(item)
        return await asyncio.gather(*(asyncio.wrap_future(item.answer) for item in asked))

    def close(self) -> None:
        """Answer what waits, and take nothing more."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._asked.put(None)
        self._thread.join()

    def _work(self) -> None:
        n_before = 1
        while True:
            batch, is_last = self._gather(n_before)
            if batch:
                self._answer(batch)
                n_before = len(batch)
            if is_last:
                return

    def _gather(self, n_before: int) -> tuple[list[_Asked], bool]:
        first = self._asked.get()
        if first is None:
            return [], True
        batch = [first]
        deadline = time.monotonic() + (GATHER_SECONDS if n_before > 1 else 0.0)
        while len(batch) < self._max_batch:
            try:
                item = self._asked.get(timeout=max(deadline - time.monotonic(), 0.0))
            except queue.Empty:
                break
            if item is None:
                return batch, True
            batch.append(item)
        return batch, False

    def _answer(self, batch: Sequence[_Asked]) -> None:
        open_items = [item for item in batch if item.answer.set_running_or_notify_cancel()]
        try:
            answers = self.reader.answer([item.question for item in open_items])
            for item, answer in zip(open_items, answers, strict=True):
                item.answer.set_result(answer)
        except Exception as error:
            for item in open_items:
                if not item.answer.done():
                    item.answer.set_exception(error)
        finally:
            with self._lock:
                self._n_waiting -= len(batch)
