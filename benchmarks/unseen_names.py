"""Names that the training part does not have: recall of seen and unseen ones.

    SPACY_BERTCRF_REAL=FOLDER python benchmarks/unseen_names.py cluener BiLSTM Identity --bert BERT

FOLDER has data/conll2003/train.txt or data/cluener/train.json. Of the training set, 1,500 texts of
its last quarter (of CLUENER2020, of a random one) are for the test; seven tenths of the different
mentions there are chosen at random, and of the rest of the set every text that has one of these is
taken out. 3,000 short texts of what is left are trained on, with the shipped config, the sequence
layer that is named and all else as it is; the last step is evaluated, and nothing is chosen on the
test texts. A mention is seen if its text, in small letters, is an entity of the training part.
"""

import argparse
import io
import os
import platform
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import torch
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training.initialize import init_nlp
from spacy.util import load_config

from spacy_bertcrf.corpora.docbin import write_docbins
from spacy_bertcrf.corpora.reading import read_corpus
from spacy_bertcrf.models.step_count import steps_of
from spacy_bertcrf.training.loop import train

ROOT = Path(__file__).parents[1]
PACKAGES = ("spacy-bertcrf", "spacy", "torch", "transformers")
FILES = {"conll2003": "train.txt", "cluener": "train.json"}
CONFIGS = {"conll2003": "bert_bilstm_crf_en", "cluener": "bert_bilstm_crf"}
LONGEST = {"conll2003": 25, "cluener": 50}  # tokens of a text that is trained on
N_TRAIN, N_TEST, LONGEST_TEST = 3000, 1500, 60
SHARE_UNSEEN = 0.7


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    parts = split(args.corpus)
    seen = {mention for doc in parts["train"] for mention in mentions(doc)}
    print(f"{args.corpus}, {args.epochs} epochs, batches of {args.pieces} wordpieces,", end=" ")
    print(f"rate {args.rate}, bfloat16, {platform.machine()}, {args.threads} threads,", end=" ")
    print(", ".join(f"{name} {version(name)}" for name in PACKAGES))
    print("\n| | seed | steps | P | R | F1 | recall, seen | recall, unseen | minutes |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        write_docbins({Path(folder) / f"{part}.spacy": docs for part, docs in parts.items()})
        for seed in args.seeds:
            for layer in args.layers:
                begin = time.perf_counter()
                nlp = trained(args, layer, seed, Path(folder))
                scores = judge(nlp, parts["test"], seen)
                row = [layer, str(seed), str(steps_of(nlp)), *(f"{x:.1%}" for x in scores)]
                minutes = (time.perf_counter() - begin) / 60
                print(f"| {' | '.join(row)} | {minutes:.1f} |", flush=True)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus", choices=FILES)
    parser.add_argument("layers", nargs="+", help="such as BiLSTM, ResidualBiLSTM, Identity, TCN")
    parser.add_argument("--bert", required=True, help="its folder")
    parser.add_argument("--rate", type=float, default=1e-4, help="the learning rate")
    parser.add_argument("--pieces", type=int, default=1000, help="wordpieces of a batch")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def split(corpus: str) -> dict[str, Sequence[Doc]]:
    path = Path(os.environ["SPACY_BERTCRF_REAL"]) / "data" / corpus / FILES[corpus]
    docs = [doc for doc in read_corpus(path).docs if len(doc)]
    rng = random.Random(0)
    if corpus == "cluener":
        rng.shuffle(docs)
    border = int(0.75 * len(docs))
    test = [doc for doc in docs[border:] if len(doc) <= LONGEST_TEST]
    rng.shuffle(test)
    test = test[:N_TEST]
    different = sorted({mention for doc in test for mention in mentions(doc)})
    rng.shuffle(different)
    unseen = set(different[: int(SHARE_UNSEEN * len(different))])
    rest = [
        doc
        for doc in docs[:border]
        if 3 <= len(doc) <= LONGEST[corpus] and unseen.isdisjoint(mentions(doc))
    ]
    rng.shuffle(rest)
    return {"train": rest[:N_TRAIN], "dev": rest[N_TRAIN : N_TRAIN + 600], "test": test}


def mentions(doc: Doc) -> list[str]:
    return [ent.text.lower() for ent in doc.ents]


def trained(args: argparse.Namespace, layer: str, seed: int, folder: Path) -> Language:
    config = load_config(
        ROOT / "configs" / f"{CONFIGS[args.corpus]}.cfg",
        overrides={
            "paths.train": str(folder / "train.spacy"),
            "paths.dev": str(folder / "dev.spacy"),
            "paths.transformer": args.bert,
            "system.seed": seed,
            "training.optimizer.learn_rate.initial_rate": args.rate,
            "training.max_epochs": args.epochs,
            "training.batcher.size": args.pieces,
            "training.eval_frequency": 100_000,
            "initialize.after_init.evaluations": 1,
            "components.bertcrf.model.tok2vec.mixed_precision": True,
            "components.bertcrf.model.encoder": {"@layers": f"spacy-bertcrf.{layer}.v1"},
        },
    )
    nlp = init_nlp(config)
    train(nlp, stdout=io.StringIO(), stderr=sys.stderr)
    return nlp


def judge(nlp: Language, gold: Sequence[Doc], seen: set[str]) -> list[float]:
    """Precision, recall and F1 of all, recall of the seen and of the unseen, from 0 to 1."""
    found = right = 0
    by_kind: dict[bool, list[bool]] = {True: [], False: []}
    words = [[token.text for token in doc] for doc in gold]
    spaces = [[bool(token.whitespace_) for token in doc] for doc in gold]
    docs = (Doc(nlp.vocab, words=w, spaces=s) for w, s in zip(words, spaces, strict=True))
    for doc, predicted in zip(gold, nlp.pipe(docs), strict=True):
        spans = {(ent.start, ent.end, ent.label_) for ent in predicted.ents}
        found += len(spans)
        for ent in doc.ents:
            is_right = (ent.start, ent.end, ent.label_) in spans
            right += is_right
            by_kind[ent.text.lower() in seen].append(is_right)
    n_gold = sum(map(len, by_kind.values()))
    recalls = [sum(kind) / max(1, len(kind)) for kind in (by_kind[True], by_kind[False])]
    f1 = 2 * right / max(1, found + n_gold)
    return [right / max(1, found), right / n_gold, f1, *recalls]


if __name__ == "__main__":
    main()
