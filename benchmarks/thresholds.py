"""What choosing entities by their probability gains over the best tag sequence.

    python benchmarks/thresholds.py DEV.spacy PIPELINE PIPELINE

Of each pipeline: F1 of the best tag sequences; of the entities in them that are so probable as a
threshold says, as the component's `threshold` drops the others; and of all spans of the 16 best
readings that are so probable. Of several pipelines also the latter by the mean of what they say.
Each threshold is chosen, for its F1, on every other text, and what is scored is the rest, both
ways round.
"""

import argparse
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import spacy
import torch
from spacy.tokens import Doc, DocBin

THRESHOLDS = np.arange(0.0, 0.75, 0.05)
N_READINGS = 16
Span = tuple[int, int, str]
Spans = set[Span]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("dev", type=Path, help="a DocBin")
    parser.add_argument("pipelines", type=Path, nargs="+")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    dev = list(DocBin().from_disk(args.dev).get_docs(spacy.blank("xx").vocab))
    gold = [spans_of(doc) for doc in dev]
    print("| | P | R | F1 | thresholds |\n|---|---|---|---|---|")
    of_all: list[list[Counter[Span]]] = []
    for path in args.pipelines:
        best, probable = read(path, dev)
        of_all.append(probable)
        show(f"{path}: best sequences", gold, [best] * len(THRESHOLDS))
        kept = [
            [
                {span for span in of_doc if beliefs[span] >= at}
                for of_doc, beliefs in zip(best, probable, strict=True)
            ]
            for at in THRESHOLDS
        ]
        show(f"{path}: these, if probable", gold, kept)
        show(f"{path}: all that are probable", gold, [chosen(probable, at) for at in THRESHOLDS])
    if len(of_all) > 1:
        together = [mean(of_doc) for of_doc in zip(*of_all, strict=True)]
        show("by their mean", gold, [chosen(together, at) for at in THRESHOLDS])


def read(path: Path, dev: Sequence[Doc]) -> tuple[list[Spans], list[Counter[Span]]]:
    """The entities of the best readings, and the probabilities of those of all readings."""
    nlp = spacy.load(path)
    recognizer = nlp.get_pipe("bertcrf")
    best, probable = [], []
    docs = [nlp.make_doc(doc.text) for doc in dev]
    for doc, readings in zip(docs, recognizer.k_best(docs, N_READINGS), strict=True):
        beliefs: Counter[Span] = Counter()
        for spans, probability in readings:
            for start, end, label in spans:
                place = doc[start:end]
                beliefs[place.start_char, place.end_char, label] += probability
        of_best = (doc[start:end] for start, end, _ in readings[0][0])
        labels = (label for _, _, label in readings[0][0])
        best.append({(s.start_char, s.end_char, x) for s, x in zip(of_best, labels, strict=True)})
        probable.append(beliefs)
    return best, probable


def spans_of(doc: Doc) -> Spans:
    return {(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents}


def chosen(probable: Iterable[Counter[Span]], threshold: float) -> list[Spans]:
    """The probable spans, the most probable first, without those that overlap these."""
    found = []
    for beliefs in probable:
        kept: Spans = set()
        for (start, end, label), probability in beliefs.most_common():
            if probability >= threshold and all(end <= s or e <= start for s, e, _ in kept):
                kept.add((start, end, label))
        found.append(kept)
    return found


def mean(beliefs: Sequence[Counter[Span]]) -> Counter[Span]:
    total: Counter[Span] = Counter()
    for one in beliefs:
        for span, probability in one.items():
            total[span] += probability / len(beliefs)
    return total


def show(name: str, gold: Sequence[Spans], predicted: Sequence[Sequence[Spans]]) -> None:
    """predicted: for each threshold, the spans of each text."""
    counts = np.zeros(3)
    thresholds = []
    for half in (0, 1):
        scores = [score(counted(gold[half::2], of[half::2])) for of in predicted]
        at = int(np.argmax(scores))
        thresholds.append(f"{THRESHOLDS[at]:.2f}")
        counts += counted(gold[1 - half :: 2], predicted[at][1 - half :: 2])
    right, n_predicted, n_gold = counts
    row = [name, f"{right / n_predicted:.2%}", f"{right / n_gold:.2%}", f"{score(counts):.2%}"]
    print(f"| {' | '.join([*row, ', '.join(thresholds)])} |", flush=True)


def counted(gold: Sequence[Spans], predicted: Sequence[Spans]) -> np.ndarray:
    """How many are right, predicted, and gold."""
    pairs = [*zip(gold, predicted, strict=True)]
    return np.array([(len(g & p), len(p), len(g)) for g, p in pairs]).sum(axis=0)


def score(counts: np.ndarray) -> float:
    return float(2 * counts[0] / max(1, counts[1] + counts[2]))


if __name__ == "__main__":
    main()
