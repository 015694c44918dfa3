"""Times several programs in turns, each in a process of its own."""

import argparse
import statistics
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import NamedTuple

import spacy
import torch
from memory import peak_mb


class Setting(NamedTuple):
    """What all programs are given.

    corpus, n_texts: the first texts of which development set.
    bert: the folder of the BERT.
    threads: of torch.
    gpu_id: -1 for the CPU.
    """

    corpus: str
    n_texts: int
    bert: str
    threads: int
    gpu_id: int

    @property
    def device(self) -> torch.device:
        return torch.device("cpu" if self.gpu_id < 0 else f"cuda:{self.gpu_id}")


class Result(NamedTuple):
    """seconds: of a turn, the median. peak_mb: of resident memory, in MB of 10^6 bytes."""

    seconds: float
    peak_mb: float


Program = Callable[[Setting], Callable[[], object]]
"""Prepares, and returns what is to be timed."""


def take_turns(programs: dict[str, Program], setting: Setting, rounds: int) -> dict[str, Result]:
    """Let every program warm up, and then have its turns; what is first in one round is last in
    the next. Programs that raise ImportError are left out, and named."""
    context = get_context("spawn")
    runners = {}
    for name, program in programs.items():
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(program, setting, theirs), daemon=True)
        process.start()
        theirs.close()
        missing = ours.recv()
        if missing:
            print(f"{name}: left out, {missing}")
        else:
            runners[name] = ours
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    order = list(runners)
    for _ in range(rounds):
        order.reverse()
        for name in order:
            runners[name].send("run")
            seconds[name].append(runners[name].recv())
    results = {}
    for name, connection in runners.items():
        connection.send("stop")
        results[name] = Result(statistics.median(seconds[name]), connection.recv())
    return results


def print_table(results: dict[str, Result], n_words: int, reference: str, seconds: float) -> None:
    """Words a second and peak memory of each program, as Markdown.

    reference, seconds: what all are compared with, and the time that it takes.
    """
    print(f"\n| | words/s | of the {reference} | peak MB |\n|---|---|---|---|")
    for name, result in results.items():
        rate, share = n_words / result.seconds, seconds / result.seconds
        print(f"| {name} | {rate:.0f} | {share:.2f} | {result.peak_mb:.0f} |")


def _serve(program: Program, setting: Setting, connection: Connection) -> None:
    torch.set_num_threads(setting.threads)
    if setting.gpu_id >= 0:
        spacy.require_gpu(setting.gpu_id)
    try:
        run = program(setting)
    except ImportError as error:
        connection.send(str(error))
        return
    run()
    connection.send("")
    while connection.recv() == "run":
        start = time.perf_counter()
        run()
        if setting.gpu_id >= 0:
            torch.cuda.synchronize()
        connection.send(time.perf_counter() - start)
    connection.send(peak_mb())


def add_arguments(parser: argparse.ArgumentParser, corpora: list[str], n_texts: int) -> None:
    """The command line that the benchmarks share."""
    parser.add_argument("corpus", choices=corpora)
    parser.add_argument("--bert", required=True, help="folder of the BERT")
    parser.add_argument("--texts", type=int, default=n_texts, help="read the first so many")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--gpu-id", type=int, default=-1)


def setting_of(args: argparse.Namespace) -> Setting:
    """The setting that the command line asks for."""
    return Setting(args.corpus, args.texts, args.bert, args.threads, args.gpu_id)
