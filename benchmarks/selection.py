"""What choosing the texts to annotate is worth: CLUENER2020, its gold standard for an annotator.

    export SPACY_BERTCRF_REAL=FOLDER   # with data/cluener/ and models/zh-char-bert-4l
    python benchmarks/selection.py random:250,500,1000,2000 entropy --threads 1

Of a random part of train.json, --first texts chosen at random are annotated; then, in rounds, a
pipeline is trained on what is annotated and chooses texts of the rest up to the next of --sizes, as
`python -m spacy bertcrf select` does. A ranking with "/plain" behind it does without variety.
"random" takes texts in a random order. Each pipeline is trained from the start for --steps
steps, whatever its texts, without a sequence layer; what is scored, strictly, is the pipeline of
the last step: F1 on 1,000 further texts of train.json, by which a ranking is chosen, and precision,
recall and F1 on dev.json.
"""

import argparse
import os
import platform
import random
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import spacy
import torch
from seeded_training import Recipe, examples_for, pipeline_step, train
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import load_config

from spacy_bertcrf.corpora.reading import read_corpus
from spacy_bertcrf.teaching.ranking import RANKINGS, rank
from spacy_bertcrf.teaching.survey import Surveyed, survey
from spacy_bertcrf.training.piece_batches import batch_by_pieces

ROOT = Path(__file__).parents[1]
PACKAGES = ("spacy-bertcrf", "spacy", "torch", "transformers")
PIECES, RATE = 500, 3e-4
N_HELD_OUT = 1000
RANDOM, PLAIN = "random", "/plain"


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    real = Path(os.environ["SPACY_BERTCRF_REAL"])
    recipe = Recipe(str(real / "models" / "zh-char-bert-4l"), PIECES, 1, RATE, -1, not args.float32)
    precision = "float32" if args.float32 else "bfloat16"
    print(f"CLUENER2020, {args.pool} texts to choose from, {args.first} at first,")
    print(f"{args.steps} steps of {PIECES} wordpieces, {precision}; {platform.machine()},")
    print(f"{args.threads} threads, {', '.join(f'{name} {version(name)}' for name in PACKAGES)}")
    columns = ["ranking", "seed", "texts", "characters", "entities", "F1 held out", *"PR", "F1"]
    print(f"\n| {' | '.join([*columns, 'minutes'])} |\n{'|---' * 10}|", flush=True)
    dev = read(real, "dev")
    for seed in args.seeds:
        docs = read(real, "train")
        random.Random(seed).shuffle(docs)
        pool, held_out = docs[: args.pool], docs[args.pool : args.pool + N_HELD_OUT]
        start = None
        for told in args.rankings:
            ranking, _, sizes = told.partition(":")
            wanted = list(map(int, sizes.split(","))) if sizes else args.sizes
            if ranking != RANDOM and start is None:
                start = trained(pool[: args.first], recipe, args.steps, seed)
            annotated, rest, nlp = pool[: args.first], pool[args.first :], start
            for size in wanted:
                begin = time.perf_counter()
                chosen = choose(ranking, nlp, rest, size - len(annotated))
                annotated = [*annotated, *(rest[i] for i in chosen)]
                taken = set(chosen)
                rest = [doc for i, doc in enumerate(rest) if i not in taken]
                nlp = trained(annotated, recipe, args.steps, seed)
                row = [ranking, seed, *described(annotated), *scores(nlp, held_out, dev)]
                row.append(f"{(time.perf_counter() - begin) / 60:.1f}")
                print(f"| {' | '.join(map(str, row))} |", flush=True)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    names = f"{RANDOM}, {', '.join(RANKINGS)}; with its own sizes: {RANDOM}:250,500"
    parser.add_argument("rankings", nargs="+", help=names)
    parser.add_argument("--sizes", type=int, nargs="+", default=[250, 500, 600, 1000, 2000])
    parser.add_argument("--first", type=int, default=100, help="texts chosen at random")
    parser.add_argument("--pool", type=int, default=5000, help="texts to choose from")
    parser.add_argument("--steps", type=int, default=600, help="of each training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--float32", action="store_true", help="for a CPU without bfloat16")
    return parser.parse_args()


def read(real: Path, part: str) -> list[Doc]:
    return read_corpus(real / "data" / "cluener" / f"{part}.json", "cluener", lang="zh").docs


def described(docs: Sequence[Doc]) -> tuple[int, int, int]:
    return len(docs), sum(len(doc.text) for doc in docs), sum(len(doc.ents) for doc in docs)


def scores(nlp: Language, held_out: Sequence[Doc], dev: Sequence[Doc]) -> list[str]:
    by_choice = nlp.evaluate(examples_for(nlp, held_out))
    found = nlp.evaluate(examples_for(nlp, dev))
    values = [by_choice["ents_f"], *(found[f"ents_{key}"] for key in "prf")]
    return [f"{value:.1%}" for value in values]


def choose(ranking: str, nlp: Language | None, rest: Sequence[Doc], n: int) -> list[int]:
    if ranking == RANDOM:
        return list(range(n))
    assert nlp is not None
    found = list(survey(nlp, [doc.text for doc in rest]))
    texts = [text for text in found if isinstance(text, Surveyed)]
    assert len(texts) == len(found)
    return rank(texts, ranking.removesuffix(PLAIN), n, varied=not ranking.endswith(PLAIN))


def trained(docs: Sequence[Doc], recipe: Recipe, n_steps: int, seed: int) -> Language:
    overrides = {
        "paths.transformer": recipe.bert,
        "components.bertcrf.model.tok2vec.mixed_precision": recipe.mixed_precision,
        "training.optimizer.learn_rate.total_steps": 1,  # not used: the recipe has the rates
    }
    path = ROOT / "configs" / "bert_crf.cfg"
    loaded = load_config(path, overrides=overrides, interpolate=True)
    nlp = spacy.util.load_model_from_config(loaded, auto_fill=True)
    settings = spacy.util.registry.resolve({"optimizer": loaded["training"]["optimizer"]})
    step = pipeline_step(nlp, docs, settings["optimizer"], seed)
    batches = batches_of(docs, recipe, seed)
    train([next(batches) for _ in range(n_steps)], step, recipe)
    return nlp


def batches_of(docs: Sequence[Doc], recipe: Recipe, seed: int) -> Iterator[list[Doc]]:
    """Epoch after epoch."""
    rng = random.Random(seed)
    batcher = batch_by_pieces(recipe.pieces, recipe.bert)
    while True:
        shuffled = list(docs)
        rng.shuffle(shuffled)
        yield from batcher(shuffled)


if __name__ == "__main__":
    main()
