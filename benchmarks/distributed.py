"""Words a second of several processes that train together, what they send, and what that would
give on GPUs.

    SPACY_BERTCRF_REAL=FOLDER python benchmarks/distributed.py cluener \
        --bert FOLDER/models/zh-char-bert-4l --processes 2

One process and several take turns, each process with one thread: several on the same batches as
one, and on batches so many times as large, of which each has as much as one alone. What each sends
in a step is compared with the size of what is trained; with --freeze BERT stands still.

The estimate is for n GPUs, each with a batch as large as one alone would have:

    speed-up = n · t / (t + c),   c = 2 · (n − 1) / n · bytes / bandwidth

t being the time of a step on one GPU (--step-seconds, or 6 · parameters · tokens / FLOP/s) and c
that of a ring all-reduce that nothing overlaps with, by its slowest link.
"""

import argparse
import os
import socket
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import torch
from peers import LANGUAGES, describe_machine, examples_for, our_pipeline, read_dev
from thinc.api import fix_random_seed
from turns import Setting, add_arguments, setting_of

from spacy_bertcrf.training.distributed import ProcessRanks, join
from spacy_bertcrf.training.optimizer.adamw import AdamW
from spacy_bertcrf.training.piece_batches import batch_by_pieces
from spacy_bertcrf.training.ranks import ALONE, Ranks

MAX_PIECES = 1600
# Of NCCL's all-reduce, per GPU: NVLink of an A100 or H100, and Ethernet of 25 Gbit/s.
NVLINK, ETHERNET = 200e9, 25e9 / 8
BERT_BASE = 102_267_648


class Sizes(NamedTuple):
    """What is trained, what there is, and what a step sent, in bytes; and the steps of a turn."""

    trained: int
    whole: int
    sent: int
    steps: int


def main() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser, list(LANGUAGES), n_texts=256)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--freeze", action="store_true", help="do not train BERT")
    parser.add_argument("--step-seconds", type=float, help="of BERT-base on one GPU")
    parser.add_argument("--tokens", type=int, default=8192, help="of a step on one GPU")
    parser.add_argument("--tflops", type=float, default=60.0, help="that one GPU sustains")
    args = parser.parse_args()
    setting = setting_of(args)._replace(threads=1)
    n = args.processes
    turns = [(1, MAX_PIECES), (n, MAX_PIECES), (n, n * MAX_PIECES)]
    groups = {turn: start(*turn, setting, args.freeze) for turn in turns}
    seconds: dict[tuple[int, int], list[float]] = {turn: [] for turn in turns}
    order = list(groups)
    for _ in range(args.rounds):
        order.reverse()
        for turn in order:
            seconds[turn].append(take_turn(groups[turn]))
    n_words = sum(map(len, read_dev(setting.corpus, setting.n_texts)))
    print(f"{setting.n_texts} texts of {setting.corpus}, {n_words} words, {args.rounds} rounds")
    print(describe_machine(setting))
    print("\n| processes | wordpieces of a batch | words/s | times one |\n|---|---|---|---|")
    alone = statistics.median(seconds[turns[0]])
    for (size, max_pieces), found in seconds.items():
        median = statistics.median(found)
        print(f"| {size} | {max_pieces} | {n_words / median:.0f} | {alone / median:.2f} |")
    sizes = [stop(connections) for connections in groups.values()][-1]
    print(
        f"\nEach process sends {sizes.sent / 1e6:.2f} MB of gradients a step; trained are "
        f"{sizes.trained / 1e6:.2f} MB of {sizes.whole / 1e6:.2f} MB of weights. "
        f"{sizes.steps} steps a turn."
    )
    print_estimate(args.step_seconds or 6 * BERT_BASE * args.tokens / (args.tflops * 1e12))


def print_estimate(step: float) -> None:
    """step: the time of one on one GPU, in seconds."""
    n_bytes = 4 * BERT_BASE
    print(f"\nEstimate for BERT-base, {n_bytes / 1e6:.0f} MB of gradients, {step:.3f} s a step:")
    print("\n| GPUs | all-reduce, s | times one GPU |\n|---|---|---|")
    for name, n, bandwidth in (("4, NVLink", 4, NVLINK), ("2 × 4, 25 Gbit/s", 8, ETHERNET)):
        exchange = 2 * (n - 1) / n * n_bytes / bandwidth
        print(f"| {name} | {exchange:.3f} | {n * step / (step + exchange):.2f} |")


def start(size: int, max_pieces: int, setting: Setting, freeze: bool) -> list[Connection]:
    """Start the processes that train together; they are warm when this comes back."""
    context = get_context("spawn")
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    connections = []
    for rank in range(size):
        ours, theirs = context.Pipe()
        arguments = (rank, size, port, max_pieces, setting, freeze, theirs)
        context.Process(target=_serve, args=arguments, daemon=True).start()
        theirs.close()
        connections.append(ours)
    for connection in connections:
        connection.recv()
    return connections


def take_turn(connections: list[Connection]) -> float:
    """The seconds that the slowest took."""
    for connection in connections:
        connection.send("run")
    return max(connection.recv() for connection in connections)


def stop(connections: list[Connection]) -> Sizes:
    """End the processes; what the first one sent."""
    for connection in connections:
        connection.send("stop")
    sizes: list[Sizes] = [connection.recv() for connection in connections]
    return sizes[0]


def _serve(
    rank: int,
    size: int,
    port: int,
    max_pieces: int,
    setting: Setting,
    freeze: bool,
    connection: Connection,
) -> None:
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(size), LOCAL_RANK=str(rank))
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    with ExitStack() as stack:
        ranks: Ranks = ALONE
        if size > 1:
            ranks = ProcessRanks(stack.enter_context(join(600, use_gpu=False)))
        docs = read_dev(setting.corpus, setting.n_texts)
        fix_random_seed(0)  # all processes are to make the same batches
        nlp = our_pipeline(setting.corpus, setting.bert, docs)
        component: Any = nlp.get_pipe("bertcrf")
        component.model.attrs["freeze_tok2vec"] = freeze
        if freeze:
            for node in component.model.get_ref("tok2vec").walk():
                for shim in node.shims:
                    shim._model.requires_grad_(False)
        ranks.begin(nlp)
        batches = list(batch_by_pieces(max_pieces, setting.bert)(examples_for(nlp, docs)))
        run = _training(nlp, batches, ranks)
        run()
        connection.send("warm")
        while connection.recv() == "run":
            begin = time.perf_counter()
            run()
            connection.send(time.perf_counter() - begin)
        parameters = [
            parameter
            for node in component.model.walk()
            for shim in node.shims
            for parameter in shim._model.parameters()
        ]
        connection.send(
            Sizes(
                sum(4 * p.numel() for p in parameters if p.requires_grad),
                sum(4 * p.numel() for p in parameters),
                getattr(ranks, "bytes_sent", 0),
                len(batches),
            )
        )


def _training(nlp: Any, batches: list, ranks: Ranks) -> Callable[[], None]:
    optimizer = AdamW(1e-5)

    def run() -> None:
        for batch in batches:
            ranks.update(nlp, batch, losses={}, drop=0.1, sgd=False)
            with ranks.step(nlp, []):
                nlp.get_pipe("bertcrf").finish_update(optimizer)
            optimizer.step_schedules()

    return run


if __name__ == "__main__":
    main()
