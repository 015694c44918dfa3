"""What training on partly annotated text buys: CLUENER2020 with much of its annotation removed.

    SPACY_BERTCRF_REAL=FOLDER python benchmarks/partial_annotation.py

FOLDER has data/cluener/{train,dev}.json and models/zh-char-bert-4l. Of all entities of the
training corpus a share is chosen at random (the larger share has all of the smaller). Their
annotation is removed in two ways, a pipeline is trained on each and evaluated on dev, which stays
whole:

    missing   nothing is known of the tokens of the chosen entities
    O         they are said to be outside of entities, as by annotators who passed over them

What is outside in both is outside in truth. With --only-kept-known there is a third way, harder
and nearer to a list of names that was matched with the text:

    all but kept missing   nothing is known of any token but those of the kept entities

Each pipeline is trained with configs/CONFIG.cfg; where it has a BERT, at a learning rate of 3e-4.
What is evaluated is the pipeline of the last step, so nothing is chosen on dev. Results are
printed, as Markdown, as soon as they are there; the trainings' own reports go to stderr.
"""

import argparse
import os
import platform
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from importlib.metadata import version
from pathlib import Path

import spacy
import torch
from spacy.cli.evaluate import evaluate
from spacy.cli.train import train
from spacy.tokens import Doc, DocBin
from spacy.training import Corpus
from spacy.util import load_config

from spacy_bertcrf.corpora.docbin import write_docbins
from spacy_bertcrf.pipeline.annotations import gold_annotation

ROOT = Path(__file__).parents[1]
PACKAGES = ("spacy-bertcrf", "spacy", "spacy-transformers", "torch", "transformers")
COMPLETE, MISSING, OUTSIDE, ONLY_KEPT = "complete", "missing", "O", "all but kept missing"
NLP = spacy.blank("zh")


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    real = Path(os.environ["SPACY_BERTCRF_REAL"])
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.output or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        report = reporter(folder / f"{args.config}.md")
        for part in ("train", "dev"):
            convert(real / "data" / "cluener" / f"{part}.json", folder, args.limit)
        overrides = training_overrides(args, folder, real)
        corpora = []
        report("| share removed | tokens | entities kept | in entities | O | missing |")
        report("|---|---|---|---|---|---|")
        for share in args.shares:
            for treatment in treatments(share, args.only_kept_known):
                path = folder / f"train-{share}-{treatment.replace(' ', '-')}.spacy"
                counts = remove_annotation(folder / "train.spacy", path, share, treatment, args)
                report(f"| {share:.0%} | {treatment} | " + " | ".join(map(str, counts)) + " |")
                corpora.append((share, treatment, path))
        report(f"\n{args.config}, {args.epochs} epochs, seed {args.seed}, {platform.machine()},")
        report(f"{args.threads} threads, Python {platform.python_version()},")
        report(", ".join(f"{name} {version(name)}" for name in PACKAGES))
        report("\n| share removed | their tokens are | P | R | F1 |\n|---|---|---|---|---|")
        for share, treatment, path in corpora:
            output = folder / f"{args.config}-{path.stem}"
            with redirect_stdout(sys.stderr):
                config = ROOT / "configs" / f"{args.config}.cfg"
                train(config, output, overrides={**overrides, "paths.train": str(path)})
                scores = evaluate(str(output / "model-last"), folder / "dev.spacy", silent=True)
            p, r, f = (scores[f"ents_{key}"] for key in "prf")
            report(f"| {share:.0%} | {treatment} | {p:.2%} | {r:.2%} | {f:.2%} |")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "config", nargs="?", default="bert_crf", help="one of configs/, without .cfg"
    )
    parser.add_argument("--shares", type=float, nargs="+", default=[0.5, 0.8], help="0: none")
    parser.add_argument("--only-kept-known", action="store_true", help="the third way, too")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0, help="of the choice and of the training")
    parser.add_argument("--limit", type=int, help="only so many lines of train and dev, to try it")
    parser.add_argument("--output", type=Path, help="keep the corpora, pipelines and results here")
    args = parser.parse_args()
    if not all(0 <= share < 1 for share in args.shares):
        parser.error(f"shares are from 0 to less than 1, got {args.shares}")
    return args


def treatments(share: float, only_kept_known: bool) -> list[str]:
    if share == 0:
        return [COMPLETE]
    return [MISSING, OUTSIDE, *([ONLY_KEPT] if only_kept_known else [])]


def reporter(path: Path) -> Callable[[str], None]:
    path.unlink(missing_ok=True)

    def report(line: str) -> None:
        print(line, flush=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    return report


def convert(source: Path, folder: Path, limit: int | None) -> None:
    lines = source.read_text(encoding="utf-8").splitlines(keepends=True)
    copy = folder / source.name
    copy.write_text("".join(lines[:limit]), encoding="utf-8")
    command = ["spacy", "bertcrf", "convert", str(copy), str(copy.with_suffix(".spacy"))]
    command = [sys.executable, "-m", *command, "--lang", "zh"]
    subprocess.run(command, check=True, stdout=sys.stderr)
    copy.unlink()


def training_overrides(args: argparse.Namespace, folder: Path, real: Path) -> dict:
    overrides = {
        "paths.dev": str(folder / "dev.spacy"),
        "system.seed": args.seed,
        "training.max_epochs": args.epochs,
        "training.eval_frequency": 1000,
        "initialize.after_init.evaluations": 1,
    }
    path = ROOT / "configs" / f"{args.config}.cfg"
    if "transformer" in load_config(path)["paths"]:
        overrides["paths.transformer"] = str(real / "models" / "zh-char-bert-4l")
        overrides["training.optimizer.learn_rate.initial_rate"] = 3e-4
    return overrides


def remove_annotation(
    source: Path, target: Path, share: float, treatment: str, args: argparse.Namespace
) -> list[int]:
    """Write a corpus without the annotation of a share of its entities.

    Returns how many entities are kept, and how many tokens are in them, outside, and missing, as
    the component reads them from the file. Raises RuntimeError if that is not what was meant.
    """
    docs = read(source)
    chosen = choose([len(doc.ents) for doc in docs], share, args.seed)
    before = Counter(iob for doc in docs for iob in doc.to_array("ENT_IOB").tolist())
    n_removed = sum(
        len(ent)
        for doc, indices in zip(docs, chosen, strict=True)
        for i, ent in enumerate(doc.ents)
        if i in indices
    )
    n_kept = sum(len(doc.ents) for doc in docs) - sum(map(len, chosen))
    for doc, indices in zip(docs, chosen, strict=True):
        treat(doc, indices, treatment)
    write_docbins({target: docs})

    inside, outside, missing = before[1] + before[3] - n_removed, before[2], before[0]
    if treatment == MISSING:
        missing += n_removed
    elif treatment == OUTSIDE:
        outside += n_removed
    elif treatment == ONLY_KEPT:
        outside, missing = 0, outside + missing + n_removed
    expected = [n_kept, inside, outside, missing]
    found = count_annotation(target)
    if found != expected:
        raise RuntimeError(
            f"{target} should have {expected} entities, tokens in them, outside, and missing; "
            f"it has {found}."
        )
    return found


def choose(n_ents: Sequence[int], share: float, seed: int) -> list[set[int]]:
    """For each Doc, which of its entities are in a random share of all of them.

    A larger share has all that a smaller one has, with the same seed.
    """
    places = [(doc, ent) for doc, n in enumerate(n_ents) for ent in range(n)]
    random.Random(seed).shuffle(places)
    chosen: list[set[int]] = [set() for _ in n_ents]
    for doc, ent in places[: round(share * len(places))]:
        chosen[doc].add(ent)
    return chosen


def treat(doc: Doc, indices: set[int], treatment: str) -> None:
    kept = [ent for i, ent in enumerate(doc.ents) if i not in indices]
    removed = [ent for i, ent in enumerate(doc.ents) if i in indices]
    if treatment == MISSING:
        doc.set_ents(kept, missing=removed, default="unmodified")
    elif treatment == OUTSIDE:
        doc.set_ents(kept, outside=removed, default="unmodified")
    elif treatment == ONLY_KEPT:
        doc.set_ents(kept, default="missing")


def count_annotation(path: Path) -> list[int]:
    n_ents = n_inside = n_outside = n_missing = 0
    for example in Corpus(path)(NLP):
        gold = gold_annotation(example)
        in_ents, missing = sum(s.end - s.start for s in gold.spans), int(gold.missing.sum())
        n_ents += len(gold.spans)
        n_inside += in_ents
        n_missing += missing
        n_outside += len(gold.missing) - in_ents - missing
    return [n_ents, n_inside, n_outside, n_missing]


def read(path: Path) -> list[Doc]:
    return list(DocBin().from_disk(path).get_docs(NLP.vocab))


if __name__ == "__main__":
    main()
