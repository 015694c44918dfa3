"""How well the scores of a trained pipeline are calibrated, before and after a temperature.

    python benchmarks/calibration.py PIPELINE DEV.spacy

Fits the temperature on DEV, by the log loss of the predicted entities being right or wrong, and
measures the expected calibration error (15 bins) there. Then it fits on one half of DEV (every
other document) and measures on the other half, both ways: what a temperature does to texts that
it was not fitted on. Its output is Markdown.
"""

import argparse
import platform
from importlib.metadata import version
from pathlib import Path

import spacy
import torch
from spacy.language import Language
from spacy.training import Corpus, Example

from spacy_bertcrf.evaluation.annotated import annotated_before, annotated_through
from spacy_bertcrf.evaluation.calibration import Calibration, measure_calibration

PACKAGES = ("spacy-bertcrf", "spacy", "spacy-transformers", "torch", "transformers")
SPANS_KEY = "calibration"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pipeline", type=Path)
    parser.add_argument("dev", type=Path, help="a .spacy file")
    parser.add_argument("--component", default="bertcrf")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    nlp = spacy.load(args.pipeline)
    recognizer = nlp.get_pipe(args.component)
    recognizer.spans_key, recognizer.threshold = SPANS_KEY, None

    def fit(part: slice) -> None:
        examples = annotated_before(nlp, args.component, read(nlp, args.dev, part))
        recognizer.fit_temperature(examples)

    def scored(part: slice) -> list[Example]:
        return list(annotated_through(nlp, args.component, read(nlp, args.dev, part)))

    every, halves = slice(None), (slice(0, None, 2), slice(1, None, 2))
    recognizer.cfg["temperature"] = 1.0
    rows = [row("all", "none", 1.0, measure_calibration(scored(every), SPANS_KEY))]
    fit(every)
    on_same = measure_calibration(scored(every), SPANS_KEY)
    rows.append(row("all", "all", recognizer.temperature, on_same))
    both = []
    for measured, fitted, names in (
        (halves[1], halves[0], ("2nd half", "1st half")),
        (halves[0], halves[1], ("1st half", "2nd half")),
    ):
        fit(fitted)
        examples = scored(measured)
        rows.append(row(*names, recognizer.temperature, measure_calibration(examples, SPANS_KEY)))
        both += examples
    crossed = measure_calibration(both, SPANS_KEY)
    rows.append(row("all", "the other half", None, crossed))
    print(f"\n{args.pipeline.name}, {platform.machine()}, {args.threads} threads,", end=" ")
    print(", ".join(f"{name} {version(name)}" for name in PACKAGES))
    print("\n| measured on | fitted on | temperature | entities | mean score | right | ECE |")
    print("|---|---|---|---|---|---|---|", *rows, sep="\n")


def read(nlp: Language, path: Path, part: slice) -> list[Example]:
    return list(Corpus(path)(nlp))[part]


def row(measured: str, fitted: str, temperature: float | None, calibration: Calibration) -> str:
    counts = calibration.counts
    used = counts > 0
    score, right = (
        (values[used] * counts[used]).sum() / counts.sum()
        for values in (calibration.confidence, calibration.accuracy)
    )
    shown = "" if temperature is None else f"{temperature:.3f}"
    return (
        f"| {measured} | {fitted} | {shown} | {counts.sum()} | {score:.2%} | {right:.2%} "
        f"| {calibration.error:.2%} |"
    )


if __name__ == "__main__":
    main()
