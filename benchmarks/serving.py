"""A service under load: words a second and how long a request takes, by the number of clients.

    SPACY_BERTCRF_REAL=FOLDER python benchmarks/serving.py cluener \
        --bert FOLDER/models/zh-char-bert-4l

The clients are in two processes on the same machine, whose cores they share with the service; each
sends the next text as soon as its last is answered, for a few seconds. Beside `python -m spacy
bertcrf serve` is what people write: a FastAPI handler that calls nlp(text), which runs in a pool of
threads. `nlp.pipe` and `nlp(text)` are without HTTP, on the same texts. All warm up, and then have
their turns, in every other round the other way round; told are medians, and the least and the
largest share of what nlp.pipe had in the same round. The layers above BERT have random weights, and
find an entity in every third token, unless --pipeline names one that is trained.
"""

import argparse
import itertools
import multiprocessing
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import spacy
import torch
from clients import send_texts
from peers import LANGUAGES, describe_machine, our_pipeline, read_dev
from spacy.language import Language
from turns import Setting, add_arguments, setting_of

from spacy_bertcrf.annotation.annotator import keep_scores

N_PROCESSES = 2
SECONDS = 3.0  # of a turn
PIPE = "nlp.pipe"
SERVICES = ("bertcrf serve", "a handler with nlp(text)")


def main() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser, list(LANGUAGES), n_texts=600)
    parser.add_argument("--pipeline", help="its folder")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--services", choices=SERVICES, nargs="+", default=SERVICES)
    args = parser.parse_args()
    setting = setting_of(args)
    torch.set_num_threads(setting.threads)
    texts = [Text(doc.text, len(doc)) for doc in read_dev(setting.corpus, setting.n_texts)]
    nlp = pipeline(setting, args.pipeline)
    keep_scores(nlp)
    ports = {name: started(name, setting, args.pipeline) for name in args.services}
    loads: dict[tuple[str, int | None], Callable[[], Load]] = {
        (PIPE, None): lambda: read_together(nlp, texts),
        ("nlp(text)", None): lambda: read_alone(nlp, texts),
    }
    for name, n_clients in itertools.product(args.services, args.clients):
        loads[name, n_clients] = lambda at=ports[name], n=n_clients: loaded(at, texts, n)
    for load in loads.values():
        load()
    turns: dict[tuple[str, int | None], list[Load]] = {key: [] for key in loads}
    order = list(loads)
    for _ in range(args.rounds):
        order.reverse()
        for key in order:
            turns[key].append(loads[key]())
    n_words = sum(text.n_words for text in texts)
    print(f"{len(texts)} texts of {setting.corpus}, {n_words} words; {describe_machine(setting)}")
    print("\n| | clients | words/s | of nlp.pipe | p50 ms | p95 ms | p99 ms |")
    print("|---|---|---|---|---|---|---|")
    for (name, n_clients), of_name in turns.items():
        rates = [load.rate for load in of_name]
        shares = [
            load.rate / pipe.rate for load, pipe in zip(of_name, turns[PIPE, None], strict=True)
        ]
        parts = [name, n_clients or "", f"{statistics.median(rates):,.0f}"]
        parts += [f"{statistics.median(shares):.2f} ({min(shares):.2f} to {max(shares):.2f})"]
        times = [seconds for load in of_name for seconds in load.times]
        cuts = statistics.quantiles(times, n=100) if times else []
        parts += [f"{1000 * cuts[at - 1]:.1f}" if cuts else "" for at in (50, 95, 99)]
        print(f"| {' | '.join(map(str, parts))} |", flush=True)


class Text(NamedTuple):
    text: str
    n_words: int


class Load(NamedTuple):
    """rate: words a second. times: the seconds of each text."""

    rate: float
    times: list[float]


def read_together(nlp: Language, texts: Sequence[Text]) -> Load:
    start = time.perf_counter()
    for _ in nlp.pipe(text.text for text in texts):
        pass
    return Load(sum(text.n_words for text in texts) / (time.perf_counter() - start), [])


def read_alone(nlp: Language, texts: Sequence[Text]) -> Load:
    times, turn = [], Turn(texts)
    for text in turn:
        start = time.perf_counter()
        nlp(text)
        times.append(time.perf_counter() - start)
    return Load(turn.n_words / sum(times), times)


class Turn:
    """Texts, again and again, for so long."""

    def __init__(self, texts: Sequence[Text], seconds: float = SECONDS):
        self.n_words = 0
        self._texts = texts
        self._end = time.perf_counter() + seconds

    def __iter__(self) -> Iterator[str]:
        for text in itertools.cycle(self._texts):
            if time.perf_counter() > self._end:
                return
            self.n_words += text.n_words
            yield text.text


def loaded(port: int, texts: Sequence[Text], n_clients: int) -> Load:
    """What clients in processes of their own measure."""
    context = multiprocessing.get_context("spawn")
    n_processes = min(N_PROCESSES, n_clients)
    begin, answers = context.Event(), context.Queue()
    clients = [
        context.Process(
            target=run_clients, args=(port, texts, n_clients // n_processes, begin, answers)
        )
        for _ in range(n_processes)
    ]
    for client in clients:
        client.start()
    for _ in clients:
        answers.get()  # ready
    start = time.perf_counter()
    begin.set()
    told = [answers.get() for _ in clients]
    elapsed = time.perf_counter() - start
    for client in clients:
        client.join()
    return Load(sum(n_words for n_words, _ in told) / elapsed, [t for _, ts in told for t in ts])


def run_clients(port: int, texts: Sequence[Text], n: int, begin, answers) -> None:
    answers.put(None)
    begin.wait()
    turn = Turn(texts)
    times = send_texts(port, turn, n)
    answers.put((turn.n_words, times))


def started(name: str, setting: Setting, trained: str | None) -> int:
    """The port of a service in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    serve = dict(zip(SERVICES, (serve_ours, serve_plainly), strict=True))[name]
    service = context.Process(target=serve, args=(setting, trained, theirs), daemon=True)
    service.start()
    return ours.recv()


def serve_ours(setting: Setting, trained: str | None, ready) -> None:
    from spacy_bertcrf.serving.app import make_app
    from spacy_bertcrf.serving.readings import Reader
    from spacy_bertcrf.serving.server import Server

    app = make_app({"model": Reader(pipeline(setting, trained))}, hosts=["127.0.0.1"])
    run_server(Server(app), ready)


def serve_plainly(setting: Setting, trained: str | None, ready) -> None:
    import uvicorn
    from fastapi import FastAPI
    from pydantic import BaseModel

    class Asked(BaseModel):
        text: str

    nlp = pipeline(setting, trained)
    keep_scores(nlp)
    app = FastAPI()

    @app.post("/v1/entities")
    def entities(asked: Asked) -> dict:
        doc = nlp(asked.text)
        return {
            "entities": [
                {"start": ent.start_char, "end": ent.end_char, "label": ent.label_}
                for ent in doc.ents
            ]
        }

    config = uvicorn.Config(app, port=0, log_level="warning", access_log=False)
    run_server(uvicorn.Server(config), ready)


def pipeline(setting: Setting, trained: str | None):
    torch.set_num_threads(setting.threads)
    if trained is not None:
        return spacy.load(trained)
    return our_pipeline(setting.corpus, setting.bert, read_dev(setting.corpus, setting.n_texts))


def run_server(server, ready) -> None:
    def tell() -> None:
        while not server.started:
            time.sleep(0.01)
        ready.send(server.servers[0].sockets[0].getsockname()[1])

    threading.Thread(target=tell).start()
    server.run()


if __name__ == "__main__":
    main()
