"""What is forgotten of one kind of text while another is learned, with and without rehearsal.

    SPACY_BERTCRF_REAL=FOLDER python benchmarks/style_shift.py --output OUT --bert MINILM

FOLDER has data/conll2003/{train,dev}.txt, CoNLL-2003. A line of results, such as "2. Norberto
Tellez ( Cuba ) 1:44.58", is a sentence of over three words in which a fifth of the words have
digits; the others are prose. An old model learns prose alone, then goes on with --new lines of
results, annotated like the rest: with and without rehearsal on the raw text of further prose, in as
many steps, from the same old model; and there is one that learns all from the start. F1 on dev of
the last step, of prose and of lines of results. Trainings that are in OUT are not repeated, and an
interrupted one goes on.
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

from spacy_bertcrf.corpora.reading import read_corpus

PARTS = ("prose", "results", "all", "dev-prose", "dev-results")


def main() -> None:
    args = parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    corpora, raw = prepare(args, Path(os.environ["SPACY_BERTCRF_REAL"]) / "data" / "conll2003")
    old = learned(args, "old", corpora["prose"])
    rows = {"the old model": old}
    for title, weight in (("goes on without rehearsal", 0), ("goes on with it", args.weight)):
        rehearse = ["--rehearse", str(old), "--raw", str(raw), "--rehearsal-weight", str(weight)]
        rows[title] = learned(args, f"on-{weight:g}", corpora["results"], *rehearse)
    rows["all from the start"] = learned(args, "all", corpora["all"])
    print(f"{platform.machine()}, seed {args.seed}\n")
    print("| | F1 of prose | F1 of lines of results |\n|---|---|---|")
    for title, folder in rows.items():
        nlp = spacy.load(folder)
        of = [
            nlp.evaluate([*Corpus(corpora[f"dev-{kind}"])(nlp)])["ents_f"]
            for kind in ("prose", "results")
        ]
        print(f"| {title} | {of[0]:.1%} | {of[1]:.1%} |", flush=True)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--bert", required=True, help="an English one")
    parser.add_argument("--prose", type=int, default=5000, help="sentences of the old model")
    parser.add_argument("--new", type=int, default=500, help="lines of results")
    parser.add_argument("--raw", type=int, default=2000, help="sentences to rehearse on")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--new-epochs", type=int, default=6)
    parser.add_argument("--weight", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def prepare(args: argparse.Namespace, source: Path) -> tuple[dict[str, Path], Path]:
    """The annotated corpora, and the raw texts."""
    corpora = {name: args.output / f"{name}.spacy" for name in PARTS}
    raw = args.output / "raw.txt"
    if raw.exists():
        return corpora, raw
    docs = read_corpus(source / "train.txt").docs
    random.Random(0).shuffle(docs)
    results = [doc for doc in docs if is_results(doc)][: args.new]
    prose = [doc for doc in docs if not is_results(doc)]
    write(corpora["prose"], prose[: args.prose])
    write(corpora["results"], results)
    write(corpora["all"], [*prose[: args.prose], *results])
    dev = read_corpus(source / "dev.txt").docs
    write(corpora["dev-prose"], [doc for doc in dev if not is_results(doc)])
    write(corpora["dev-results"], [doc for doc in dev if is_results(doc)])
    further = prose[args.prose : args.prose + args.raw]
    raw.write_text("\n".join(doc.text for doc in further), encoding="utf8")
    return corpora, raw


def is_results(doc: Doc) -> bool:
    n_numbers = sum(any(letter.isdigit() for letter in token.text) for token in doc)
    return len(doc) > 3 and n_numbers >= len(doc) / 5


def write(path: Path, docs: Iterable[Doc]) -> None:
    DocBin(docs=docs, store_user_data=True).to_disk(path)


def learned(args: argparse.Namespace, name: str, corpus: Path, *rehearse: str) -> Path:
    """The folder of the pipeline."""
    settings = {
        "paths.train": corpus,
        "paths.dev": args.output / "dev-prose.spacy",
        "paths.transformer": args.bert,
        "system.seed": args.seed,
        "components.bertcrf.model.tok2vec.mixed_precision": "true",
        "training.optimizer.learn_rate.initial_rate": args.rate,
        "training.max_epochs": args.new_epochs if rehearse else args.epochs,
    }
    return train(args.output / name, "bert_bilstm_crf_en", settings, *rehearse)


if __name__ == "__main__":
    main()
