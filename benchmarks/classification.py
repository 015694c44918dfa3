"""THUCNews's titles by 10 classes: scores and speed, ours, spaCy's `textcat` and a bare loop.

    SPACY_BERTCRF_REAL=FOLDER python benchmarks/classification.py

FOLDER has data/thucnews/{train,dev,class}.txt and models/zh-char-bert-4l. All fine-tune the same
BERT with the same batches, learning rates, dropout of 0.1 and a gradient norm of at most 1. spaCy's
pipelines are those that `spacy init config --gpu` writes for `textcat`: TextCatReduce is that of
`--optimize efficiency`, TextCatEnsemble that of `--optimize accuracy`. The bare loop is PyTorch's
on transformers' AutoModelForSequenceClassification. No step is chosen on dev: it is the last.
spaCy's know no bfloat16 on a CPU: --mixed-precision is for ours and the bare loop.
"""

import argparse
import os
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from peers import ROOT, describe_machine
from seeded_training import (
    Recipe,
    add_arguments,
    batches_of,
    pipeline_step,
    recipe_of,
    spread,
    train,
)
from spacy.cli.init_config import init_config
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import fix_random_seed, load_config, load_model_from_config
from thinc.api import Adam
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from turns import Setting

from spacy_bertcrf.corpora.reading import read_corpus
from spacy_bertcrf.evaluation.confusion import Confusion
from spacy_bertcrf.training.optimizer.adamw import AdamW

Predict = Callable[[Sequence[Doc]], list[str]]
Step = Callable[[list[Doc], float], None]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", nargs="+", choices=PROGRAMS, default=list(PROGRAMS))
    add_arguments(parser, epochs=2)
    args = parser.parse_args()
    recipe = recipe_of(args)
    training, dev = (read_titles(part, args.limit) for part in ("train", "dev"))
    n_words = sum(map(len, training)) * args.epochs
    print(f"{len(training)} titles, {len(dev)} in dev, {n_words} words in training, {recipe}")
    print(
        describe_machine(Setting("thucnews", len(training), recipe.bert, args.threads, args.gpu_id))
    )
    scores: dict[str, list[tuple[float, float, float]]] = {name: [] for name in args.programs}
    for seed in args.seeds:
        batches = batches_of(training, recipe, seed)
        for name in args.programs:
            step, predict = PROGRAMS[name](training, recipe, seed)
            seconds = train(batches, step, recipe)
            confusion = compare(dev, predict(dev))
            result = confusion.accuracy, confusion.macro_f, n_words / seconds
            scores[name].append(result)
            print(f"seed {seed}, {name}: accuracy {result[0]:.2%}, macro F1 {result[1]:.2%}, "
                  f"{result[2]:.0f} words/s", flush=True)  # fmt: skip
    print("\n| | accuracy | macro F1 | words/s in training |\n|---|---|---|---|")
    for name, results in scores.items():
        accuracies, f_scores, rates = zip(*results, strict=True)
        rate = statistics.median(rates)
        print(f"| {name} | {spread(accuracies)} | {spread(f_scores)} | {rate:.0f} |")


def read_titles(part: str, limit: int | None = None) -> list[Doc]:
    """The titles of a part of THUCNews, with their classes."""
    folder = Path(os.environ["SPACY_BERTCRF_REAL"]) / "data" / "thucnews"
    file = folder / f"{part}.txt"
    return read_corpus(file, "text-label", lang="zh", classes=folder / "class.txt").docs[:limit]


def ours(docs: list[Doc], recipe: Recipe, seed: int) -> tuple[Step, Predict]:
    path = ROOT / "configs" / "bert_classifier.cfg"
    overrides = {
        "paths.transformer": recipe.bert,
        "components.textcat.model.tok2vec.mixed_precision": recipe.mixed_precision,
    }
    config = load_config(path, overrides=overrides, interpolate=True)
    fix_random_seed(seed)
    nlp = load_model_from_config(config, auto_fill=True)
    # The rate is set from outside.
    optimizer = AdamW(recipe.learn_rate, groups=config["training"]["optimizer"]["groups"])
    return pipeline_step(nlp, docs, optimizer, seed), predictor(nlp)


def spacys(optimize: str) -> Callable[[list[Doc], Recipe, int], tuple[Step, Predict]]:
    def prepare(docs: list[Doc], recipe: Recipe, seed: int) -> tuple[Step, Predict]:
        config = init_config(lang="zh", pipeline=["textcat"], optimize=optimize, gpu=True)
        config["components"]["transformer"]["model"]["name"] = recipe.bert
        fix_random_seed(seed)
        nlp = load_model_from_config(config, auto_fill=True)
        optimizer = Adam(recipe.learn_rate, L2=0.01, use_averages=False, grad_clip=1.0)
        return pipeline_step(nlp, docs, optimizer, seed), predictor(nlp)

    return prepare


def bare_loop(docs: list[Doc], recipe: Recipe, seed: int) -> tuple[Step, Predict]:
    labels = list(docs[0].cats)
    device = "cpu" if recipe.gpu_id < 0 else f"cuda:{recipe.gpu_id}"
    fix_random_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(recipe.bert)
    model = AutoModelForSequenceClassification.from_pretrained(
        recipe.bert, torch_dtype=torch.float32, num_labels=len(labels)
    ).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), recipe.learn_rate, weight_decay=0.01)

    def encode(batch: Sequence[Doc]):
        texts = [doc.text for doc in batch]
        return tokenizer(
            texts, truncation=True, max_length=512, padding=True, return_tensors="pt"
        ).to(device)

    def autocast() -> torch.autocast:
        kind = torch.device(device).type
        return torch.autocast(kind, dtype=torch.bfloat16, enabled=recipe.mixed_precision)

    def step(batch: list[Doc], rate: float) -> None:
        model.train()
        for group in optimizer.param_groups:
            group["lr"] = rate
        targets = torch.tensor([labels.index(class_of(doc)) for doc in batch], device=device)
        with autocast():
            loss = model(**encode(batch), labels=targets).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    def predict(batch: Sequence[Doc]) -> list[str]:
        model.eval()
        found: list[str] = []
        with torch.inference_mode(), autocast():
            for i in range(0, len(batch), 64):
                logits = model(**encode(batch[i : i + 64])).logits
                found += [labels[at] for at in logits.argmax(1).tolist()]
        return found

    return step, predict


def predictor(nlp: Language) -> Predict:
    def predict(docs: Sequence[Doc]) -> list[str]:
        texts = [doc.text for doc in docs]
        return [class_of(doc) for doc in nlp.pipe(texts, batch_size=256)]

    return predict


def class_of(doc: Doc) -> str:
    return max(doc.cats, key=lambda label: doc.cats[label])


def compare(docs: Sequence[Doc], predicted: Sequence[str]) -> Confusion:
    """The classes of the documents against those that are predicted."""
    labels = tuple(docs[0].cats)
    counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
    for doc, label in zip(docs, predicted, strict=True):
        counts[labels.index(class_of(doc)), labels.index(label)] += 1
    return Confusion(labels, counts, 0)


PROGRAMS = {
    "spacy-bertcrf BertClassifier": ours,
    "spaCy transformer + TextCatReduce": spacys("efficiency"),
    "spaCy transformer + TextCatEnsemble": spacys("accuracy"),
    "bare PyTorch loop": bare_loop,
}


if __name__ == "__main__":
    main()
