"""A service under load: words a second and how long a request takes, by the number of clients.

    SPACY_BERTCRF_REAL=FOLDER python benchmarks/serving.py cluener \
        --bert FOLDER/models/zh-char-bert-4l

The clients are in two processes on the same machine, whose cores they share with the service; each
sends the next text as soon as its last is answered, 200 at most by client. Beside `python -m spacy
bertcrf serve` is what people write: a FastAPI handler that calls nlp(text), which runs in a pool of
threads. `nlp.pipe` and `nlp(text)` are without HTTP, on the same texts. All have read the texts
once before, together, when the time begins. The layers above BERT have random weights, and find an
entity in every third token, unless --pipeline names one that is trained.
"""

import argparse
import multiprocessing
import statistics
import threading
import time
from collections.abc import Callable

import spacy
import torch
from clients import send_texts
from peers import LANGUAGES, describe_machine, our_pipeline, read_dev
from turns import Setting, add_arguments, setting_of

from spacy_bertcrf.annotation.annotator import keep_scores

N_PROCESSES = 2
TEXTS_OF_A_CLIENT = 200
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
    docs = read_dev(setting.corpus, setting.n_texts)
    nlp = pipeline(setting, args.pipeline)
    keep_scores(nlp)
    n_words = sum(map(len, docs))
    print(f"{len(docs)} texts of {setting.corpus}, {n_words} words; {describe_machine(setting)}")
    print("\n| | clients | words/s | of nlp.pipe | p50 ms | p95 ms | p99 ms |")
    print("|---|---|---|---|---|---|---|")
    texts = [doc.text for doc in docs]
    list(nlp.pipe(texts))
    limit = n_words / timed(lambda: list(nlp.pipe(texts)))
    row("nlp.pipe", None, limit, limit, [])
    alone = docs[:TEXTS_OF_A_CLIENT]
    times = [timed(lambda doc=doc: nlp(doc.text)) for doc in alone]
    row("nlp(text)", None, sum(map(len, alone)) / sum(times), limit, times)
    for name in args.services:
        service, port = started(name, setting, args.pipeline)
        send_texts(port, texts, max(args.clients))  # it warms up, as nlp.pipe has
        for n_clients in args.clients:
            sent = docs[: n_clients * TEXTS_OF_A_CLIENT]
            seconds, times = loaded(port, [doc.text for doc in sent], n_clients)
            row(name, n_clients, sum(map(len, sent)) / seconds, limit, times)
        service.terminate()
        service.join()


def timed(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def row(name: str, clients: int | None, rate: float, limit: float, times: list[float]) -> None:
    parts = [name, clients or "", f"{rate:,.0f}", f"{rate / limit:.2f}"]
    if times:
        cuts = statistics.quantiles(times, n=100)
        parts += [f"{1000 * cuts[at - 1]:.1f}" for at in (50, 95, 99)]
    print("| " + " | ".join(map(str, [*parts, "", "", ""][:7])) + " |", flush=True)


def loaded(port: int, texts: list[str], n_clients: int) -> tuple[float, list[float]]:
    """The seconds of all, and of each request."""
    context = multiprocessing.get_context("spawn")
    parts = [texts[i::N_PROCESSES] for i in range(N_PROCESSES)] if n_clients > 1 else [texts]
    begin, answers = context.Event(), context.Queue()
    clients = [
        context.Process(
            target=run_clients, args=(port, part, n_clients // len(parts), begin, answers)
        )
        for part in parts
    ]
    for client in clients:
        client.start()
    for _ in clients:
        answers.get()  # ready
    start = time.perf_counter()
    begin.set()
    times = [seconds for _ in clients for seconds in answers.get()]
    elapsed = time.perf_counter() - start
    for client in clients:
        client.join()
    return elapsed, times


def started(
    name: str, setting: Setting, trained: str | None
) -> tuple[multiprocessing.process.BaseProcess, int]:
    """The process of a service, and its port."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    serve = dict(zip(SERVICES, (serve_ours, serve_plainly), strict=True))[name]
    service = context.Process(target=serve, args=(setting, trained, theirs), daemon=True)
    service.start()
    return service, ours.recv()


def run_clients(port: int, texts: list[str], n: int, begin, answers) -> None:
    answers.put(None)
    begin.wait()
    answers.put(send_texts(port, texts, n))


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
