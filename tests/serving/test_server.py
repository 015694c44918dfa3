"""The process that serves: how it ends."""

import gc
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from spacy_bertcrf.serving.app import make_app
from spacy_bertcrf.serving.server import Server


class Reader:
    """Answers when it is let."""

    labels, has_readings = (), False

    def __init__(self):
        self.is_busy, self.may_answer = threading.Event(), threading.Event()

    def answer(self, questions):
        self.is_busy.set()
        assert self.may_answer.wait(60)
        return [{"entities": []} for _ in questions]


@pytest.fixture
def server():
    """The reader of a server, and the server; what it sets for all of the process is reset."""
    reader, interval = Reader(), sys.getswitchinterval()
    yield reader, Server(make_app({"model": reader}))
    sys.setswitchinterval(interval)
    gc.unfreeze()


@pytest.mark.slow
def test_sigterm_answers_what_was_asked(server, run_server):
    """Else each new version of a pipeline would cost its users the requests under way."""
    reader, process = server
    with run_server(process) as url, ThreadPoolExecutor(2) as pool:

        def post():
            return requests.post(f"{url}/v1/entities", json={"text": "a"}, timeout=60)

        first = pool.submit(post)
        assert reader.is_busy.wait(60)
        second = pool.submit(post)
        waiting = 'bertcrf_waiting_texts{pipeline="model"} 2.0'
        while waiting not in requests.get(f"{url}/metrics", timeout=60).text:
            time.sleep(0.01)
        process.handle_exit(signal.SIGTERM, None)
        while not is_refused(url):
            time.sleep(0.05)
        reader.may_answer.set()
        for answer in (first.result(), second.result()):
            assert (answer.status_code, answer.json()) == (200, {"entities": []})


def test_it_tells_the_port_that_it_has(server, run_server):
    """Which nobody else could know, where any may be taken."""
    told = []
    process = Server(server[1].config.app, tell=told.append)
    with run_server(process) as url:
        assert url.endswith(f":{told[0]}")


def is_refused(url):
    try:
        requests.get(url, timeout=1)
    except requests.ConnectionError:
        return True
    except requests.Timeout:
        pass
    return False
