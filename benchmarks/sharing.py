"""NER and classification, each on a BERT of its own and both on one: what that costs and gains.

    SPACY_BERTCRF_REAL=FOLDER python benchmarks/sharing.py

FOLDER has data/cluener/{train,dev}.json, data/thucnews/{train,dev,class}.txt and
models/zh-char-bert-4l. CLUENER's documents are annotated for NER alone, and THUCNews's, as many of
them, for classification alone; the shared BERT (configs/bert_ner_classifier.cfg) reads both in the
same batches, those of the others (the same config without the other component) hold one of them.
Every document is seen as often. No step is chosen on dev: it is the last.
"""

import argparse
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from classification import read_titles
from peers import ROOT, describe_machine
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
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import fix_random_seed, load_config, load_model_from_config
from transformers import AutoConfig
from turns import Setting

from spacy_bertcrf.corpora.reading import read_corpus
from spacy_bertcrf.training.optimizer.adamw import AdamW

PIPELINES = {
    "NER alone": ["tok2vec", "bertcrf"],
    "classification alone": ["tok2vec", "textcat"],
    "both on one BERT": ["tok2vec", "bertcrf", "textcat"],
}
SCORES = {"bertcrf": "ents_f", "textcat": "cats_macro_f"}
# The optimizer's parameter groups of each component.
GROUPS = {"bertcrf": ("projection", "crf"), "textcat": ("classifier",)}


def main() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser, epochs=4)
    args = parser.parse_args()
    recipe = recipe_of(args)
    corpora = {part: read_both(part, args.limit) for part in ("train", "dev")}
    sizes = {part: {task: len(docs) for task, docs in of.items()} for part, of in corpora.items()}
    print(f"{sizes}, {recipe}")
    print(describe_machine(Setting("both", 0, recipe.bert, args.threads, args.gpu_id)))
    results: dict[str, list[dict[str, float]]] = {name: [] for name in PIPELINES}
    for seed in args.seeds:
        for name, pipes in PIPELINES.items():
            found = measure(pipes, corpora["train"], corpora["dev"], recipe, seed)
            results[name].append(found)
            print(f"seed {seed}, {name}: {found}", flush=True)
    print("\n| | entities, F1 | classes, macro F1 | training, s | both corpora's dev, s |")
    print("|---|---|---|---|---|")
    for name, of_seeds in results.items():
        cells = [name]
        for score in SCORES.values():
            values = [found[score] for found in of_seeds if score in found]
            cells.append(spread(values) if values else "")
        for seconds in ("training", "prediction"):
            cells.append(f"{statistics.median(found[seconds] for found in of_seeds):.0f}")
        print(f"| {' | '.join(cells)} |")


def read_both(part: str, limit: int | None) -> dict[str, list[Doc]]:
    """The documents of a part of both corpora by the component that learns from them; as many
    titles in training as there are texts with entities."""
    folder = Path(os.environ["SPACY_BERTCRF_REAL"]) / "data"
    entities = read_corpus(folder / "cluener" / f"{part}.json").docs[:limit]
    titles = read_titles(part, len(entities) if part == "train" else limit)
    return {"bertcrf": entities, "textcat": titles}


def measure(
    pipes: list[str],
    training: dict[str, list[Doc]],
    dev: dict[str, list[Doc]],
    recipe: Recipe,
    seed: int,
) -> dict[str, float]:
    """Train a pipeline on the corpora of its components; its scores, and the seconds of the
    training and of predicting both development sets."""
    docs = [doc for task, of_task in training.items() if task in pipes for doc in of_task]
    nlp = shared_pipeline(pipes, recipe, seed)
    groups = nlp.config["training"]["optimizer"]["groups"]
    groups = {name: groups[name] for task in SCORES if task in pipes for name in GROUPS[task]}
    step = pipeline_step(nlp, docs, AdamW(recipe.learn_rate, groups=groups), seed)
    found = {"training": train(batches_of(docs, recipe, seed), step, recipe)}
    for task, score in SCORES.items():
        if task in pipes:
            found[score] = nlp.evaluate(examples_for(nlp, dev[task]), batch_size=256)[score]
    found["prediction"] = seconds_to_predict(nlp, [*dev["bertcrf"], *dev["textcat"]], recipe)
    return found


def shared_pipeline(pipes: list[str], recipe: Recipe, seed: int) -> Language:
    overrides = {
        "paths.transformer": recipe.bert,
        "variables.width": AutoConfig.from_pretrained(recipe.bert).hidden_size,
        "nlp.pipeline": pipes,
        "components.tok2vec.model.mixed_precision": recipe.mixed_precision,
    }
    path = ROOT / "configs" / "bert_ner_classifier.cfg"
    config = load_config(path, overrides=overrides, interpolate=True)
    config["components"] = {name: config["components"][name] for name in pipes}
    fix_random_seed(seed)
    return load_model_from_config(config, auto_fill=True)


def seconds_to_predict(nlp: Language, docs: Sequence[Doc], recipe: Recipe) -> float:
    texts = [doc.text for doc in docs]
    recipe.synchronize()
    start = time.perf_counter()
    for _ in nlp.pipe(texts, batch_size=256):
        pass
    recipe.synchronize()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
