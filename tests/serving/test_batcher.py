"""Which texts are read together, and who waits for whom."""

import asyncio
import time
from collections import Counter

import pytest

from spacy_bertcrf.serving import batcher as batching
from spacy_bertcrf.serving.batcher import PATIENCE, UNDIVIDED, Batcher, ClosedError
from spacy_bertcrf.serving.readings import Question

SECONDS = 0.4  # that a batch takes


class SlowReader:
    """batches: the texts of each batch."""

    def __init__(self, seconds=SECONDS):
        self.batches = []
        self._seconds = seconds

    def answer(self, questions):
        self.batches.append([question.text for question in questions])
        time.sleep(self._seconds)
        if any(question.text == "fault" for question in questions):
            raise RuntimeError("a fault")
        return [{"text": question.text} for question in questions]


@pytest.fixture
def run():
    """Runs clients of a batcher, each a list of texts that it asks for one after the other, the
    first client before the others, and returns their answers."""

    def run(batcher, *clients):
        async def ask(texts):
            await asyncio.sleep(0.1 * (texts is not clients[0]))
            return [(await batcher.ask([Question(text)]))[0] for text in texts]

        async def ask_all():
            return await asyncio.gather(*map(ask, clients), return_exceptions=True)

        try:
            return asyncio.run(ask_all())
        finally:
            batcher.close()

    return run


def test_those_who_ask_again_are_read_together(run, monkeypatch):
    """Else those who are answered together would come one by one and in small batches."""
    monkeypatch.setattr(batching, "PATIENCE", 5.0)  # for a machine that has much else to do
    reader = SlowReader()
    clients = [[f"{client} {n}" for n in range(4)] for client in range(8)]
    answers = run(Batcher(reader), *clients)
    assert [[answer["text"] for answer in of_client] for of_client in answers] == clients
    # The first comes alone, and is answered when the others are under way.
    assert [len(batch) for batch in reader.batches] == [1, 8, 8, 8, 7]


def test_of_many_a_half_is_read_while_the_others_ask(run):
    """Else the model would wait for all of them after each batch."""
    clients = [[f"{client} {n}" for n in range(3)] for client in range(3 * UNDIVIDED)]
    left = Counter(text.split()[0] for texts in clients for text in texts)
    sizes = []

    class Reader:
        def answer(self, questions):
            deadline = time.monotonic() + 20
            while batcher.n_waiting < len(+left) and time.monotonic() < deadline:
                time.sleep(0.001)  # until all have asked who have something to ask
            sizes.append(len(questions))
            left.subtract(question.text.split()[0] for question in questions)
            return [{"text": question.text} for question in questions]

    batcher = Batcher(Reader())
    answers = run(batcher, *clients)
    assert [[answer["text"] for answer in of_client] for of_client in answers] == clients
    assert sizes[0] == 1
    assert max(sizes) < 0.75 * len(clients)
    assert len(sizes) <= 8  # six halves, the first text, and what it leaves


def test_who_comes_alone_does_not_wait_for_others_that_are_gone():
    reader = SlowReader()
    batcher = Batcher(reader)

    async def ask():
        await asyncio.gather(*(batcher.ask([Question(f"{n}")]) for n in range(8)))
        await asyncio.sleep(2 * PATIENCE * SECONDS)
        begin = time.monotonic()
        await batcher.ask([Question("alone")])
        return time.monotonic() - begin

    try:
        assert asyncio.run(ask()) < SECONDS * (1 + PATIENCE)
    finally:
        batcher.close()


def test_batches_are_bounded_and_of_similar_length():
    reader = SlowReader(0.01)
    batcher = Batcher(reader, max_batch=3)

    async def ask():
        texts = ["aaaa", "a", "aaa", "aaaaa", "aa"]
        answers = await batcher.ask([Question(text) for text in texts])
        assert [answer["text"] for answer in answers] == texts

    asyncio.run(ask())
    batcher.close()
    assert reader.batches == [["a", "aa", "aaa"], ["aaaa", "aaaaa"]]


def test_a_fault_of_a_reader_reaches_who_asked_and_nobody_later(run):
    batcher = Batcher(SlowReader(0.01))
    fault, others = run(batcher, ["fault"], ["a", "b", "c"])
    assert isinstance(fault, RuntimeError)
    assert [answer["text"] for answer in others] == ["a", "b", "c"]
    assert batcher.n_waiting == 0


def test_what_was_asked_is_answered_and_then_no_more():
    reader = SlowReader(0.05)
    batcher = Batcher(reader)

    async def ask():
        asked = [asyncio.ensure_future(batcher.ask([Question(f"{n}")])) for n in range(5)]
        await asyncio.sleep(0.01)
        await asyncio.to_thread(batcher.close)
        assert [answer["text"] for (answer,) in await asyncio.gather(*asked)] == list("01234")
        with pytest.raises(ClosedError):
            await batcher.ask([Question("late")])

    asyncio.run(ask())


def test_who_has_gone_is_not_read_for():
    reader = SlowReader(0.05)
    batcher = Batcher(reader)

    async def ask():
        first = asyncio.ensure_future(batcher.ask([Question("first")]))
        await asyncio.sleep(0.02)
        gone = asyncio.ensure_future(batcher.ask([Question("gone")]))
        stays = asyncio.ensure_future(batcher.ask([Question("stays")]))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(first, stays)

    asyncio.run(ask())
    batcher.close()
    assert reader.batches == [["first"], ["stays"]]
    assert batcher.n_waiting == 0
