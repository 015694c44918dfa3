"""A service under load: words a second and how long a request takes, by the number of clients.

    SPACY_BERTCRF_REAL=FOLDER python benchmarks/serving.py cluener \
        --bert FOLDER/models/zh-char-bert-4l

With `--hostile N` instead, the resident memory of a service over N requests of texts that no
pipeline likes: new words by the thousand, half characters, control characters, markup, one word of
hundreds of letters, empty texts, bodies that are no requests.

Each client sends one text after the other over its own connection, each as soon as the one before
is answered; the clients are threads of two processes on the same machine, whose cores they share
with the service. Beside `python -m spacy bertcrf serve` is what people write: a FastAPI handler
that calls nlp(text), which runs in a pool of threads. `nlp.pipe` and `nlp(text)` are without HTTP,
in this order on the same texts. The layers above BERT have random weights.
"""

import argparse
import http.client
import json
import multiprocessing
import os
import random
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path

import torch
from peers import LANGUAGES, describe_machine, our_pipeline, read_dev
from turns import Setting, add_arguments, setting_of

from spacy_bertcrf.annotation.annotator import keep_scores

HEADERS = {"Content-Type": "application/json"}
N_PROCESSES = 2
CLIENTS = (1, 8, 64)


def main() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser, list(LANGUAGES), n_texts=400)
    parser.add_argument("--hostile", type=int, help="so many requests of hostile text instead")
    args = parser.parse_args()
    setting = setting_of(args)
    torch.set_num_threads(setting.threads)
    if args.hostile:
        measure_memory(setting, args.hostile)
        return
    docs = read_dev(setting.corpus, setting.n_texts)
    texts = [doc.text for doc in docs]
    n_words = sum(map(len, docs))
    nlp = our_pipeline(setting.corpus, setting.bert, docs)
    keep_scores(nlp)
    print(f"{len(texts)} texts of {setting.corpus}, {n_words} words; {describe_machine(setting)}")
    print("\n| | clients | words/s | of nlp.pipe | p50 ms | p95 ms | p99 ms |")
    print("|---|---|---|---|---|---|---|")
    list(nlp.pipe(texts))
    seconds = timed(lambda: list(nlp.pipe(texts)))
    limit = n_words / seconds
    row("nlp.pipe", None, limit, limit, [])
    times = [timed(lambda text=text: nlp(text)) for text in texts]
    row("nlp(text)", None, n_words / sum(times), limit, times)
    for name, serve in (("bertcrf serve", serve_ours), ("a handler with nlp(text)", serve_plainly)):
        for n_clients in CLIENTS:
            rate, times = loaded(serve, setting, texts, n_words, n_clients)
            row(name, n_clients, rate, limit, times)


def measure_memory(setting: Setting, n_requests: int) -> None:
    print(f"{n_requests:,} hostile requests, {describe_machine(setting)}")
    print("\n| requests | refused | resident MB of the service |\n|---|---|---|")
    service, port = started(serve_ours, setting)
    rng = random.Random(0)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    n_refused, n_steps = 0, 20
    for n in range(1, n_requests + 1):
        connection.request("POST", "/v1/entities", hostile_body(rng), HEADERS)
        answer = connection.getresponse()
        answer.read()
        n_refused += answer.status != 200
        assert answer.status < 500
        if n % max(1, n_requests // n_steps) == 0:
            print(f"| {n:,} | {n_refused:,} | {resident_mb(service.pid):.0f} |", flush=True)
    service.terminate()
    service.join()


def hostile_body(rng: random.Random) -> bytes:
    letters = [chr(rng.randrange(0x20, 0x2FA0)) for _ in range(rng.randrange(1, 120))]
    text = "".join(letter for letter in letters if letter.isprintable())
    kind = rng.randrange(8)
    if kind == 0:
        return rng.randbytes(200)
    if kind == 1:
        return b'{"text": "half \\ud83d a character"}'
    texts = {
        2: " ".join(f"{rng.getrandbits(64):x}" for _ in range(30)),
        3: "\x00\x07\u202e\ufeff" + text,
        4: "<script>alert(1)</script>" + text,
        5: "a" * rng.randrange(1, 600),
        6: "\n \t" * rng.randrange(50),
    }
    return json.dumps({"text": texts.get(kind, text), "k_best": 2 * (kind == 3)}).encode()


def resident_mb(process_id: int | None) -> float:
    """In MB of 10^6 bytes."""
    pages = int(Path(f"/proc/{process_id}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


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


def loaded(
    serve: Callable, setting: Setting, texts: list[str], n_words: int, n_clients: int
) -> tuple[float, list[float]]:
    """Words a second, and the seconds of each request."""
    context = multiprocessing.get_context("spawn")
    service, port = started(serve, setting)
    send(port, texts[:50], min(n_clients, 8))  # it warms up
    parts = [texts[i::N_PROCESSES] for i in range(N_PROCESSES)] if n_clients > 1 else [texts]
    begin = context.Event()
    answers = context.Queue()
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
    service.terminate()
    service.join()
    return n_words / elapsed, times


def started(serve: Callable, setting: Setting) -> tuple[multiprocessing.process.BaseProcess, int]:
    """The process of a service, and its port."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    service = context.Process(target=serve, args=(setting, theirs), daemon=True)
    service.start()
    return service, ours.recv()


def run_clients(port: int, texts: list[str], n: int, begin, answers) -> None:
    answers.put(None)
    begin.wait()
    answers.put(send(port, texts, n))


def send(port: int, texts: list[str], n: int) -> list[float]:
    times: list[float] = []

    def client(own: list[str]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for text in own:
            start = time.perf_counter()
            body = json.dumps({"text": text})
            connection.request("POST", "/v1/entities", body, HEADERS)
            answer = connection.getresponse()
            json.loads(answer.read())
            assert answer.status == 200
            times.append(time.perf_counter() - start)

    threads = [threading.Thread(target=client, args=(texts[i::n],)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def serve_ours(setting: Setting, ready) -> None:
    from spacy_bertcrf.serving.app import make_app
    from spacy_bertcrf.serving.readings import Reader

    run_server(make_app({"model": Reader(pipeline(setting))}), ready)


def serve_plainly(setting: Setting, ready) -> None:
    from fastapi import FastAPI
    from pydantic import BaseModel

    class Asked(BaseModel):
        text: str

    nlp = pipeline(setting)
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

    run_server(app, ready)


def pipeline(setting: Setting):
    torch.set_num_threads(setting.threads)
    return our_pipeline(setting.corpus, setting.bert, read_dev(setting.corpus, setting.n_texts))


def run_server(app, ready) -> None:
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", access_log=False))

    def tell() -> None:
        while not server.started:
            time.sleep(0.01)
        ready.send(server.servers[0].sockets[0].getsockname()[1])

    threading.Thread(target=tell).start()
    server.run()


if __name__ == "__main__":
    main()
