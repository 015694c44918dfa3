"""What ways of training are worth: CLUENER2020 or CoNLL-2003, train to dev, by strategy and seed.

    SPACY_BERTCRF_REAL=FOLDER python benchmarks/strategies.py baseline fgm rdrop --limit 2000

FOLDER has data/cluener/{train,dev}.json, data/conll2003/{train,dev}.txt and models/zh-char-bert-4l.
The baseline is configs/bert_bilstm_crf.cfg (for CoNLL-2003 bert_bilstm_crf_en.cfg), or that of
--config, with one learning rate for all parameters, and every variant is that with what it changes:
"faster_head" has the groups of the configs that ship. All have the same number of epochs, are
evaluated after each, and the best evaluation counts; P and R are those of the same evaluation. Rows
are printed, as Markdown, as soon as they are there; the trainings' own reports go to stderr.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from contextlib import redirect_stdout
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from spacy.cli.train import train
from spacy.util import load_config, load_model_from_config

from spacy_bertcrf.corpora.docbin import write_docbins
from spacy_bertcrf.corpora.reading import read_corpus
from spacy_bertcrf.models.step_count import steps_of

ROOT = Path(__file__).parents[1]
PACKAGES = ("spacy-bertcrf", "spacy", "torch", "transformers")
STRATEGIES = "components.bertcrf.strategies"
OPTIMIZER = "training.optimizer"


def misc(name: str, **settings: Any) -> dict[str, Any]:
    return {"@misc": f"spacy-bertcrf.{name}.v1", **settings}


def strategies(**chosen: dict[str, Any]) -> dict[str, Any]:
    return {STRATEGIES: chosen}


BASELINE: dict[str, Any] = {f"{OPTIMIZER}.groups": {}}
FASTER_HEAD = {
    f"{OPTIMIZER}.groups": {
        "sequence_layer": {"pattern": "sequence_tagger.*", "learn_rate_scale": 5.0},
        "crf": {"pattern": "crf.*", "learn_rate_scale": 20.0},
    }
}
ENTITIES = {
    "@augmenters": "spacy-bertcrf.entity_replacement.v1",
    "path": "${paths.train}",
    "level": 0.5,
}
MASKS = {"@augmenters": "spacy-bertcrf.masked_spans.v1", "tokenizer": "${paths.transformer}"}
VARIANTS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "faster_head": FASTER_HEAD,
    "layer_decay": {f"{OPTIMIZER}.layer_decay": 0.8},
    "mild_layer_decay": {f"{OPTIMIZER}.layer_decay": 0.9},
    "cosine": {f"{OPTIMIZER}.learn_rate.decay": "cosine"},
    "ema": {f"{OPTIMIZER}.averages": misc("EMA", decay=0.99)},
    "swa": {f"{OPTIMIZER}.averages": misc("SWA", start=0.75)},
    "unfreezing": {
        "training.before_update": {
            "@callbacks": "spacy-bertcrf.gradual_unfreezing.v1",
            "every": 15,
            "unit": "steps",
        }
    },
    "fgm": strategies(fgm=misc("FGM")),
    "fgm_half": strategies(fgm=misc("FGM", epsilon=0.5)),
    "pgd": strategies(pgd=misc("PGD")),
    "rdrop": strategies(rdrop=misc("RDrop")),
    "samples": strategies(samples=misc("MultiSampleDropout")),
    "tokens": strategies(tokens=misc("TokenCrossEntropy")),
    "focal": strategies(tokens=misc("TokenCrossEntropy", focal=2.0)),
    "smoothed": strategies(tokens=misc("TokenCrossEntropy", smoothing=0.1)),
    "boundaries": strategies(boundaries=misc("EntityBoundaries")),
    "context": strategies(context=misc("ContextLoss")),
    "uncertainty": strategies(
        tokens=misc("TokenCrossEntropy"),
        boundaries=misc("EntityBoundaries"),
        weights=misc("UncertaintyWeights"),
    ),
    "child_f": strategies(child=misc("ChildTuningF")),
    "child_d": strategies(child=misc("ChildTuningD", steps=20)),
    "outside_half": strategies(weights=misc("LabelWeights", weights={"O": 0.5})),
    "token_dropout": strategies(token_dropout=misc("TokenDropout")),
    "entity_replacement": {"corpora.train.augmenter": ENTITIES},
    "masked_spans": {"corpora.train.augmenter": {**MASKS, "level": 0.5}},
}


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.output or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        convert(args, folder)
        print(f"{args.corpus}, {args.limit or 'all'} sentences, {args.epochs} epochs,", end=" ")
        print(f"batches of {args.pieces} wordpieces,", end=" ")
        print("bfloat16," if args.mixed_precision else "float32,", end=" ")
        print(f"{platform.machine()}, {args.threads} threads,", end=" ")
        print(", ".join(f"{name} {version(name)}" for name in PACKAGES))
        print("\n| | seed | P | R | F1 | F1 after each epoch | minutes |")
        print("|---|---|---|---|---|---|---|")
        for seed in args.seeds:
            for variant in args.variants:
                measure(variant, seed, args, folder)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("variants", nargs="+", help=f"of {', '.join(VARIANTS)}; a+b for both")
    parser.add_argument("--corpus", choices=("cluener", "conll2003"), default="cluener")
    parser.add_argument("--config", help="a name in configs/, if not the BiLSTM's")
    parser.add_argument("--bert", help="its folder; for CLUENER, models/zh-char-bert-4l in FOLDER")
    parser.add_argument("--rate", type=float, default=3e-4, help="the learning rate")
    parser.add_argument("--pieces", type=int, default=1600, help="wordpieces of a batch")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--mixed-precision", action="store_true", help="BERT in bfloat16")
    parser.add_argument("--limit", type=int, help="the first so many sentences of train")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, help="keep the corpus and the pipelines here")
    args = parser.parse_args()
    unknown = {name for names in args.variants for name in names.split("+")} - VARIANTS.keys()
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: no variants; there are {', '.join(VARIANTS)}")
    if args.corpus == "conll2003" and not args.bert:
        parser.error("conll2003 needs --bert, the folder of an English BERT")
    return args


def convert(args: argparse.Namespace, folder: Path) -> None:
    suffix = {"cluener": "json", "conll2003": "txt"}[args.corpus]
    data = Path(os.environ["SPACY_BERTCRF_REAL"]) / "data" / args.corpus
    for part in ("train", "dev"):
        docs = read_corpus(data / f"{part}.{suffix}").docs
        limit = args.limit if part == "train" else None
        write_docbins({folder / f"{part}.spacy": docs[:limit]})


def measure(variants: str, seed: int, args: argparse.Namespace, folder: Path) -> None:
    default = Path(os.environ["SPACY_BERTCRF_REAL"]) / "models" / "zh-char-bert-4l"
    output = folder / f"{variants}-{seed}"
    log = folder / f"{variants}-{seed}.jsonl"
    overrides = {
        "paths.train": str(folder / "train.spacy"),
        "paths.dev": str(folder / "dev.spacy"),
        "paths.transformer": args.bert or str(default),
        "system.seed": seed,
        "training.optimizer.learn_rate.initial_rate": args.rate,
        "training.max_epochs": args.epochs,
        "training.batcher.size": args.pieces,
        "components.bertcrf.model.tok2vec.mixed_precision": args.mixed_precision,
    }
    of_corpus = {"cluener": "bert_bilstm_crf", "conll2003": "bert_bilstm_crf_en"}[args.corpus]
    path = ROOT / "configs" / f"{args.config or of_corpus}.cfg"
    overrides["training.eval_frequency"] = evaluation_frequency(path, overrides)
    overrides["initialize.after_init.evaluations"] = 1  # no more than these
    overrides["training.logger"] = {
        "@loggers": "spacy-bertcrf.JSONL.v1",
        "path": str(log),
        "dev_loss": False,
        "overwrite": True,
    }
    begin = time.perf_counter()
    with redirect_stdout(sys.stderr):
        train(path, output, overrides={**overrides, **combined(variants)})
    minutes = (time.perf_counter() - begin) / 60
    best = json.loads((output / "model-best" / "meta.json").read_text())["performance"]
    p, r, f = (best[f"ents_{key}"] for key in "prf")
    records = map(json.loads, log.read_text(encoding="utf-8").splitlines())
    by_epoch = [record["score"] for record in records if "score" in record]
    curve = ", ".join(f"{score:.2%}" for score in by_epoch[1:])  # the first is before training
    row = f"| {variants} | {seed} | {p:.2%} | {r:.2%} | {f:.2%} | {curve} | {minutes:.1f} |"
    print(row, flush=True)


def evaluation_frequency(path: Path, overrides: dict[str, Any]) -> int:
    """So that the last evaluation is that of the last steps: they are counted from 0, and other
    epochs may have some batches less than the one that is counted."""
    nlp = load_model_from_config(load_config(path, overrides), auto_fill=True)
    n_steps = steps_of(nlp)
    assert n_steps is not None
    return max(1, int(0.98 * n_steps) // overrides["training.max_epochs"])


def combined(variants: str) -> dict[str, Any]:
    """What all of `a+b` change; strategies and parameter groups are put together."""
    changes = dict(BASELINE)
    for name in variants.split("+"):
        for key, value in VARIANTS[name].items():
            if isinstance(changes.get(key), dict) and "@" not in "".join(value):
                value = {**changes[key], **value}
            changes[key] = value
    return changes


if __name__ == "__main__":
    main()
