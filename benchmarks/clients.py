"""Clients of a service: each sends one request after the other over its own connection, each as
soon as the one before is answered. They do as little as clients can, for they share the machine
with the service: one thread, and no library for HTTP."""

import asyncio
import json
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

HEAD = (
    "POST /v1/entities HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    "Content-Length: {}\r\n\r\n"
)
END_OF_HEAD = b"\r\n\r\n"


class Answered(NamedTuple):
    """seconds: from the request to its answer. status: of HTTP."""

    seconds: float
    status: int
    body: bytes


def send_texts(port: int, texts: Iterable[str], n: int) -> list[float]:
    """The seconds that each text took. Raises ValueError if one is refused."""
    answers = send(port, (json.dumps({"text": text}).encode() for text in texts), n)
    for answer in answers:
        if answer.status != 200 or "entities" not in json.loads(answer.body):
            raise ValueError(f"A text was refused: {answer}")
    return [answer.seconds for answer in answers]


def send(port: int, bodies: Iterable[bytes], n: int) -> list[Answered]:
    """What is answered to bodies of requests. n: clients, of which each takes the next one."""
    return asyncio.run(_send(port, iter(bodies), n))


async def _send(port: int, bodies: Iterator[bytes], n: int) -> list[Answered]:
    loop = asyncio.get_running_loop()
    answers: list[Answered] = []
    clients = [_Client(bodies, answers, loop.create_future()) for _ in range(n)]
    for client in clients:
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)
    await asyncio.gather(*(client.done for client in clients))
    return answers


class _Client(asyncio.Protocol):
    """done: when there is no body left."""

    def __init__(
        self, bodies: Iterator[bytes], answers: list[Answered], done: asyncio.Future[None]
    ):
        self.done = done
        self._bodies = bodies
        self._answers = answers
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(END_OF_HEAD)
        if not end or len(body) < _length(head):
            return
        seconds = time.perf_counter() - self._begin
        self._answers.append(Answered(seconds, int(head.split(b" ", 2)[1]), body))
        self._received = b""
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("the service hung up"))

    def _send(self) -> None:
        body = next(self._bodies, None)
        if body is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._begin = time.perf_counter()
        self._transport.write(HEAD.format(len(body)).encode() + body)


def _length(head: bytes) -> int:
    _, _, after = head.lower().partition(b"content-length:")
    return int(after.split(b"\r\n", 1)[0])
