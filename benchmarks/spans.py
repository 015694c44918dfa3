"""Overlapping spans: both heads of `bertcrf_spans`, spaCy's `spancat`, and `bertcrf` on what it can
say of them, on CMeEE.

    SPACY_BERTCRF_REAL=FOLDER python benchmarks/spans.py

FOLDER has data/cmeee/{train,dev}.json and models/zh-char-bert-4l. All read the same batches of the
same texts as often, with the same BERT. `spancat` has the n-gram suggester, up to the length that
covers 99 % of the training spans, and our BertEncoder as its tok2vec, or a `transformer` of
spacy-transformers, in float32 ("spancat-transformer"); `bertcrf` learns the outermost entities, and
is scored on all. No step is chosen on dev: it is the last. Nested entities are those inside of
another one.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import spacy
from peers import ROOT, add_transformer, describe_machine
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
from turns import Setting

from spacy_bertcrf.corpora.reading import read_corpus
from spacy_bertcrf.evaluation.calibration import calibration_of
from spacy_bertcrf.training.optimizer.adamw import AdamW

KEY = "sc"
COVERED = 0.99
Spans = set[tuple[int, int, str]]
SPANCATS = ("spancat", "spancat-transformer")
HEADS = {
    "label-crfs": {"@layers": "spacy-bertcrf.LabelCRFs.v1"},
    "global-pointer": {"@layers": "spacy-bertcrf.GlobalPointer.v1"},
}


def main() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser, epochs=3)
    parser.add_argument("--only", nargs="+", default=[*HEADS, "bertcrf", *SPANCATS])
    parser.add_argument("--spancat-scale", type=float, default=5.0, help="rate of its own layers")
    parser.add_argument("--corpus", default="cmeee")
    parser.add_argument(
        "--held-out", action="store_true", help="score on a fifth of train that is not learned"
    )
    args = parser.parse_args()
    recipe = recipe_of(args)
    folder = Path(os.environ["SPACY_BERTCRF_REAL"]) / "data" / args.corpus
    docs = read_corpus(folder / "train.json", spans_key=KEY).docs
    dev = read_corpus(folder / "dev.json", spans_key=KEY).docs
    if args.held_out:
        dev, docs = docs[::5], [doc for i, doc in enumerate(docs) if i % 5]
    docs, dev = docs[: args.limit], dev[: args.limit]
    print(f"{args.corpus}: {len(docs)} texts, {len(dev)} to score on, {recipe}")
    print(describe_machine(Setting("spans", 0, recipe.bert, args.threads, args.gpu_id)))
    results: dict[str, list[dict[str, float]]] = {name: [] for name in args.only}
    for seed in args.seeds:
        for name in args.only:
            found = measure(name, docs, dev, recipe, seed, args.spancat_scale)
            results[name].append(found)
            print(f"seed {seed}, {name}: {json.dumps(found)}", flush=True)
    columns = ["P", "R", "F1", "nested: R", "outer: R", "ECE"]
    print(f"\n| | {' | '.join(columns)} | words/s: training | prediction |")
    print("|---|" + "---|" * (len(columns) + 2))
    for name, of_seeds in results.items():
        cells = [spread([found[key] for found in of_seeds]) for key in columns]
        for key in ("training", "prediction"):
            cells.append(f"{statistics.median(found[key] for found in of_seeds):,.0f}")
        print(f"| {name} | {' | '.join(cells)} |")


def measure(
    name: str, docs: Sequence[Doc], dev: Sequence[Doc], recipe: Recipe, seed: int, scale: float
) -> dict[str, float]:
    """Train a pipeline, and score the spans that it finds in dev."""
    fix_random_seed(seed)
    nlp = pipeline(name, docs, recipe)
    groups = load_config(ROOT / "configs" / "bert_spans.cfg")["training"]["optimizer"]["groups"]
    if name == "global-pointer":
        del groups["crf"]
    if name in SPANCATS:
        patterns = ("encoder.*", "embeddings.*") if name == "spancat-transformer" else ("*bert*",)
        groups = {pattern.strip(".*"): {"pattern": pattern} for pattern in patterns}
        groups["own"] = {"pattern": "*", "learn_rate_scale": scale}
    step = pipeline_step(nlp, docs, AdamW(recipe.learn_rate, groups=groups), seed)
    batches = batches_of(docs, recipe, seed)
    seconds = train(batches, step, recipe)
    found = {"training": sum(len(doc) for batch in batches for doc in batch) / seconds}
    texts = [doc.text for doc in dev]
    list(nlp.pipe(texts[:20]))
    recipe.synchronize()
    start = time.perf_counter()
    predicted = list(nlp.pipe(texts, batch_size=256))
    recipe.synchronize()
    found["prediction"] = sum(map(len, dev)) / (time.perf_counter() - start)
    found.update(scores_of(predicted, [spans_of(doc, KEY) for doc in dev]))
    if name in HEADS:
        found.update(without_threshold_and_calibrated(nlp, dev))
    return found


def without_threshold_and_calibrated(nlp: Language, dev: Sequence[Doc]) -> dict[str, float]:
    """F1 of the most probable sets of spans; and on every second text, the calibration error before
    and after the temperature is fitted to the others."""
    component = nlp.get_pipe("bertcrf_spans")
    gold = [spans_of(doc, KEY) for doc in dev]
    texts = [doc.text for doc in dev]
    usual, component.threshold = component.threshold, None
    found = {"F1, threshold null": scores_of(list(nlp.pipe(texts)), gold)["F1"]}
    component.threshold = usual
    found["ECE, half"] = scores_of(list(nlp.pipe(texts[1::2])), gold[1::2])["ECE"]
    component.fit_temperature(examples_for(nlp, dev[::2]))
    found["temperature"] = component.temperature
    calibrated = scores_of(list(nlp.pipe(texts[1::2])), gold[1::2])
    found["ECE, half, calibrated"] = calibrated["ECE"]
    return found


def pipeline(name: str, docs: Sequence[Doc], recipe: Recipe) -> Language:
    """A pipeline with a BERT of its own."""
    overrides = {
        "paths.transformer": recipe.bert,
        "components.bertcrf_spans.model.tok2vec.mixed_precision": recipe.mixed_precision,
    }
    config = load_config(ROOT / "configs" / "bert_spans.cfg", overrides=overrides, interpolate=True)
    if name in HEADS:
        config["components"]["bertcrf_spans"]["model"]["head"] = HEADS[name]
        return load_model_from_config(config, auto_fill=True)
    tok2vec = config["components"]["bertcrf_spans"]["model"]["tok2vec"]
    nlp = spacy.blank("zh")
    if name == "bertcrf":
        model = {
            "@architectures": "spacy-bertcrf.CRFTagger.v1",
            "tok2vec": tok2vec,
            "encoder": {"@layers": "spacy-bertcrf.Identity.v1"},
        }
        nlp.add_pipe("bertcrf", config={"model": model, "spans_key": KEY})
        return nlp
    if name == "spancat-transformer":
        tok2vec = add_transformer(nlp, recipe.bert)
    model = {
        "@architectures": "spacy.SpanCategorizer.v1",
        "tok2vec": tok2vec,
        "reducer": {"@layers": "spacy.mean_max_reducer.v1", "hidden_size": 128},
        "scorer": {"@layers": "spacy.LinearLogistic.v1", "nO": None, "nI": None},
    }
    lengths = [end - start for doc in docs for start, end, _ in spans_of(doc, KEY)]
    longest = int(np.quantile(lengths, COVERED))
    suggester = {
        "@misc": "spacy.ngram_range_suggester.v1",
        "min_size": 1,
        "max_size": longest,
    }
    print(f"spancat's n-grams: up to {longest} tokens, of at most {max(lengths)}")
    nlp.add_pipe("spancat", config={"model": model, "suggester": suggester, "spans_key": KEY})
    return nlp


def scores_of(predicted: Iterable[Doc], gold: Sequence[Spans]) -> dict[str, float]:
    """Precision, recall and F1 of all spans, recall of those inside of others and of the rest, by
    label the F1, and the calibration error of the scores."""
    predicted = list(predicted)
    found = [spans_of(doc, KEY) for doc in predicted]
    inner = [{s for s in spans if any(_is_inside(s, other) for other in spans)} for spans in gold]
    outer = [spans - nested for spans, nested in zip(gold, inner, strict=True)]
    scores = [float(x) for doc in predicted for x in doc.spans[KEY].attrs["scores"]]
    is_right = [
        (span.start, span.end, span.label_) in spans
        for doc, spans in zip(predicted, gold, strict=True)
        for span in doc.spans[KEY]
    ]
    precision, recall, f_score = _prf(found, gold)
    result = {"P": precision, "R": recall, "F1": f_score}
    result["nested: R"], result["outer: R"] = _prf(found, inner)[1], _prf(found, outer)[1]
    result["ECE"] = (
        calibration_of(np.asarray(scores), np.asarray(is_right)).error if scores else 0.0
    )
    for label in sorted({span[2] for spans in gold for span in spans}):
        parts = [[{s for s in doc if s[2] == label} for doc in side] for side in (found, gold)]
        result[label] = round(_prf(*parts)[2], 4)
    return result


def spans_of(doc: Doc, key: str) -> Spans:
    return {(span.start, span.end, span.label_) for span in doc.spans[key]}


def _is_inside(span: tuple[int, int, str], other: tuple[int, int, str]) -> bool:
    return span[:2] != other[:2] and other[0] <= span[0] and span[1] <= other[1]


def _prf(found: Sequence[Spans], gold: Sequence[Spans]) -> tuple[float, float, float]:
    right = sum(len(a & b) for a, b in zip(found, gold, strict=True))
    n_found, n_gold = sum(map(len, found)), sum(map(len, gold))
    precision, recall = right / max(n_found, 1), right / max(n_gold, 1)
    return precision, recall, 2 * right / max(n_found + n_gold, 1)


if __name__ == "__main__":
    main()
