"""What continued pretraining is worth: a BERT with and without, fine-tuned on CLUENER2020.

    SPACY_BERTCRF_REAL=FOLDER python benchmarks/pretraining.py --seeds 0 1 2

FOLDER has data/text/zh.txt, data/cluener/{train,dev}.json and models/zh-char-bert-4l. The BERT is
adapted by `bertcrf pretrain` on the first --characters of the text (it prints the held-out loss),
and both are fine-tuned by benchmarks/strategies.py, in the --variant of it that is named, which
prints P, R and F1 of each seed. What that one should get besides goes behind `--`, e.g. `--
--epochs 2 --limit 2000`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STRATEGIES = Path(__file__).with_name("strategies.py")


def main() -> None:
    args = parse_args()
    real = Path(os.environ["SPACY_BERTCRF_REAL"])
    bert = real / "models" / "zh-char-bert-4l"
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.output or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        text = folder / "text.txt"
        n_characters = write_start(real / "data" / "text" / "zh.txt", text, args.characters)
        adapted = folder / "adapted"
        begin = time.perf_counter()
        pretrain(text, bert, adapted, args)
        minutes = (time.perf_counter() - begin) / 60
        print(f"\nAdapted on {n_characters:,} characters in {minutes:.1f} minutes", flush=True)
        for name, model in (("without", bert), ("with", adapted)):
            print(f"\n{name} continued pretraining:", flush=True)
            finetune(model, args)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--characters", type=int, default=10_000_000, help="the first of the text")
    parser.add_argument("--epochs", type=float, default=1.0, help="of the pretraining")
    parser.add_argument("--masking", default="words", help="words, ngrams or pieces")
    parser.add_argument("--max-length", type=int, default=128, help="of a sequence")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rate", type=float, default=3e-4, help="the learning rate")
    parser.add_argument("--bf16", action="store_true", help="pretrain in bfloat16")
    parser.add_argument("--variant", default="faster_head", help="of the fine-tuning")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, help="keep the text and the adapted BERT here")
    parser.add_argument("finetuning", nargs="*", help="behind --, for benchmarks/strategies.py")
    return parser.parse_args()


def write_start(source: Path, target: Path, n_characters: int) -> int:
    """Write whole lines until they have so many characters; how many they have."""
    n_written = 0
    with source.open(encoding="utf-8") as lines, target.open("w", encoding="utf-8") as file:
        for line in lines:
            if n_written >= n_characters:
                break
            n_written += file.write(line)
    return n_written


def pretrain(text: Path, bert: Path, output: Path, args: argparse.Namespace) -> None:
    options = {
        "base": bert,
        "output": output,
        "epochs": args.epochs,
        "masking": args.masking,
        "max-length": args.max_length,
        "batch-size": args.batch_size,
        "learn-rate": args.rate,
        "log-every": 50,
    }
    pairs = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    flags = ["--bf16"] if args.bf16 else []
    run(["-m", "spacy", "bertcrf", "pretrain", str(text), *pairs, *flags], args.threads)


def finetune(bert: Path, args: argparse.Namespace) -> None:
    seeds = map(str, args.seeds)
    options = ["--bert", str(bert), "--threads", str(args.threads), *args.finetuning]
    run([str(STRATEGIES), args.variant, *options, "--seeds", *seeds], args.threads)


def run(arguments: list[str], threads: int) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    subprocess.run([sys.executable, *arguments], check=True, env=environment)


if __name__ == "__main__":
    main()
