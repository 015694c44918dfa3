"""The memory of a service that texts of ever new lengths go through, one a call.

    python benchmarks/new_lengths.py PIPELINE
    ONEDNN_PRIMITIVE_CACHE_CAPACITY=64 python benchmarks/new_lengths.py PIPELINE

oneDNN keeps the code that it makes for each shape that it multiplies, of 1024 shapes by itself.
Linux only (reads /proc), one thread; words a second of the process's own time.
"""

import argparse
import os
import random
import time
from pathlib import Path

import spacy
import torch
from memory import resident_mb

CHARACTERS = (
    "我们的一是在不了有和人这中大为上个国地到说时要就出会可也你对生能而子那得于着下自之年过发后作里"
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("pipeline", type=Path)
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--longest", type=int, default=250, help="characters of a text")
    args = parser.parse_args()
    torch.set_num_threads(1)
    nlp = spacy.load(args.pipeline)
    rng = random.Random(0)
    nlp("我" * 20)
    print(f"capacity {os.environ.get('ONEDNN_PRIMITIVE_CACHE_CAPACITY')}")
    print(f"before: {resident_mb():.0f} MB")
    begun, n_words = time.process_time(), 0
    for call in range(1, args.calls + 1):
        text = "".join(rng.choices(CHARACTERS, k=rng.randint(1, args.longest)))
        n_words += len(text)
        nlp(text)
        if call in (100, 300) or call % 1000 == 0:
            rate = n_words / (time.process_time() - begun)
            print(f"{call}: {resident_mb():.0f} MB, {rate:.0f} words/s", flush=True)


if __name__ == "__main__":
    main()
