"""One way of training for all pipelines that are compared: same batches, same learning rates."""

import argparse
import os
import random
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import spacy
import torch
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.util import fix_random_seed
from thinc.api import Optimizer

from spacy_bertcrf.training.optimizer.schedules import WarmupDecay
from spacy_bertcrf.training.piece_batches import batch_by_pieces


class Recipe(NamedTuple):
    """bert: its folder. pieces: of a batch, with padding. epochs, learn_rate: of the training,
    one tenth of whose steps warm up. mixed_precision: BERT in bfloat16, where a program can."""

    bert: str
    pieces: int
    epochs: int
    learn_rate: float
    gpu_id: int
    mixed_precision: bool

    def synchronize(self) -> None:
        if self.gpu_id >= 0:
            torch.cuda.synchronize()


def add_arguments(parser: argparse.ArgumentParser, epochs: int) -> None:
    """What all comparisons of several seeds can be told."""
    parser.add_argument("--limit", type=int, help="read so many documents of each corpus and part")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--pieces", type=int, default=1600, help="wordpieces of a batch")
    parser.add_argument("--learn-rate", type=float, default=3e-4)
    parser.add_argument("--mixed-precision", action="store_true", help="BERT in bfloat16")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--gpu-id", type=int, default=-1)


def recipe_of(args: argparse.Namespace) -> Recipe:
    """The recipe that they give, with the machine set up for it."""
    torch.set_num_threads(args.threads)
    if args.gpu_id >= 0:
        spacy.require_gpu(args.gpu_id)
    bert = str(Path(os.environ["SPACY_BERTCRF_REAL"]) / "models" / "zh-char-bert-4l")
    return Recipe(
        bert, args.pieces, args.epochs, args.learn_rate, args.gpu_id, args.mixed_precision
    )


def batches_of(docs: Sequence[Doc], recipe: Recipe, seed: int) -> list[list[Doc]]:
    """The batches of all epochs, of Docs of similar length."""
    random.seed(seed)
    batcher = batch_by_pieces(recipe.pieces, recipe.bert)
    batches = []
    for _ in range(recipe.epochs):
        shuffled = list(docs)
        random.shuffle(shuffled)
        batches += batcher(shuffled)
    return batches


def train(
    batches: Sequence[list[Doc]], step: Callable[[list[Doc], float], None], recipe: Recipe
) -> float:
    """Take a step with each batch, at its learning rate; the seconds that it took."""
    rates = WarmupDecay(recipe.learn_rate, total_steps=len(batches))
    recipe.synchronize()
    start = time.perf_counter()
    for batch, rate in zip(batches, rates, strict=False):
        step(batch, rate)
    recipe.synchronize()
    return time.perf_counter() - start


def pipeline_step(
    nlp: Language, docs: Sequence[Doc], optimizer: Optimizer, seed: int
) -> Callable[[list[Doc], float], None]:
    """Initialize a pipeline, and give what takes a step of it with some of the Docs."""
    fix_random_seed(seed)
    examples = dict(zip(map(id, docs), examples_for(nlp, docs), strict=True))
    nlp.initialize(lambda: list(examples.values()), sgd=optimizer)

    def step(batch: list[Doc], rate: float) -> None:
        optimizer.learn_rate = rate
        nlp.update([examples[id(doc)] for doc in batch], drop=0.1, sgd=optimizer)

    return step


def examples_for(nlp: Language, docs: Iterable[Doc]) -> list[Example]:
    """The documents as the pipeline's own tokenizer sees them, with their annotation."""
    gold = DocBin(docs=docs).get_docs(nlp.vocab)
    return [Example(nlp.make_doc(doc.text), doc) for doc in gold]


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation over the seeds, in percent."""
    mean = statistics.mean(values)
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{mean:.2%} ± {deviation:.2%}"
