"""What share of the time each part takes, of `nlp.pipe` and of a training step.

    SPACY_BERTCRF_REAL=FOLDER python benchmarks/shares.py conll2003 --bert MINILM
    SPACY_BERTCRF_REAL=FOLDER python benchmarks/shares.py cluener \
        --bert FOLDER/models/zh-char-bert-4l --pipeline PIPELINE

Without a trained PIPELINE the weights are random, and find entities everywhere, which take time to
be written. What is spent in a part that is inside another counts for the inner one alone. On a GPU,
whose work goes on while Python does, the shares would mislead.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import spacy
import torch
from peers import LANGUAGES, describe_machine, examples_for, our_pipeline, read_dev
from turns import add_arguments, setting_of

from spacy_bertcrf.layers import BiLSTM, SequenceTagger, WordpieceEncoder
from spacy_bertcrf.models.bert import bert_encoder
from spacy_bertcrf.pipeline import learning
from spacy_bertcrf.pipeline.entity_recognizer import CRFEntityRecognizer
from spacy_bertcrf.pipeline.freed_memory import FreedMemory
from spacy_bertcrf.pipeline.posterior import Posterior
from spacy_bertcrf.training.optimizer.adamw import AdamW
from spacy_bertcrf.training.piece_batches import batch_by_pieces

PREDICTION = [
    (WordpieceEncoder, "encode", "BERT's forward"),
    (bert_encoder, "_read", "wordpieces, windows and batches"),
    (BiLSTM, "read_packed", "BiLSTM"),
    (SequenceTagger, "forward", "projection"),
    (Posterior, "best_paths", "CRF, decoding"),
    (CRFEntityRecognizer, "set_annotations", "entities in the Docs"),
]
TRAINING = [
    (WordpieceEncoder, "forward", "BERT's forward, pooling"),
    (torch.Tensor, "backward", "backward of BERT and of the CRF"),
    (bert_encoder, "_read", "wordpieces, windows and batches"),
    (SequenceTagger, "forward", "BiLSTM and projection, forward"),
    (learning, "objective", "CRF, loss and the rest of its gradient"),
    (AdamW, "step_parameters", "AdamW"),
    (AdamW, "begin_step", "norm of the gradients"),
    (FreedMemory, "after_step", "memory given back"),
]


def main() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser, list(LANGUAGES), n_texts=1000)
    parser.add_argument("--pipeline", help="its folder")
    args = parser.parse_args()
    setting = setting_of(args)
    torch.set_num_threads(setting.threads)
    docs = read_dev(setting.corpus, setting.n_texts)
    trained = spacy.load(args.pipeline) if args.pipeline else None
    nlp = trained or our_pipeline(setting.corpus, setting.bert, docs)
    texts = [doc.text for doc in docs]
    batches = list(batch_by_pieces(1600, setting.bert)(examples_for(nlp, docs[:320])))
    optimizer = AdamW(1e-5)

    def train() -> None:
        for batch in batches:
            nlp.update(batch, drop=0.1, sgd=optimizer)

    print(f"{setting.n_texts} texts of {setting.corpus}. {describe_machine(setting)}")
    print_shares("nlp.pipe", lambda: list(nlp.pipe(texts)), PREDICTION)
    print_shares("training", train, TRAINING)


def print_shares(name: str, run: Callable[[], object], parts: list[tuple[Any, str, str]]) -> None:
    run()
    seconds: Counter[str] = Counter()
    originals = [(owner, method, getattr(owner, method)) for owner, method, _ in parts]
    for (owner, method, label), (_, _, function) in zip(parts, originals, strict=True):
        setattr(owner, method, timed(function, label, seconds))
    start = time.perf_counter()
    run()
    total = time.perf_counter() - start
    for owner, method, function in originals:
        setattr(owner, method, function)
    print(f"\n| of {name} | |\n|---|---|")
    for *_, label in parts:
        print(f"| {label} | {seconds[label] / total:.1%} |")
    print(f"| the rest | {1 - seconds.total() / total:.1%} |")


def timed(function: Callable, label: str, seconds: Counter[str]) -> Callable:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        start, inside = time.perf_counter(), seconds.total()
        try:
            return function(*args, **kwargs)
        finally:
            inner = seconds.total() - inside
            seconds[label] += time.perf_counter() - start - inner

    return wrapped


if __name__ == "__main__":
    main()
