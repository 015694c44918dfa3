"""What pipelines cost and are worth: F1, words a second, MB on disk and in memory.

    python benchmarks/sizes.py DEV.spacy TEACHER STUDENT … --threads 1 2

Each pipeline in float32 and in mixed precision, `--int8` in int8 too (as benchmarks/quantization.py
does it). All have their turns on the same texts, each in a process of its own, whose memory is what
it holds at most while it loads and predicts. MB of 10^6 bytes. Linux only (reads /proc).
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from quantization import f1, load
from spacy.tokens import Doc, DocBin
from turns import Program, Setting, take_turns

KINDS = ("float32", "mixed_precision")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("dev", type=Path, help="a DocBin")
    parser.add_argument("pipelines", type=Path, nargs="+")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--texts", type=int, default=1000, help="that speed is measured with")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--int8", action="store_true")
    args = parser.parse_args()
    kinds = (*KINDS, "int8") if args.int8 else KINDS
    programs: dict[str, Program] = {
        f"{pipeline}, {kind}": partial(predicts, pipeline, kind, args.dev)
        for pipeline in args.pipelines
        for kind in kinds
    }
    speeds = []
    for threads in args.threads:
        setting = Setting("", args.texts, "", threads, -1)
        speeds.append(take_turns(programs, setting, args.rounds))
    print(
        f"the first {args.texts} texts of {args.dev.name}, {args.rounds} rounds in turns, ", end=""
    )
    print(f"torch {torch.__version__}")
    rates = "".join(f" words/s, {n} thread{'s' if n > 1 else ''} |" for n in args.threads)
    print(f"\n| | F1 |{rates} MB on disk | MB in memory |")
    print("|---" * (4 + len(args.threads)) + "|")
    for pipeline in args.pipelines:
        size = sum(file.stat().st_size for file in pipeline.rglob("*") if file.is_file()) / 1e6
        for kind in kinds:
            nlp = load(pipeline, kind)
            gold = docs_of(args.dev, nlp.vocab)
            score = f1(nlp, nlp.pipe([doc.text for doc in gold]), gold)
            n_words = sum(map(len, gold[: args.texts]))
            results = [by_name[f"{pipeline}, {kind}"] for by_name in speeds]
            words = "".join(f" {n_words / result.seconds:,.0f} |" for result in results)
            memory = max(result.peak_mb for result in results)
            print(f"| {pipeline}, {kind} | {score:.1f} |{words} {size:.1f} | {memory:.0f} |")


def predicts(pipeline: Path, kind: str, dev: Path, setting: Setting) -> Callable[[], object]:
    nlp = load(pipeline, kind)
    texts = [doc.text for doc in docs_of(dev, nlp.vocab)[: setting.n_texts]]
    return lambda: list(nlp.pipe(texts))


def docs_of(dev: Path, vocab: object) -> list[Doc]:
    return list(DocBin().from_disk(dev).get_docs(vocab))


if __name__ == "__main__":
    main()
