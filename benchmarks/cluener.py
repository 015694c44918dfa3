"""CLUENER2020 with a given BERT: scores by label, words a second in training, memory by step.

    SPACY_BERTCRF_REAL=FOLDER python benchmarks/cluener.py bert_bilstm_crf

FOLDER has data/cluener/{train,dev}.json and models/zh-char-bert-4l. The command converts,
trains with configs/CONFIG.cfg (learning rate 3e-4, 4 epochs, seed 0) and evaluates on dev; its
output is a Markdown table. Linux only (reads /proc).
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import spacy
import torch
from memory import forget_peak, peak_mb
from spacy.cli.evaluate import evaluate
from spacy.cli.train import train

from spacy_bertcrf.models.bert.wordpieces import ALIGNMENTS

ROOT = Path(__file__).parents[1]
EVAL_FREQUENCY = 200
PACKAGES = ("spacy-bertcrf", "spacy", "spacy-transformers", "torch", "transformers")

step_ends: list[float] = []
peaks: list[float] = []


@spacy.registry.callbacks("benchmark.track_steps.v1")
def track_steps():
    def before_update(nlp, args):
        step_ends.append(time.perf_counter())
        peaks.append(peak_mb())
        forget_peak()

    return before_update


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("config", help="one of configs/, without .cfg")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--alignment", choices=ALIGNMENTS, default="token")
    parser.add_argument("--output", type=Path, help="keep the corpus and the pipelines here")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    real = Path(os.environ["SPACY_BERTCRF_REAL"])
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.output or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for part in ("train", "dev"):
            source = real / "data" / "cluener" / f"{part}.json"
            command = ["spacy", "bertcrf", "convert", str(source), str(folder / f"{part}.spacy")]
            subprocess.run([sys.executable, "-m", *command, "--lang", "zh"], check=True)
        overrides = {
            "paths.train": str(folder / "train.spacy"),
            "paths.dev": str(folder / "dev.spacy"),
            "paths.transformer": str(real / "models" / "zh-char-bert-4l"),
            "training.optimizer.learn_rate.initial_rate": 3e-4,
            "training.max_epochs": args.epochs,
            "components.bertcrf.model.tok2vec.alignment": args.alignment,
            "training.batcher.alignment": args.alignment,
            "training.eval_frequency": EVAL_FREQUENCY,
            "initialize.after_init.evaluations": 1,
            "training.before_update": {"@callbacks": "benchmark.track_steps.v1"},
        }
        train(ROOT / "configs" / f"{args.config}.cfg", folder / args.config, overrides=overrides)
        best = folder / args.config / "model-best"
        scores = evaluate(str(best), folder / "dev.spacy", silent=True)
        nlp = spacy.blank("zh")
        docs = spacy.tokens.DocBin().from_disk(folder / "train.spacy").get_docs(nlp.vocab)
        n_tokens = sum(len(doc) for doc in docs) * args.epochs
    report(args.config, scores, n_tokens)


def report(config: str, scores: dict, n_tokens: int) -> None:
    # The time of a step that was followed by an evaluation is not the training's.
    seconds = [
        end - begin
        for step, (begin, end) in enumerate(pairwise(step_ends))
        if step % EVAL_FREQUENCY
    ]
    print(f"\n{config}, {platform.machine()}, {torch.get_num_threads()} threads,", end=" ")
    print(", ".join(f"{name} {version(name)}" for name in PACKAGES))
    print(f"\n{n_tokens / len(step_ends) / (sum(seconds) / len(seconds)):.0f} words/s in training")
    print("\n| steps | resident MB, mean of the steps' peaks | highest |\n|---|---|---|")
    for begin in range(0, len(peaks) - 99, 100):
        # The first peak after an evaluation is the evaluation's.
        part = [peaks[n] for n in range(begin + 1, begin + 100) if (n - 1) % EVAL_FREQUENCY]
        print(f"| {begin} to {begin + 99} | {sum(part) / len(part):.0f} | {max(part):.0f} |")
    print("\n| | P | R | F1 |\n|---|---|---|---|")
    rows = {"all": {key: scores[f"ents_{key}"] for key in "prf"}, **scores["ents_per_type"]}
    for name, row in rows.items():
        print(f"| {name} | {row['p']:.2%} | {row['r']:.2%} | {row['f']:.2%} |")


if __name__ == "__main__":
    main()
