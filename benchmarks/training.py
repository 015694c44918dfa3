"""Words a second in training, beside what else there is, in one run.

    SPACY_BERTCRF_REAL=FOLDER python benchmarks/training.py conll2003 --bert MINILM
    SPACY_BERTCRF_REAL=FOLDER python benchmarks/training.py cluener \
        --bert FOLDER/models/zh-char-bert-4l

All train the whole BERT, on the same texts. In natural order, batches are of 32 texts as they come;
`batch_by_pieces` are the batches that our configs make. The bare loop is PyTorch's: padded
batches, a linear layer, cross-entropy, AdamW, gradient clipping. Linux only (reads /proc).
"""

import argparse
from collections.abc import Callable, Sequence
from functools import partial

import torch
from peers import (
    LANGUAGES,
    describe_machine,
    examples_for,
    flair_sentences,
    flair_tagger,
    our_pipeline,
    read_dev,
    spacy_pipeline,
)
from spacy.language import Language
from spacy.training import Example
from thinc.api import Adam, Optimizer
from transformers import AutoModelForTokenClassification, AutoTokenizer
from turns import Program, Setting, add_arguments, print_table, setting_of, take_turns

from spacy_bertcrf.training.optimizer.adamw import AdamW
from spacy_bertcrf.training.piece_batches import batch_by_pieces

BATCH_SIZE = 32
LEARNING_RATE = 1e-5
MAX_PIECES = {"cluener": 1600, "conll2003": 1000}


def main() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser, list(LANGUAGES), n_texts=256)
    args = parser.parse_args()
    setting = setting_of(args)
    programs: dict[str, Program] = {
        "spacy-bertcrf (BERT-BiLSTM-CRF), natural order": ours,
        "spacy-bertcrf (BERT-BiLSTM-CRF), batch_by_pieces": ours_by_pieces,
        "spacy-bertcrf, batch_by_pieces, mixed_precision": partial(
            ours_by_pieces, mixed_precision=True
        ),
        "spaCy transformer + ner, natural order": spacys,
        "flair SequenceTagger (BiLSTM-CRF), natural order": flairs,
        "bare PyTorch loop (BERT, linear), natural order": bare_loop,
    }
    results = take_turns(programs, setting, args.rounds)
    bare = results["bare PyTorch loop (BERT, linear), natural order"].seconds
    n_words = sum(map(len, read_dev(setting.corpus, setting.n_texts)))
    print(f"{setting.n_texts} texts of {setting.corpus}, {n_words} words, {args.rounds} rounds")
    print(describe_machine(setting))
    print_table(results, n_words, "bare loop", bare)


def ours(setting: Setting) -> Callable[[], object]:
    docs = read_dev(setting.corpus, setting.n_texts)
    nlp = our_pipeline(setting.corpus, setting.bert, docs)
    return train_with_spacy(nlp, in_order(examples_for(nlp, docs)), AdamW(LEARNING_RATE))


def ours_by_pieces(setting: Setting, mixed_precision: bool = False) -> Callable[[], object]:
    docs = read_dev(setting.corpus, setting.n_texts)
    nlp = our_pipeline(setting.corpus, setting.bert, docs, mixed_precision)
    batcher = batch_by_pieces(MAX_PIECES[setting.corpus], setting.bert)
    return train_with_spacy(nlp, list(batcher(examples_for(nlp, docs))), AdamW(LEARNING_RATE))


def spacys(setting: Setting) -> Callable[[], object]:
    docs = read_dev(setting.corpus, setting.n_texts)
    nlp = spacy_pipeline(setting.corpus, setting.bert, docs)
    optimizer = Adam(LEARNING_RATE, L2=0.01, use_averages=False, grad_clip=1.0)
    return train_with_spacy(nlp, in_order(examples_for(nlp, docs)), optimizer)


def train_with_spacy(
    nlp: Language, batches: list[list[Example]], optimizer: Optimizer
) -> Callable[[], object]:
    def run() -> None:
        for batch in batches:
            nlp.update(batch, drop=0.1, sgd=optimizer)

    return run


def flairs(setting: Setting) -> Callable[[], object]:
    docs = read_dev(setting.corpus, setting.n_texts)
    tagger = flair_tagger(setting.bert, docs)
    tagger.train()
    optimizer = torch.optim.AdamW(tagger.parameters(), LEARNING_RATE, weight_decay=0.01)

    def run() -> None:
        # It keeps its vectors in the sentences, so these are made anew.
        for batch in in_order(flair_sentences(docs)):
            loss, n_tokens = tagger.forward_loss(batch)
            take_step(tagger, loss / n_tokens, optimizer)

    return run


def bare_loop(setting: Setting) -> Callable[[], object]:
    docs = read_dev(setting.corpus, setting.n_texts)
    tokenizer = AutoTokenizer.from_pretrained(setting.bert)
    labels = {ent.label_ for doc in docs for ent in doc.ents}
    model = AutoModelForTokenClassification.from_pretrained(
        setting.bert, torch_dtype=torch.float32, num_labels=2 * len(labels) + 1
    )
    model.train().to(setting.device)
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=0.01)
    batches = []
    for batch in in_order(docs):
        encoded = tokenizer(
            [[token.text for token in doc] for doc in batch],
            is_split_into_words=True,
            truncation=True,
            max_length=512,
            padding=True,
            return_tensors="pt",
        )
        # Speed does not ask which tags they are.
        encoded["labels"] = encoded["input_ids"] % model.config.num_labels
        batches.append(encoded.to(setting.device))

    def run() -> None:
        for batch in batches:
            take_step(model, model(**batch).loss, optimizer)

    return run


def take_step(module: torch.nn.Module, loss: torch.Tensor, optimizer) -> None:
    loss.backward()
    torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()


def in_order(items: Sequence) -> list:
    return [items[i : i + BATCH_SIZE] for i in range(0, len(items), BATCH_SIZE)]


if __name__ == "__main__":
    main()
