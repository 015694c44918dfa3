"""What the configs that `init-config` writes are worth, by the size of the corpus.

    export SPACY_BERTCRF_REAL=FOLDER
    python benchmarks/recipes.py cluener recipe shipped plain --sizes 300 1000
    python benchmarks/recipes.py conll2003 recipe shipped plain --bert MINILM

FOLDER has data/cluener/{train,dev}.json and models/zh-char-bert-4l, or
data/conll2003/{train,dev}.txt. Of the training set, 1,500 random texts are for choosing between
settings, and so many random ones of the rest are learned from; the last step is scored, on the
texts for choosing and on dev. "recipe" is the config of `init-config`; "shipped" the one in
configs/ with the same learning rate, bfloat16 and all else as it is; "plain" a BERT with a linear
layer and cross-entropy (`plain_tagger.py`), with the shipped config's batches and the recipe's
rate and epochs. "recipe+NAME" has a variant of `strategies.py` besides, and
"recipe+training.max_epochs=9" this setting in place of its own.
"""

import argparse
import io
import json
import os
import platform
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from plain_tagger import PlainTagger
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training.initialize import init_nlp
from spacy.util import load_config, load_config_from_str
from strategies import VARIANTS
from thinc.api import Config

from spacy_bertcrf.corpora.docbin import write_docbins
from spacy_bertcrf.corpora.reading import read_corpus
from spacy_bertcrf.models.step_count import steps_of
from spacy_bertcrf.training.loop import train
from spacy_bertcrf.training.recipes.choices import Choice
from spacy_bertcrf.training.recipes.recipe import make_recipe

ROOT = Path(__file__).parents[1]
PACKAGES = ("spacy-bertcrf", "spacy", "torch", "transformers")
ENDINGS = {"cluener": "json", "conll2003": "txt"}
LANGUAGES = {"cluener": "zh", "conll2003": "en"}
SHIPPED = {"cluener": "bert_bilstm_crf", "conll2003": "bert_bilstm_crf_en"}
N_CHOOSING = 1500
LEARN_RATE = "training.optimizer.learn_rate.initial_rate"


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    real = Path(os.environ["SPACY_BERTCRF_REAL"])
    bert = args.bert or str(real / "models" / "zh-char-bert-4l")
    print(
        f"{args.corpus}, {Path(bert).name}, {platform.machine()}, {args.threads} threads,", end=" "
    )
    print(", ".join(f"{name} {version(name)}" for name in PACKAGES))
    print("\n| texts | system | seed | steps | F1, for choosing | F1 | minutes |")
    print("|---|---|---|---|---|---|---|", flush=True)
    whole, dev = (read(real, args.corpus, part) for part in ("train", "dev"))
    random.Random(0).shuffle(whole)
    choosing, rest = whole[:N_CHOOSING], whole[N_CHOOSING:]
    for n_texts in args.sizes:
        for seed in args.seeds:
            for system in args.systems:
                begin = time.perf_counter()
                with tempfile.TemporaryDirectory() as folder:
                    parts = {"train": rest[:n_texts], "dev": choosing}
                    write_docbins({Path(folder) / f"{k}.spacy": v for k, v in parts.items()})
                    steps, predict = learned(args, system, seed, bert, Path(folder))
                scores = [f1(predict(docs), docs) for docs in (choosing, dev)]
                row = [f"{len(parts['train']):,}", system, str(seed), str(steps)]
                row += [f"{score:.1%}" for score in scores]
                minutes = (time.perf_counter() - begin) / 60
                print(f"| {' | '.join(row)} | {minutes:.1f} |", flush=True)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus", choices=ENDINGS)
    parser.add_argument("systems", nargs="+", help="recipe, shipped, plain, recipe+NAME")
    parser.add_argument("--sizes", type=int, nargs="+", default=[300, 1000, 3000, 1_000_000])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--bert", help="its folder")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def read(real: Path, corpus: str, part: str) -> list[Doc]:
    docs = read_corpus(real / "data" / corpus / f"{part}.{ENDINGS[corpus]}").docs
    return [doc for doc in docs if len(doc)]


def learned(
    args: argparse.Namespace, system: str, seed: int, bert: str, folder: Path
) -> tuple[int, Any]:
    """The number of steps, and what tags Docs."""
    lang = Choice("nlp.lang", LANGUAGES[args.corpus], "")
    paths = folder / "train.spacy", folder / "dev.spacy"
    made = load_config_from_str(make_recipe(*paths, bert, lang, gpu=False).text)
    rate, epochs = made["training"]["optimizer"]["learn_rate"], made["training"]["max_epochs"]
    shipped = ROOT / "configs" / f"{SHIPPED[args.corpus]}.cfg"
    if system == "plain":
        docs = read_docs(folder)
        tagger = PlainTagger(bert, sorted({ent.label_ for doc in docs for ent in doc.ents}))
        pieces = load_config(shipped)["training"]["batcher"]["size"]
        n = tagger.train(docs, pieces=pieces, epochs=epochs, rate=rate["initial_rate"], seed=seed)
        return n, lambda docs: spans_of_tags(tagger, docs)
    config = made
    settings: dict[str, Any] = {"system.seed": seed, "training.eval_frequency": 100_000}
    if system == "shipped":
        config = load_config(shipped)
        precision = "components.bertcrf.model.tok2vec.mixed_precision"
        settings |= {"paths.train": str(paths[0]), "paths.dev": str(paths[1])}
        settings |= {"paths.transformer": bert, LEARN_RATE: rate["initial_rate"], precision: True}
    for change in system.split("+")[1:]:
        key, is_setting, value = change.partition("=")
        settings |= {key: json.loads(value)} if is_setting else VARIANTS[change]
    settings["initialize.after_init.evaluations"] = 1
    nlp = init_nlp(with_settings(config, settings))
    train(nlp, stdout=io.StringIO(), stderr=sys.stderr)
    return steps_of(nlp), lambda docs: spans_of_pipeline(nlp, docs)


def with_settings(config: Config, settings: dict[str, Any]) -> Config:
    """A whole block takes the place of the one that is there."""
    config = Config(config).copy()
    for key, value in settings.items():
        *path, last = key.split(".")
        block = config
        for name in path:
            block = block.setdefault(name, {})
        block[last] = value
    return load_config_from_str(config.to_str())


def read_docs(folder: Path) -> list[Doc]:
    from spacy import blank
    from spacy.tokens import DocBin

    return list(DocBin().from_disk(folder / "train.spacy").get_docs(blank("xx").vocab))


def spans_of_pipeline(nlp: Language, gold: Sequence[Doc]) -> list[set]:
    words = [[token.text for token in doc] for doc in gold]
    spaces = [[bool(token.whitespace_) for token in doc] for doc in gold]
    docs = (Doc(nlp.vocab, words=w, spaces=s) for w, s in zip(words, spaces, strict=True))
    return [{(ent.start, ent.end, ent.label_) for ent in doc.ents} for doc in nlp.pipe(docs)]


def spans_of_tags(tagger: PlainTagger, docs: Sequence[Doc]) -> list[set]:
    """As seqeval reads tags: an I- behind another label begins an entity."""
    found = []
    for rows in tagger.probabilities(docs):
        spans, label, start = set(), None, 0
        tags = [tagger.tags[i] for i in np.argmax(rows, axis=1)]
        for at, tag in enumerate([*tags, "O"]):
            goes_on = label is not None and tag == f"I-{label}"
            if not goes_on:
                if label is not None:
                    spans.add((start, at, label))
                label, start = (None if tag == "O" else tag[2:]), at
        found.append(spans)
    return found


def f1(found: Sequence[set], gold: Sequence[Doc]) -> float:
    right = total = 0
    for spans, doc in zip(found, gold, strict=True):
        wanted = {(ent.start, ent.end, ent.label_) for ent in doc.ents}
        right += len(spans & wanted)
        total += len(spans) + len(wanted)
    return 2 * right / max(1, total)


if __name__ == "__main__":
    main()
