"""Two corpora that were annotated for different labels, made from CLUENER2020.

    export SPACY_BERTCRF_REAL=FOLDER   # with data/cluener/ and models/zh-char-bert-4l
    python benchmarks/disjoint_labels.py --threads 1 --mixed-precision

The first --per-half sentences keep the entities of five labels, as many after them those of the
other five. Pipelines are trained on

    marked   both halves, each Doc marked as annotated for its five labels
    plain    both halves, as if each were annotated for all ten
    full     the same sentences with all their entities

and scored on dev.json, strictly, with all ten labels. All take the same steps with the same
batches; what is scored is the pipeline of the last step, so nothing is chosen on dev.
"""

import argparse
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import spacy
from seeded_training import (
    Recipe,
    add_arguments,
    batches_of,
    examples_for,
    pipeline_step,
    recipe_of,
    spread,
    train,
)
from spacy.tokens import Doc
from spacy.util import load_config

from spacy_bertcrf.corpora.annotated_labels import mark_annotated
from spacy_bertcrf.corpora.reading import read_corpus

ROOT = Path(__file__).parents[1]
PACKAGES = ("spacy-bertcrf", "spacy", "torch", "transformers")
TREATMENTS = ("marked", "plain", "full")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_arguments(parser, epochs=3)
    parser.add_argument("--per-half", type=int, default=2000, help="sentences")
    parser.add_argument("--config", default="bert_crf", help="one of configs/, without .cfg")
    parser.add_argument("--treatments", nargs="+", choices=TREATMENTS, default=TREATMENTS)
    args = parser.parse_args()
    recipe = recipe_of(args)
    train_docs = read("train")[: args.limit or 2 * args.per_half]
    dev_docs = read("dev")[: args.limit]
    labels = sorted({ent.label_ for doc in train_docs for ent in doc.ents})
    halves = labels[::2], labels[1::2]
    print(f"{len(train_docs):,} sentences, {' '.join(halves[0])} | {' '.join(halves[1])}")
    print(f"{args.config}, {args.epochs} epochs, seeds {args.seeds}, {platform.machine()},")
    print(f"{args.threads} threads, mixed precision {args.mixed_precision},")
    print(", ".join(f"{name} {version(name)}" for name in PACKAGES))
    print("\n| training | entities | P | R | F1 | seconds |\n|---|---|---|---|---|---|", flush=True)
    for treatment in args.treatments:
        docs = treated(train_docs, treatment, halves)
        runs = [result(args.config, docs, dev_docs, labels, recipe, seed) for seed in args.seeds]
        *scores, seconds = zip(*runs, strict=True)
        cells = " | ".join(map(spread, scores))
        n_ents = sum(len(doc.ents) for doc in docs)
        print(f"| {treatment} | {n_ents:,} | {cells} | {sum(seconds):.0f} |", flush=True)


def read(part: str) -> list[Doc]:
    path = Path(os.environ["SPACY_BERTCRF_REAL"]) / "data" / "cluener" / f"{part}.json"
    return read_corpus(path, "cluener", lang="zh").docs


def treated(
    docs: Sequence[Doc], treatment: str, halves: tuple[Sequence[str], Sequence[str]]
) -> list[Doc]:
    copies = [doc.copy() for doc in docs]
    if treatment == "full":
        return copies
    for i, doc in enumerate(copies):
        labels = halves[2 * i >= len(copies)]
        doc.set_ents([ent for ent in doc.ents if ent.label_ in labels])
        if treatment == "marked":
            mark_annotated(doc, labels)
    return copies


def result(
    config: str,
    docs: Sequence[Doc],
    dev_docs: Sequence[Doc],
    labels: Sequence[str],
    recipe: Recipe,
    seed: int,
) -> tuple[float, float, float, float]:
    """Precision, recall, F1 and the seconds of the training."""
    overrides = {
        "paths.transformer": recipe.bert,
        "components.bertcrf.model.tok2vec.mixed_precision": recipe.mixed_precision,
        "training.optimizer.learn_rate.total_steps": 1,  # not used: the recipe has the rates
    }
    loaded = load_config(ROOT / "configs" / f"{config}.cfg", overrides=overrides, interpolate=True)
    nlp = spacy.util.load_model_from_config(loaded, auto_fill=True)
    settings = spacy.util.registry.resolve({"optimizer": loaded["training"]["optimizer"]})
    step = pipeline_step(nlp, docs, settings["optimizer"], seed)
    seconds = train(batches_of(docs, recipe, seed), step, recipe)
    scores = nlp.evaluate(examples_for(nlp, dev_docs))
    return scores["ents_p"], scores["ents_r"], scores["ents_f"], seconds


if __name__ == "__main__":
    main()
