"""The CRF side by side with others: time, ATen operations, peak memory.

    OMP_NUM_THREADS=1 python benchmarks/crf.py

Peers: pytorch-crf, which ours extends, and the CRFs of flair and of bert4torch where they are
installed. All get the same float32 emissions, tags and ragged lengths and the same threads; they
take turns, and a figure is the median of all turns but the first. Memory is read from /proc, so
on Linux only.
"""

import argparse
import importlib.util
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import torch
import torchcrf
from memory import forget_peak, peak_mb, resident_mb
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from spacy_bertcrf.layers import LinearChainCRF

SIZES = [(32, 64, 21), (32, 64, 41), (32, 512, 41), (128, 64, 41), (8, 2048, 41)]
COUNTED = (32, 512, 41)
# The gradient of flair's loss takes time with the square of the length: 44 s at 512.
LONGEST_FOR_FLAIR = 64
OURS, REFERENCE, FLAIR = "spacy-bertcrf", "pytorch-crf", "flair"
LOSS, DECODE, MARGINALS = "loss + gradient", "decode", "marginals"
Tasks = dict[str, Callable[[], object]]


class Batch(NamedTuple):
    """emissions: (batch, length, tags). gold, mask: (batch, length). lengths: (batch,), longest
    first, as flair needs them."""

    emissions: Tensor
    gold: Tensor
    mask: Tensor
    lengths: Tensor


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare linear-chain CRFs.")
    parser.add_argument("--turns", type=int, default=8, help="runs of each task, the first untimed")
    parser.add_argument("--memory-of", choices=PEERS, help="print the memory of one CRF, in MB")
    options = parser.parse_args()
    if options.memory_of:
        print(memory_of(options.memory_of))
        return
    print(f"{processor()}, {torch.get_num_threads()} of its threads, torch {torch.__version__}")
    for name in PEERS:
        installed = importlib.util.find_spec(MODULES[name]) is not None
        print(f"  {name} {version(name) if installed else 'is not installed: left out'}")
    for size in SIZES:
        compare_times(size, options.turns)
    compare_operations()
    compare_memory()


def compare_times(size: tuple[int, int, int], turns: int) -> None:
    print(f"\n{'×'.join(map(str, size))} (batch × length × tags)")
    tasks = all_tasks(size)
    seconds: dict[tuple[str, str], list[float]] = {key: [] for key in tasks}
    for _ in range(turns):
        for key, task in tasks.items():
            started = time.perf_counter()
            task()
            seconds[key].append(time.perf_counter() - started)
    medians = {key: statistics.median(times[1:]) for key, times in seconds.items()}
    for (job, name), median in medians.items():
        if job == MARGINALS:
            note = f"{median / medians[LOSS, OURS]:6.2f} times our {LOSS}"
        elif name == REFERENCE:
            note = ""
        else:
            note = f"{medians[job, REFERENCE] / median:6.2f} times the speed of {REFERENCE}"
        print(f"  {job:<17}{name:<15}{median * 1e3:9.2f} ms {note}")


def compare_operations() -> None:
    print(f"\nATen operations at {'×'.join(map(str, COUNTED))}, views included")
    for (job, name), task in all_tasks(COUNTED).items():
        with profile(activities=[ProfilerActivity.CPU]) as profiler:
            task()
        averages = profiler.key_averages()
        count = sum(event.count for event in averages if event.key.startswith("aten::"))
        print(f"  {job:<17}{name:<15}{count:9d}")


def compare_memory() -> None:
    print(f"\nPeak memory of {LOSS} at {'×'.join(map(str, COUNTED))}, in a process of its own")
    for name in (REFERENCE, OURS):
        command = [sys.executable, __file__, "--memory-of", name]
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        print(f"  {name:<15}{float(found):9.1f} MB")


def memory_of(name: str) -> float:
    """MB of 10^6 bytes by which the resident memory grows at its highest."""
    PEERS[name](make_batch((2, 4, 5)))[LOSS]()
    task = PEERS[name](make_batch(COUNTED))[LOSS]
    forget_peak()
    before = resident_mb()
    task()
    return peak_mb() - before


def all_tasks(size: tuple[int, int, int]) -> dict[tuple[str, str], Callable[[], object]]:
    batch = make_batch(size)
    made = {
        name: make(batch)
        for name, make in PEERS.items()
        if importlib.util.find_spec(MODULES[name])
        and (name != FLAIR or size[1] <= LONGEST_FOR_FLAIR)
    }
    return {
        (job, name): tasks[job]
        for job in (LOSS, DECODE, MARGINALS)
        for name, tasks in made.items()
        if job in tasks
    }


def make_batch(size: tuple[int, int, int]) -> Batch:
    batch, length, tags = size
    torch.manual_seed(0)
    lengths = torch.randint(length // 4, length + 1, (batch,)).sort(descending=True).values
    lengths[0] = length
    mask = torch.arange(length) < lengths[:, None]
    emissions = torch.randn(batch, length, tags, requires_grad=True)
    return Batch(emissions, torch.randint(tags, mask.shape), mask, lengths)


def ours(batch: Batch) -> Tasks:
    crf = LinearChainCRF(batch.emissions.shape[2], batch_first=True)
    return torchcrf_tasks(crf, batch) | {
        MARGINALS: lambda: crf.marginals(batch.emissions, batch.mask)
    }


def pytorch_crf(batch: Batch) -> Tasks:
    return torchcrf_tasks(torchcrf.CRF(batch.emissions.shape[2], batch_first=True), batch)


def torchcrf_tasks(crf: torchcrf.CRF, batch: Batch) -> Tasks:
    emissions, gold, mask, _ = batch
    return {
        LOSS: lambda: step(crf, emissions, lambda: -crf(emissions, gold, mask)),
        DECODE: lambda: without_gradient(lambda: crf.decode(emissions, mask)),
    }


def bert4torch(batch: Batch) -> Tasks:
    from bert4torch.layers.crf import CRF

    emissions, gold, mask, _ = batch
    crf = CRF(emissions.shape[2])
    return {
        LOSS: lambda: step(crf, emissions, lambda: crf(emissions, mask, gold, reduction="sum")),
        DECODE: lambda: without_gradient(lambda: crf.decode(emissions, mask).tolist()),
    }


def flair(batch: Batch) -> Tasks:
    import flair
    from flair.data import Dictionary
    from flair.models.sequence_tagger_utils.crf import CRF
    from flair.models.sequence_tagger_utils.viterbi import ViterbiDecoder, ViterbiLoss

    flair.device = torch.device("cpu")
    # Of the same number of tags two are the start and the end that flair keeps among them.
    tags = batch.emissions.shape[2]
    dictionary = Dictionary(add_unk=False)
    for tag in range(tags - 2):
        dictionary.add_item(str(tag))
    dictionary.set_start_stop_tags()
    crf = CRF(dictionary, tags, init_from_state_dict=False)
    loss, decoder = ViterbiLoss(dictionary), ViterbiDecoder(dictionary)
    gold = batch.gold[batch.mask].clamp(max=tags - 3)

    def features() -> tuple[Tensor, Tensor, Tensor]:
        return crf(batch.emissions), batch.lengths, crf.transitions

    return {
        LOSS: lambda: step(crf, batch.emissions, lambda: loss(features(), gold)),
        DECODE: lambda: without_gradient(lambda: decoder.decode(features(), False, [])),
    }


def step(crf: torch.nn.Module, emissions: Tensor, loss: Callable[[], Tensor]) -> None:
    emissions.grad = None
    crf.zero_grad()
    loss().backward()


def without_gradient(function: Callable[[], object]) -> None:
    with torch.no_grad():
        function()


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.*)", cpuinfo.read_text()) if cpuinfo.exists() else None
    return found[1] if found else platform.machine()


PEERS: dict[str, Callable[[Batch], Tasks]] = {
    REFERENCE: pytorch_crf,
    FLAIR: flair,
    "bert4torch": bert4torch,
    OURS: ours,
}
MODULES = {
    REFERENCE: "torchcrf",
    FLAIR: "flair",
    "bert4torch": "bert4torch",
    OURS: "spacy_bertcrf",
}


if __name__ == "__main__":
    main()
