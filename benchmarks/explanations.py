"""What an explanation takes: processor seconds, and steps until the attributions are complete.

    python benchmarks/explanations.py PIPELINE DEV.spacy --limit 200

PIPELINE is a trained one with a BERT inside of its bertcrf (benchmarks/strategies.py --output keeps
one). Its first predicted entities of DEV are explained, each alone. Rows are Markdown.
"""

import argparse
import platform
import time
from collections import Counter
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import numpy as np
import spacy
import torch
from spacy.tokens import DocBin

PACKAGES = ("spacy-bertcrf", "captum", "torch", "transformers")


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    nlp = spacy.load(args.pipeline)
    recognizer = nlp.get_pipe("bertcrf")
    docs = DocBin().from_disk(args.corpus).get_docs(nlp.vocab)
    predicted = nlp.pipe(doc.text for doc in docs)
    entities = list(islice((ent for doc in predicted for ent in doc.ents), args.limit))
    recognizer.explain(entities[0].doc, entities[0])  # what is loaded once
    seconds: dict[str, list[float]] = {"with attributions": [], "without": []}
    steps: Counter[int] = Counter()
    gaps = []
    for ent in entities:
        for name, asked in zip(seconds, (True, False), strict=True):
            start = time.process_time()
            found = recognizer.explain(ent.doc, ent, attributions=asked)
            seconds[name].append(time.process_time() - start)
            if asked:
                steps[found.attributions.n_steps] += 1
                gaps.append(found.attributions.gap)
    print(f"{len(entities)} entities of {args.corpus.stem}, {args.threads} threads,", end=" ")
    print(f"{platform.machine()},", ", ".join(f"{name} {version(name)}" for name in PACKAGES))
    print("\n| explanation | processor seconds, mean | median | 95 % |\n|---|---|---|---|")
    for name, values in seconds.items():
        print(
            f"| {name} | {np.mean(values):.2f} | {np.median(values):.2f} "
            f"| {np.quantile(values, 0.95):.2f} |"
        )
    print("\n| steps | entities |\n|---|---|")
    for n_steps, n in sorted(steps.items()):
        print(f"| {n_steps} | {n} |")
    print(f"\nGap: mean {np.mean(gaps):.2%}, largest {max(gaps):.2%}", end="; ")
    print(f"above 1 %: {sum(gap > 0.01 for gap in gaps)}")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("pipeline", type=Path)
    parser.add_argument("corpus", type=Path, metavar="DEV.spacy")
    parser.add_argument("--limit", type=int, default=200, help="entities")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
