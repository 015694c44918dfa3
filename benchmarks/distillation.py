"""What a small model learns from a large one: CLUENER2020, the 12-layer BERT to the 4-layer one.

    SPACY_BERTCRF_REAL=FOLDER python benchmarks/distillation.py --output OUT --titles 15000

FOLDER has data/cluener/{train,dev}.json, data/thucnews/train.txt (a line: a title, a tab, a class)
and models/zh-char-bert-{4l,12l}. The teacher learns from all of train, with --self-training from
what is annotated for the student alone (2e-4, --teacher-epochs; OUT/teacher, unless --teacher names
others); the student, `configs/CONFIG.cfg` without a learning rate or number of epochs of its own,
from --limit sentences of train and raw titles by `bertcrf distill`, which prints the table. What is
in OUT is not made again.
"""

import argparse
import json
import os
import random
import subprocess
import sys
from pathlib import Path

from spacy_bertcrf.corpora.docbin import write_docbins
from spacy_bertcrf.corpora.reading import read_corpus

ROOT = Path(__file__).parents[1]


def main() -> None:
    args = parse_args()
    real = Path(os.environ["SPACY_BERTCRF_REAL"])
    args.output.mkdir(parents=True, exist_ok=True)
    titles = args.output / f"titles-{args.titles}.txt"
    paths = {part: args.output / f"{part}.spacy" for part in ("all", "train", "dev")}
    if not titles.exists():
        docs = read_corpus(real / "data" / "cluener" / "train.json").docs
        dev = read_corpus(real / "data" / "cluener" / "dev.json").docs
        write_docbins({paths["all"]: docs, paths["train"]: docs[: args.limit], paths["dev"]: dev})
        lines = (real / "data" / "thucnews" / "train.txt").read_text(encoding="utf8").splitlines()
        random.Random(0).shuffle(lines)
        chosen = [line.rpartition("\t")[0] for line in lines[: args.titles]]
        titles.write_text("\n".join(chosen), encoding="utf8")
    teachers = args.teacher
    if teachers is None:
        teacher = args.output / "teacher" / "model-best"
        teachers = [teacher]
        settings = training(real, "zh-char-bert-12l", 2e-4, args.teacher_epochs, args.float32)
        read = paths["train" if args.self_training else "all"]
        settings |= {"paths.train": read, "paths.dev": paths["dev"]}
        config = str(ROOT / "configs" / "bert_crf.cfg")
        call("train", config, "--output", str(teacher.parent), "--resume", **settings)
    options = ["--texts", titles, "--student", ROOT / "configs" / f"{args.config}.cfg"]
    options += ["--train", paths["train"], "--dev", paths["dev"]]
    options += ["--output", args.output / args.config, "--weight", args.weight]
    options += ["--likelihood", args.likelihood, *([] if args.baseline else ["--no-baseline"])]
    options += ["--annotated" if args.annotated else "--no-annotated"]
    settings = training(real, "zh-char-bert-4l", args.rate, args.epochs, args.float32)
    if args.layers:
        first = json.dumps({"num_hidden_layers": args.layers})
        settings["components.bertcrf.model.tok2vec.transformer_config"] = first
    call("distill", *map(str, [*teachers, *options]), **settings | {"system.seed": args.seed})


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, nargs="+", help="several: their mean")
    parser.add_argument("--self-training", action="store_true", help="--limit is for both")
    parser.add_argument("--teacher-epochs", type=int, default=4)
    parser.add_argument("--config", default="bert_crf", help="a name in configs/")
    parser.add_argument("--layers", type=int, help="the first so many of the student's BERT")
    parser.add_argument("--limit", type=int, help="the first so many sentences of train")
    parser.add_argument("--titles", type=int, default=15000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--weight", type=float, default=1.0)
    parser.add_argument("--likelihood", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--baseline", action="store_true", help="without a teacher too")
    parser.add_argument("--float32", action="store_true", help="for a CPU without bfloat16")
    parser.add_argument("--annotated", action="store_true", help="the teacher reads train too")
    return parser.parse_args()


def training(
    real: Path, bert: str, rate: float, epochs: int, in_float32: bool
) -> dict[str, object]:
    return {
        "paths.transformer": real / "models" / bert,
        "components.bertcrf.model.tok2vec.mixed_precision": str(not in_float32).lower(),
        "training.optimizer.learn_rate.initial_rate": rate,
        "training.max_epochs": epochs,
        "training.eval_frequency": 270,
        "initialize.after_init.evaluations": 4,
    }


def call(command: str, *options: str, **settings: object) -> None:
    full = [sys.executable, "-m", "spacy", "bertcrf", command, *options]
    for key, value in settings.items():
        full += [f"--{key}", str(value)]
    subprocess.run(full, check=True)


if __name__ == "__main__":
    main()
