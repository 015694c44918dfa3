"""One pipeline that several threads call at a time: what differs from one thread's results, and
how fast it is.

    python benchmarks/threads.py PIPELINE TEXTS.spacy

The texts go through `nlp(text)` in one thread, and then, shared out among them, in several. Counted
are texts with other entities, and texts with a probability (of an entity, or of a class) that is
off by more than 0.01.
"""

import argparse
import os
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import spacy
import torch
from spacy.language import Language
from spacy.tokens import Doc, DocBin

TOLERANCE = 0.01
KEY = "scored"


class Result(NamedTuple):
    """entities: (start, end, label) of each. probabilities: of these, and of classes."""

    entities: list[tuple[int, int, str]]
    probabilities: list[float]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("pipeline", type=Path)
    parser.add_argument("texts", type=Path, help="a DocBin")
    parser.add_argument("--limit", type=int, default=600, help="read the first so many")
    parser.add_argument("--threads", type=int, nargs="+", default=[2, 8])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--torch-threads", type=int, default=1, help="of each prediction")
    args = parser.parse_args()
    torch.set_num_threads(args.torch_threads)
    nlp = spacy.load(args.pipeline)
    for _, pipe in nlp.pipeline:
        if hasattr(pipe, "spans_key"):
            pipe.spans_key = KEY
    texts = [doc.text for doc in DocBin().from_disk(args.texts).get_docs(nlp.vocab)][: args.limit]
    predict_by(nlp, texts, 1)
    alone, seconds = min((predict_by(nlp, texts, 1) for _ in range(args.rounds)), key=_seconds)
    print(f"{len(texts)} texts, {args.torch_threads} threads of torch, {os.cpu_count()} cores")
    print("\n| threads | other entities | probabilities off | texts/s |\n|---|---|---|---|")
    print(f"| 1 | | | {len(texts) / seconds:.0f} |")
    for n_threads in args.threads:
        rounds = [predict_by(nlp, texts, n_threads) for _ in range(args.rounds)]
        moved, off = zip(*(differences(found, alone) for found, _ in rounds), strict=True)
        rate = len(texts) / min(map(_seconds, rounds))
        print(f"| {n_threads} | {_listed(moved)} | {_listed(off)} | {rate:.0f} |")


def predict_by(nlp: Language, texts: list[str], n_threads: int) -> tuple[list[Result], float]:
    """What so many threads find, and the seconds that they take."""
    start = time.perf_counter()
    with ThreadPoolExecutor(n_threads) as pool:
        results = list(pool.map(partial(_predict, nlp), texts))
    return results, time.perf_counter() - start


def differences(found: list[Result], alone: list[Result]) -> tuple[int, int]:
    """Texts with other entities, and texts with probabilities that are off; those of other
    entities are."""
    moved = [f.entities != a.entities for f, a in zip(found, alone, strict=True)]
    off = [
        f.entities != a.entities
        or any(
            abs(x - y) > TOLERANCE for x, y in zip(f.probabilities, a.probabilities, strict=True)
        )
        for f, a in zip(found, alone, strict=True)
    ]
    return sum(moved), sum(off)


def _predict(nlp: Language, text: str) -> Result:
    doc: Doc = nlp(text)
    entities = [(ent.start, ent.end, ent.label_) for ent in doc.ents]
    scores = doc.spans[KEY].attrs["scores"].tolist() if KEY in doc.spans else []
    return Result(entities, [*scores, *doc.cats.values()])


def _seconds(timed: tuple[object, float]) -> float:
    return timed[1]


def _listed(counts: tuple[int, ...]) -> str:
    return ", ".join(map(str, counts))


if __name__ == "__main__":
    main()
