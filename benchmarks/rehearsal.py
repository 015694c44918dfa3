"""What is forgotten when a model learns two more labels, and what rehearsal keeps: CLUENER2020.

    SPACY_BERTCRF_REAL=FOLDER python benchmarks/rehearsal.py --output OUT

FOLDER has data/cluener/{train,dev}.json, data/thucnews/train.txt (a line: a title, a tab, a class)
and models/zh-char-bert-4l. An old model is trained on the first sentences of train without two of
the ten labels; then --new further sentences are annotated for these two alone. Rows: these learned
as if they had no other entities; the others left open; with rehearsal on raw titles, from the same
old model; and all labels of all sentences from the start. The same steps for the three that go on.
F1 on dev of the last step, of the old labels and of the two new ones. Trainings that are in OUT are
not repeated, and an interrupted one goes on.
"""

import argparse
import os
import platform
import random
from collections.abc import Iterable
from pathlib import Path

import spacy
from command_training import train
from spacy.tokens import Doc, DocBin
from spacy.training import Corpus

from spacy_bertcrf.corpora.annotated_labels import mark_annotated
from spacy_bertcrf.corpora.reading import read_corpus


def main() -> None:
    args = parse_args()
    real = Path(os.environ["SPACY_BERTCRF_REAL"])
    args.output.mkdir(parents=True, exist_ok=True)
    corpora = prepare(args, real)
    old = learned(args, "old", corpora["old"], args.epochs, args.rate)
    raw = ["--raw", str(corpora["raw"])]
    rows = {"the old model": old}
    for title, corpus, weight in (
        ("others read as no entities", "plain", 0),
        ("others left open", "open", 0),
        ("others left open, and rehearsal", "open", args.weight),
    ):
        rehearse = ["--rehearse", str(old), *raw, "--rehearsal-weight", str(weight)]
        name, learning = f"{corpus}-{weight:g}", (args.new_epochs, args.new_rate)
        rows[title] = learned(args, name, corpora[corpus], *learning, *rehearse)
    rows["all labels from the start"] = learned(args, "all", corpora["all"], args.epochs, args.rate)
    print(f"{platform.machine()}, seed {args.seed}, new labels {', '.join(args.labels)}\n")
    print("| | F1 of the old labels | F1 of the new labels |\n|---|---|---|")
    for title, folder in rows.items():
        of_old, of_new = scores(folder, corpora["dev"], args.labels)
        print(f"| {title} | {of_old:.1%} | {of_new:.1%} |", flush=True)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--labels", nargs=2, default=["company", "position"])
    parser.add_argument("--limit", type=int, default=8000, help="sentences of the old model")
    parser.add_argument("--new", type=int, default=500, help="sentences with the new labels")
    parser.add_argument("--titles", type=int, default=5000, help="raw texts to rehearse on")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--new-epochs", type=int, default=12)
    parser.add_argument("--new-rate", type=float, default=2e-4)
    parser.add_argument("--weight", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def prepare(args: argparse.Namespace, real: Path) -> dict[str, Path]:
    folder = args.output
    paths = {name: folder / f"{name}.spacy" for name in ("old", "plain", "open", "all", "dev")}
    paths["raw"] = folder / "titles.txt"
    if paths["raw"].exists():
        return paths
    docs = read_corpus(real / "data" / "cluener" / "train.json").docs
    first, new = docs[: args.limit], docs[args.limit : args.limit + args.new]
    write(paths["dev"], read_corpus(real / "data" / "cluener" / "dev.json").docs)
    write(paths["all"], [*first, *new])
    write(paths["old"], [with_labels(doc, args.labels, False) for doc in first])
    alone = [with_labels(doc, args.labels, True) for doc in new]
    write(paths["plain"], alone)
    for doc in alone:
        mark_annotated(doc, args.labels)
    write(paths["open"], alone)
    lines = (real / "data" / "thucnews" / "train.txt").read_text(encoding="utf8").splitlines()
    titles = [line.rpartition("\t")[0] for line in lines]
    random.Random(0).shuffle(titles)
    paths["raw"].write_text("\n".join(titles[: args.titles]), encoding="utf8")
    return paths


def with_labels(doc: Doc, labels: list[str], inside: bool) -> Doc:
    """A copy with those entities alone whose labels are, or are not, among some."""
    copy = doc.copy()
    copy.ents = [ent for ent in doc.ents if (ent.label_ in labels) == inside]
    return copy


def write(path: Path, docs: Iterable[Doc]) -> None:
    DocBin(docs=docs, store_user_data=True).to_disk(path)


def learned(
    args: argparse.Namespace, name: str, corpus: Path, epochs: int, rate: float, *options: str
) -> Path:
    """The folder of the pipeline."""
    settings = {
        "paths.train": corpus,
        "paths.dev": args.output / "dev.spacy",
        "paths.transformer": Path(os.environ["SPACY_BERTCRF_REAL"]) / "models" / "zh-char-bert-4l",
        "system.seed": args.seed,
        "components.bertcrf.model.tok2vec.mixed_precision": "true",
        "training.optimizer.learn_rate.initial_rate": rate,
        "training.max_epochs": epochs,
    }
    return train(args.output / name, "bert_crf", settings, *options)


def scores(folder: Path, dev: Path, new: list[str]) -> tuple[float, float]:
    """F1 of the old labels and of the new ones."""
    nlp = spacy.load(folder)
    counts = {True: [0, 0, 0], False: [0, 0, 0]}
    for example in Corpus(dev)(nlp):
        predicted = nlp(example.reference.text)
        for is_new in (True, False):
            gold, found = (
                {(e.start, e.end, e.label_) for e in doc.ents if (e.label_ in new) == is_new}
                for doc in (example.reference, predicted)
            )
            for i, number in enumerate((len(gold & found), len(gold), len(found))):
                counts[is_new][i] += number
    return tuple(
        2 * right / max(1, gold + found)
        for right, gold, found in (counts[False], counts[True])
    )  # fmt: skip


if __name__ == "__main__":
    main()
