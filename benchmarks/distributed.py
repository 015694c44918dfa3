"""Words a second of several processes that train together, what they send, and what that would
give on GPUs.

    SPACY_BERTCRF_REAL=FOLDER python benchmarks/distributed.py cluener \
        --bert FOLDER/models/zh-char-bert-4l --processes 2

One process and several take turns, each process with one thread: several on the same batches as
one, and on batches so many times as large, of which each has as much as one alone. Several exchange
their gradients during the backward pass, as a training does, after it, and during it in bfloat16.
With --gbit 1 the two processes are in network namespaces (Linux, as root), with a link of so many
Gbit/s between them. With --freeze BERT stands still.

What it would be on GPUs is computed by estimate.py.
"""

import argparse
import os
import socket
import statistics
import time
from contextlib import ExitStack, closing
from functools import cache
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import torch
from namespaces import ADDRESS, enter, linked_namespaces
from peers import LANGUAGES, describe_machine, examples_for, our_pipeline, read_dev
from thinc.api import fix_random_seed
from turns import Setting, add_arguments, setting_of

from spacy_bertcrf.training.distributed import ProcessRanks, join
from spacy_bertcrf.training.optimizer.adamw import AdamW
from spacy_bertcrf.training.piece_batches import batch_by_pieces
from spacy_bertcrf.training.ranks import ALONE, Ranks

MAX_PIECES = 1600
AFTER, DURING, COMPRESSED = "after the backward pass", "during it", "during it, bfloat16"
WAYS = (AFTER, DURING, COMPRESSED)


class Options(NamedTuple):
    """How BERT is trained."""

    freeze: bool
    mixed_precision: bool


class Turn(NamedTuple):
    """A pass over the texts: by how many processes, in batches of how many wordpieces, and when
    and how these exchange their gradients."""

    size: int
    max_pieces: int
    exchange: str


class Sizes(NamedTuple):
    """What is trained, what there is, and what the last step of a turn sent, in bytes."""

    trained: int
    whole: int
    sent: dict[Turn, int]


def main() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser, list(LANGUAGES), n_texts=256)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--freeze", action="store_true", help="do not train BERT")
    parser.add_argument("--mixed-precision", action="store_true")
    parser.add_argument(
        "--multiples", type=int, nargs="+", help="of the batches of one process; else 1 and n"
    )
    parser.add_argument("--gbit", type=float, help="of a link between two processes, Gbit/s")
    args = parser.parse_args()
    setting = setting_of(args)._replace(threads=1)
    n = args.processes
    if args.gbit and n != 2:
        parser.error("--gbit is for two processes")
    turns = [Turn(1, MAX_PIECES, AFTER)]
    multiples = args.multiples or [1, n]
    turns += [Turn(n, times * MAX_PIECES, way) for times in multiples for way in WAYS]
    seconds: dict[Turn, list[float]] = {turn: [] for turn in turns}
    options = Options(args.freeze, args.mixed_precision)
    with ExitStack() as stack:
        names = stack.enter_context(linked_namespaces(args.gbit)) if args.gbit else []
        groups = {1: start(1, [], setting, options), n: start(n, names, setting, options)}
        for turn in turns:  # to warm up
            take_turn(groups[turn.size], turn)
        for _ in range(args.rounds):
            turns.reverse()
            for turn in turns:
                seconds[turn].append(take_turn(groups[turn.size], turn))
        sizes = [stop(connections) for connections in groups.values()][-1]
    n_words = sum(map(len, read_dev(setting.corpus, setting.n_texts)))
    print(f"{setting.n_texts} texts of {setting.corpus}, {n_words} words, {args.rounds} rounds")
    print(describe_machine(setting))
    print("\n| processes | wordpieces of a batch | exchange | words/s | times one | MB sent |")
    print("|---|---|---|---|---|---|")
    alone = statistics.median(seconds[Turn(1, MAX_PIECES, AFTER)])
    for turn, found in seconds.items():
        median = statistics.median(found)
        exchange = turn.exchange if turn.size > 1 else ""
        mb = sizes.sent.get(turn, 0) / 1e6
        print(
            f"| {turn.size} | {turn.max_pieces} | {exchange} | {n_words / median:.0f} "
            f"| {alone / median:.2f} | {mb:.2f} |"
        )
    print(
        f"\nTrained are {sizes.trained / 1e6:.2f} MB of {sizes.whole / 1e6:.2f} MB of weights. MB "
        "sent are of gradients, by each process in its last step."
    )


def start(size: int, names: list[str], setting: Setting, options: Options) -> list[Connection]:
    """Start the processes that train together; they are ready when this comes back.

    names: of the namespaces that they are in, if in any.
    """
    context = get_context("spawn")
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    connections = []
    for rank in range(size):
        ours, theirs = context.Pipe()
        address = (names[rank], ADDRESS, port) if names else ("", "127.0.0.1", port)
        arguments = (rank, size, address, setting, options, theirs)
        context.Process(target=_serve, args=arguments, daemon=True).start()
        theirs.close()
        connections.append(ours)
    for connection in connections:
        connection.recv()
    return connections


def take_turn(connections: list[Connection], turn: Turn) -> float:
    """The seconds that the slowest took."""
    for connection in connections:
        connection.send(turn)
    return max(connection.recv() for connection in connections)


def stop(connections: list[Connection]) -> Sizes:
    """End the processes; what the first one sent."""
    for connection in connections:
        connection.send(None)
    sizes: list[Sizes] = [connection.recv() for connection in connections]
    return sizes[0]


def _serve(
    rank: int,
    size: int,
    address: tuple[str, str, int],
    setting: Setting,
    options: Options,
    connection: Connection,
) -> None:
    namespace, host, port = address
    if namespace:
        enter(namespace)
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(size), LOCAL_RANK=str(rank))
    os.environ.update(MASTER_ADDR=host, MASTER_PORT=str(port))
    with ExitStack() as stack:
        ranks: dict[str, Ranks] = dict.fromkeys(WAYS, ALONE)
        if size > 1:
            group = stack.enter_context(join(600, use_gpu=False))
            ranks = dict.fromkeys(WAYS, ProcessRanks(group))
            ranks[COMPRESSED] = ProcessRanks(group, torch.bfloat16)
        docs = read_dev(setting.corpus, setting.n_texts)
        fix_random_seed(0)  # all processes are to make the same batches
        nlp = our_pipeline(setting.corpus, setting.bert, docs, options.mixed_precision)
        component: Any = nlp.get_pipe("bertcrf")
        component.model.attrs["freeze_tok2vec"] = options.freeze
        if options.freeze:
            for node in component.model.get_ref("tok2vec").walk():
                for shim in node.shims:
                    shim._model.requires_grad_(False)
        ranks[DURING].begin(nlp)
        batches = cache(
            lambda max_pieces: list(
                batch_by_pieces(max_pieces, setting.bert)(examples_for(nlp, docs))
            )
        )
        optimizer = AdamW(1e-5)
        sent: dict[Turn, int] = {}
        connection.send("ready")
        while turn := connection.recv():
            begin = time.perf_counter()
            _train(nlp, batches(turn.max_pieces), ranks[turn.exchange], turn.exchange, optimizer)
            connection.send(time.perf_counter() - begin)
            sent[turn] = getattr(ranks[turn.exchange], "bytes_sent", 0)
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
                sent,
            )
        )


def _train(nlp: Any, batches: list, ranks: Ranks, exchange: str, optimizer: Any) -> None:
    for batch in batches:
        # An update that is not the last of its step begins no exchange.
        is_last = exchange != AFTER
        ranks.update(nlp, batch, is_last=is_last, losses={}, drop=0.1, sgd=False)
        with ranks.step(nlp, []):
            nlp.get_pipe("bertcrf").finish_update(optimizer)
        optimizer.step_schedules()


if __name__ == "__main__":
    main()
