"""What pipelines cost and are worth: F1, words a second, MB on disk and in memory.

    python benchmarks/sizes.py DEV.spacy TEACHER STUDENT … --threads 1 2

Each pipeline with the kinds of products (of benchmarks/quantization.py) that --kinds names, or,
if `bertcrf to-onnx` has written it, as it is. All have their turns on the same texts, each in a
process of its own, which imports torch and whose memory is what it holds at most while it loads
and predicts. MB of 10^6 bytes. Linux only (reads /proc).
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import spacy
import torch
from quantization import KINDS, f1, load
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.util import load_config
from turns import Program, Setting, take_turns

ONNX = "onnxruntime"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("dev", type=Path, help="a DocBin")
    parser.add_argument("pipelines", type=Path, nargs="+")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--texts", type=int, default=1000, help="that speed is measured with")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=["float32", "mixed_precision"])
    args = parser.parse_args()
    programs: dict[str, Program] = {
        f"{pipeline}, {kind}": partial(predicts, pipeline, kind, args.dev)
        for pipeline in args.pipelines
        for kind in kinds_of(pipeline, args.kinds)
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
        for kind in kinds_of(pipeline, args.kinds):
            nlp = loaded(pipeline, kind, 1)
            gold = docs_of(args.dev, nlp.vocab)
            score = f1(nlp, nlp.pipe([doc.text for doc in gold]), gold)
            n_words = sum(map(len, gold[: args.texts]))
            results = [by_name[f"{pipeline}, {kind}"] for by_name in speeds]
            words = "".join(f" {n_words / result.seconds:,.0f} |" for result in results)
            memory = max(result.peak_mb for result in results)
            print(f"| {pipeline}, {kind} | {score:.1f} |{words} {size:.1f} | {memory:.0f} |")


def predicts(pipeline: Path, kind: str, dev: Path, setting: Setting) -> Callable[[], object]:
    nlp = loaded(pipeline, kind, setting.threads)
    texts = [doc.text for doc in docs_of(dev, nlp.vocab)[: setting.n_texts]]
    return lambda: list(nlp.pipe(texts))


def kinds_of(pipeline: Path, kinds: list[str]) -> list[str]:
    factory = load_config(pipeline / "config.cfg")["components"]["bertcrf"]["factory"]
    return [ONNX] if factory == "bertcrf_onnx" else kinds


def loaded(pipeline: Path, kind: str, n_threads: int) -> Language:
    if kinds_of(pipeline, [kind]) == [ONNX]:
        return spacy.load(pipeline, config={"components.bertcrf.n_threads": n_threads})
    return load(pipeline, kind, n_threads)


def docs_of(dev: Path, vocab: object) -> list[Doc]:
    return list(DocBin().from_disk(dev).get_docs(vocab))


if __name__ == "__main__":
    main()
