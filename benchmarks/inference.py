"""Words a second in prediction, beside what else there is, in one run.

    SPACY_BERTCRF_REAL=FOLDER python benchmarks/inference.py conll2003 --bert MINILM
    SPACY_BERTCRF_REAL=FOLDER python benchmarks/inference.py cluener \
        --bert FOLDER/models/zh-char-bert-4l

All read the same texts, in their natural order, with the same BERT; the layers above it have
random weights. `limit` is BERT's bare forward, tokenised beforehand, on batches of perfectly
sorted texts, at the best of some batch sizes, in float32 as all but `mixed_precision`. flair is
left out where it is not installed. Linux only (reads /proc).
"""

import argparse
from collections.abc import Callable
from functools import partial

import torch
from peers import (
    LANGUAGES,
    describe_machine,
    flair_tagger,
    our_pipeline,
    read_dev,
    spacy_pipeline,
)
from transformers import AutoModel, AutoModelForTokenClassification, AutoTokenizer, pipeline
from turns import Program, Setting, add_arguments, print_table, setting_of, take_turns

BATCH_SIZES = (8, 16, 32, 64)  # of the limit
PEER_BATCH_SIZE = 32


def main() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser, list(LANGUAGES), n_texts=1000)
    args = parser.parse_args()
    setting = setting_of(args)
    programs: dict[str, Program] = {
        "spacy-bertcrf (BERT-BiLSTM-CRF)": ours,
        "spacy-bertcrf, mixed_precision": partial(ours, mixed_precision=True),
        "spaCy transformer + ner": spacys,
        "transformers token-classification": huggingfaces,
        "flair SequenceTagger (BiLSTM-CRF)": flairs,
        **{f"bare forward, batches of {size}": BareForward(size) for size in BATCH_SIZES},
    }
    results = take_turns(programs, setting, args.rounds)
    limit = min(result.seconds for name, result in results.items() if name.startswith("bare"))
    n_words = sum(map(len, read_dev(setting.corpus, setting.n_texts)))
    print(f"{setting.n_texts} texts of {setting.corpus}, {n_words} words, {args.rounds} rounds")
    print(describe_machine(setting))
    print_table(results, n_words, "limit", limit)


def ours(setting: Setting, mixed_precision: bool = False) -> Callable[[], object]:
    docs = read_dev(setting.corpus, setting.n_texts)
    nlp = our_pipeline(setting.corpus, setting.bert, docs, mixed_precision)
    return lambda: list(nlp.pipe([doc.text for doc in docs]))


def spacys(setting: Setting) -> Callable[[], object]:
    docs = read_dev(setting.corpus, setting.n_texts)
    nlp = spacy_pipeline(setting.corpus, setting.bert, docs)
    return lambda: list(nlp.pipe([doc.text for doc in docs]))


def huggingfaces(setting: Setting) -> Callable[[], object]:
    classifier = pipeline(
        "token-classification",
        model=AutoModelForTokenClassification.from_pretrained(
            setting.bert, torch_dtype=torch.float32
        ),
        tokenizer=AutoTokenizer.from_pretrained(setting.bert),
        aggregation_strategy="simple",
        batch_size=PEER_BATCH_SIZE,
        device=setting.device,
    )
    texts = [doc.text for doc in read_dev(setting.corpus, setting.n_texts)]
    return lambda: classifier(texts)


def flairs(setting: Setting) -> Callable[[], object]:
    docs = read_dev(setting.corpus, setting.n_texts)
    tagger = flair_tagger(setting.bert, docs)
    from flair.data import Sentence

    def run() -> None:
        # It keeps its predictions in the sentences, so these are made anew.
        sentences = [Sentence([token.text for token in doc]) for doc in docs]
        tagger.predict(sentences, mini_batch_size=PEER_BATCH_SIZE)

    return run


class BareForward:
    """BERT's forward on sorted texts, in batches of a given size."""

    def __init__(self, batch_size: int):
        self.batch_size = batch_size

    def __call__(self, setting: Setting) -> Callable[[], object]:
        tokenizer = AutoTokenizer.from_pretrained(setting.bert)
        model = AutoModel.from_pretrained(setting.bert, torch_dtype=torch.float32)
        model.eval().to(setting.device)
        texts = [doc.text for doc in read_dev(setting.corpus, setting.n_texts)]
        ids = sorted(tokenizer(texts, truncation=True, max_length=512)["input_ids"], key=len)
        batches = [
            tokenizer.pad({"input_ids": ids[i : i + self.batch_size]}, return_tensors="pt")
            for i in range(0, len(ids), self.batch_size)
        ]

        def run() -> None:
            with torch.inference_mode():
                for batch in batches:
                    model(**batch.to(setting.device))

        return run


if __name__ == "__main__":
    main()
