"""Requests of many connections, answered in batches."""

import asyncio
import math
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from spacy_bertcrf.annotation.annotator import Failure
from spacy_bertcrf.serving.readings import Answer, Question, Reader

# How long those who wait do so for those who were answered just now, and may ask anew: a share of
# the time that these took, for a batch of half of them costs nearly as much. Who comes alone never
# waits.
PATIENCE = 0.3
# Of more texts than this a half is read at a time. While it is, who was answered before asks anew,
# and the model never waits for them; fewer texts at a time would cost more by the text.
UNDIVIDED = 64

Future = asyncio.Future[Answer | Failure]


class QueueFullError(Exception):
    """More texts wait than the queue holds."""


class ClosedError(Exception):
    """The service is shutting down."""


class _Asked(NamedTuple):
    question: Question
    answer: Future


class Batcher:
    """Answers questions in one thread, those that came meanwhile together.

    One thread, for torch uses all cores for a batch, and a batch costs less than its texts alone.
    What waits is read sorted by length, for short texts beside long ones are padded to their
    length.

    max_batch: the most texts that are read together.
    max_waiting: the most texts that wait.
    """

    def __init__(self, reader: Reader, max_batch: int = 128, max_waiting: int = 1024):
        self.reader = reader
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._n_waiting = 0
        self._is_closed = False
        self._lock = threading.Lock()
        self._requests: queue.SimpleQueue[list[_Asked] | None] = queue.SimpleQueue()
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
        loop = asyncio.get_running_loop()
        asked = [_Asked(question, loop.create_future()) for question in questions]
        with self._lock:
            if self._is_closed:
                raise ClosedError
            if self._n_waiting + len(asked) > self._max_waiting:
                raise QueueFullError
            self._n_waiting += len(asked)
            self._requests.put(asked)
        if len(asked) == 1:
            return [await asked[0].answer]
        return await asyncio.gather(*(item.answer for item in asked))

    def close(self) -> None:
        """Answer what waits, and take nothing more."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._requests.put(None)
        self._thread.join()

    def _work(self) -> None:
        n_answered, patience, is_last = 0, 0.0, False
        while not is_last:
            asked, size, is_last = self._gather(n_answered, patience)
            for batch in self._batches(asked, size):
                begin = time.monotonic()
                self._answer(batch)
                n_answered, patience = len(batch), PATIENCE * (time.monotonic() - begin)

    def _gather(self, n_answered: int, patience: float) -> tuple[list[_Asked], int, bool]:
        """The texts that wait, how many are to be read at a time, and whether they are the last.

        If they are fewer than are read at a time, those are waited for who were answered in the
        last batch, so many seconds.
        """
        deadline = time.monotonic() + patience
        n_expected = self._n_waiting + n_answered
        size = min(self._max_batch, max(UNDIVIDED, (n_expected + 1) // 2))
        asked: list[_Asked] = []
        request = self._requests.get()
        while request is not None:
            asked += request
            left = deadline - time.monotonic() if len(asked) < min(size, n_expected) else 0.0
            try:
                request = self._requests.get(timeout=max(left, 0.0))
            except queue.Empty:
                return asked, size, False
        return asked, size, True

    def _batches(self, asked: list[_Asked], size: int) -> Iterator[list[_Asked]]:
        """Texts of similar length, in parts of about a size, for a few more are no batch."""
        asked.sort(key=lambda item: len(item.question.text))
        n_batches = max(1, round(len(asked) / size), math.ceil(len(asked) / self._max_batch))
        size = max(1, math.ceil(len(asked) / n_batches))
        for first in range(0, len(asked), size):
            yield asked[first : first + size]

    def _answer(self, batch: Sequence[_Asked]) -> None:
        open_items = [item for item in batch if not item.answer.cancelled()]
        found: list[Answer | Failure | Exception]
        try:
            found = [*self.reader.answer([item.question for item in open_items])]
            if len(found) != len(open_items):
                raise ValueError(f"of {len(open_items)} texts {len(found)} were answered")
        except Exception as error:
            found = [error] * len(open_items)
        finally:
            with self._lock:
                self._n_waiting -= len(batch)
        of_loops = defaultdict(list)
        for item, answer in zip(open_items, found, strict=True):
            of_loops[item.answer.get_loop()].append((item.answer, answer))
        for loop, answers in of_loops.items():
            with suppress(RuntimeError):  # the loop has ended, and who asked with it
                loop.call_soon_threadsafe(_deliver, answers)  # once, for each call wakes the loop


def _deliver(answers: Sequence[tuple[Future, Answer | Failure | Exception]]) -> None:
    for future, answer in answers:
        if future.done():  # who asked has gone
            continue
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
