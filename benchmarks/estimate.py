"""What several processes would give on GPUs, computed from sizes and rates.

    python benchmarks/estimate.py

BERT-base with 8,192 tokens a GPU and step, of 6 FLOP a token and parameter, at the FLOP/s that one
GPU sustains (--tflops); a third of that is the forward pass, and the backward pass has the
gradients of a layer ready one layer after the other. A layer's are sent as soon as they are ready
and the layer's before is there (or, for comparison, after the backward pass), and last, when the
backward pass is over, those of the embeddings, of which so many rows are used (--rows). Not in it:
latencies, the optimizer's step, what the network takes away from computing, and recomputation,
which has gradients ready later: all that `max_batch_pieces` allows has to fit the memory.

n GPUs in a ring carry 2 · (n − 1) / n times the bytes over each link. Where each machine's GPUs add
up among themselves before its link is used, as NCCL's trees do, the ring is one of machines.
"""

import argparse
from typing import NamedTuple

LAYERS = 12
LAYER = 7_087_872  # parameters
EMBEDDINGS = 512 * 768 + 4 * 768  # but for the words'
WIDTH = 768
VOCABULARY = 21_128
PARAMETERS = LAYERS * LAYER + EMBEDDINGS + VOCABULARY * WIDTH
# Of NCCL's all-reduce, per GPU: NVLink of an A100 or H100, and Ethernet of 25 Gbit/s.
NVLINK, ETHERNET = 200e9, 25e9 / 8


class Link(NamedTuple):
    """GPUs that add up gradients.

    n: how many. share: how often each byte of the gradients crosses the slowest link. bandwidth: of
    that, in bytes/s.
    """

    name: str
    n: int
    share: float
    bandwidth: float


LINKS = (
    Link("4, NVLink", 4, 2 * 3 / 4, NVLINK),
    Link("2 × 4, 25 Gbit/s, a ring of GPUs", 8, 2 * 7 / 8, ETHERNET),
    Link("2 × 4, 25 Gbit/s, a ring of machines", 8, 2 * 1 / 2, ETHERNET),
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--step-seconds", type=float, help="of BERT-base on one GPU")
    parser.add_argument("--tokens", type=int, default=8192, help="of a step on one GPU")
    parser.add_argument("--tflops", type=float, default=60.0, help="that one GPU sustains")
    parser.add_argument("--rows", type=int, default=4000, help="of the embeddings, in a step")
    args = parser.parse_args()
    step = args.step_seconds or 6 * PARAMETERS * args.tokens / (args.tflops * 1e12)
    print(f"BERT-base, {step:.3f} s a step on one GPU; times one GPU:\n")
    print("| GPUs | float32, after | float32, during | bfloat16, after | bfloat16, during |")
    print("|---|---|---|---|---|")
    for link in LINKS:
        times = [
            link.n * step / seconds(step, link, width, args.rows, during)
            for width in (4, 2)
            for during in (False, True)
        ]
        print(f"| {link.name} | {' | '.join(f'{n:.2f}' for n in times)} |")


def seconds(step: float, link: Link, width: int, n_rows: int, during: bool) -> float:
    """Of a step, with its exchange.

    width: bytes of a value that is sent.
    """
    forward = step / 3
    rate = link.bandwidth / link.share
    sent = 0.0
    for layer in range(1, LAYERS + 1):
        is_ready = forward + (step - forward) * (layer / LAYERS if during else 1)
        sent = max(sent, is_ready) + width * LAYER / rate
    # Which rows are used is told as integers, before these are sent.
    rest = width * (EMBEDDINGS + n_rows * WIDTH) + 4 * VOCABULARY
    return max(sent, step) + rest / rate


if __name__ == "__main__":
    main()
