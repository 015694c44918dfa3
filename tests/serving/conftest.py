"""Pipelines behind a real server on the loopback."""

import threading
import time
from contextlib import contextmanager

import pytest
import requests
import spacy
from spacy.language import Language

from spacy_bertcrf.annotation.rows import Row
from spacy_bertcrf.teaching.decisions import DecisionFile

uvicorn = pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")
pytest.importorskip("fastapi", reason="the extra `serve` is not installed")


@Language.component("fails_at_boom")
def fails_at_boom(doc):
    if "boom" in doc.text:
        raise RuntimeError("boom is more than it bears")
    return doc


@Language.component("doubts_nan")
def doubts_nan(doc):
    doc.cats = {"good": float("nan" if doc.text == "nan" else 1)}
    return doc


class Server:
    """url: of the service. post: a request of /v1/entities."""

    def __init__(self, url):
        self.url = url

    def post(self, content, **settings):
        return requests.post(f"{self.url}/v1/entities", json=content, timeout=30, **settings)

    def get(self, path, **settings):
        return requests.get(self.url + path, timeout=30, **settings)


@contextmanager
def serving(readers, **settings):
    from spacy_bertcrf.serving.app import make_app

    config = uvicorn.Config(make_app(readers, **settings), port=0, log_level="warning")
    with running(uvicorn.Server(config)) as url:
        yield Server(url)


@contextmanager
def running(server):
    """A server of uvicorn in a thread of its own: its address."""
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def pipeline_folder(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served") / "model"
    trained.to_disk(folder)
    return folder


@pytest.fixture(scope="session")
def load(pipeline_folder):
    """The pipeline anew; what comes behind it fails at texts with "boom"."""

    def load():
        nlp = spacy.load(pipeline_folder)
        nlp.add_pipe("fails_at_boom")
        return nlp

    return load


@pytest.fixture
def reader(load):
    from spacy_bertcrf.serving.readings import Reader

    return Reader(load())


@pytest.fixture(scope="session")
def serve():
    """A service of readers, by name, with settings of `make_app`."""
    return serving


@pytest.fixture
def run_server():
    return running


@pytest.fixture(scope="module")
def server(load):
    """One for a file, which its tests may ask, and not change."""
    from spacy_bertcrf.serving.readings import Reader

    with serving({"model": Reader(load())}) as server:
        yield server


@pytest.fixture
def teach(load, tmp_path):
    """A session on some texts, and the pipeline that it is with."""
    from spacy_bertcrf.serving.readings import Reader
    from spacy_bertcrf.teaching.session import Teaching

    opened = []

    def teach(*texts, **settings):
        nlp = load()
        rows = [Row(f"raw:{i}", text, {}, f"raw:{i}") for i, text in enumerate(texts)]
        opened.append(DecisionFile(tmp_path / "saved.jsonl"))
        return Teaching(nlp, rows, opened[-1], **settings), {"model": Reader(nlp)}

    yield teach
    for file in opened:
        file.close()
