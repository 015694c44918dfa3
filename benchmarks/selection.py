"""What choosing the texts to annotate is worth: CLUENER2020, its gold standard for an annotator.

    export SPACY_BERTCRF_REAL=FOLDER   # with data/cluener/ and models/zh-char-bert-4l
    python benchmarks/selection.py random entropy --threads 1

Of a random part of train.json, --first texts chosen at random are annotated; then, in rounds, a
pipeline is trained on what is annotated and chooses texts of the rest up to the next of --sizes, as
`python -m spacy bertcrf select` does. A ranking with "/plain" behind it does without variety.
"random" takes texts in a random order. Each pipeline is trained from the start for --steps
steps, whatever its texts, without a sequence layer; what is scored, strictly, is the pipeline of
the last step. --judge train scores on 1,000 texts of train.json that are in no part, and is for
choosing a ranking; --judge dev scores on dev.json.
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
    recipe = Recipe(str(real / "models" / "zh-char-bert-4l"), PIECES, 1, RATE, -1, True)
    print(
        f"CLUENER2020, {args.pool} texts to choose from, {args.first} at first, {args.steps}",
        end="",
    )
    print(f" steps of {PIECES} wordpieces, bfloat16, judged on {args.judge}; {platform.machine()},")
    print(f"{args.threads} threads, {', '.join(f'{name} {version(name)}' for name in PACKAGES)}")
    print("\n| ranking | seed | texts | characters | entities | P | R | F1 | minutes |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for seed in args.seeds:
        pool, judged = corpora(real, args, seed)
        start = trained(pool[: args.first], recipe, args.steps, seed)
        for ranking in args.rankings:
            simulate(ranking, start, pool, judged, recipe, args, seed)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("rankings", nargs="+", help=f"{RANDOM}, {', '.join(RANKINGS)}")
    parser.add_argument("--sizes", type=int, nargs="+", default=[250, 500, 600, 1000, 2000])
    parser.add_argument("--first", type=int, default=100, help="texts chosen at random")
    parser.add_argument("--pool", type=int, default=5000, help="texts to choose from")
    parser.add_argument("--steps", type=int, default=600, help="of each training")
    parser.add_argument("--judge", choices=["train", "dev"], default="dev")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def corpora(real: Path, args: argparse.Namespace, seed: int) -> tuple[list[Doc], list[Doc]]:
    """The texts to choose from in a random order, and those that are scored on."""
    docs = read(real, "train")
    random.Random(seed).shuffle(docs)
    held_out = docs[args.pool : args.pool + N_HELD_OUT]
    return docs[: args.pool], held_out if args.judge == "train" else read(real, "dev")


def read(real: Path, part: str) -> list[Doc]:
    return read_corpus(real / "data" / "cluener" / f"{part}.json", "cluener", lang="zh").docs


def simulate(
    ranking: str,
    nlp: Language,
    pool: Sequence[Doc],
    judged: Sequence[Doc],
    recipe: Recipe,
    args: argparse.Namespace,
    seed: int,
) -> None:
    """nlp: trained on the first texts of the pool."""
    annotated, rest = list(pool[: args.first]), list(pool[args.first :])
    for size in args.sizes:
        begin = time.perf_counter()
        for i in choose(ranking, nlp, rest, size - len(annotated)):
            annotated.append(rest[i])
        taken = set(map(id, annotated))
        rest = [doc for doc in rest if id(doc) not in taken]
        nlp = trained(annotated, recipe, args.steps, seed)
        scores = nlp.evaluate(examples_for(nlp, judged))
        row = [ranking, seed, size, sum(map(len, annotated)), sum(len(d.ents) for d in annotated)]
        row += [f"{scores[f'ents_{key}']:.1%}" for key in "prf"]
        row.append(f"{(time.perf_counter() - begin) / 60:.1f}")
        print(f"| {' | '.join(map(str, row))} |", flush=True)


def choose(ranking: str, nlp: Language, rest: Sequence[Doc], n: int) -> list[int]:
    if ranking == RANDOM:
        return list(range(n))
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
