"""Words a second in prediction, beside what else there is, in one run.

    SPACY_BERTCRF_REAL=FOLDER python benchmarks/inference.py conll2003 --bert MINILM
    SPACY_BERTCRF_REAL=FOLDER python benchmarks/inference.py cluener \
        --bert FOLDER/models/zh-char-bert-4l

All read the same texts, in their natural order, with the same BERT; the layers above it have
random weights. `limit` is BERT's bare forward, tokenised beforehand, on batches of perfectly
sorted texts. The rounds take turns, and the table has medians. flair is left out where it is not
installed.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import spacy
import torch
from peers import (
    LANGUAGES,
    describe_machine,
    flair_tagger,
    our_pipeline,
    read_dev,
    spacy_pipeline,
)
from spacy.tokens import Doc
from transformers import AutoModel, AutoModelForTokenClassification, AutoTokenizer, pipeline

BATCH_SIZES = (8, 16, 32, 64)  # of the limit, which may choose
PEER_BATCH_SIZE = 32


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus", choices=LANGUAGES)
    parser.add_argument("--bert", required=True, help="folder of the BERT")
    parser.add_argument("--texts", type=int, default=1000, help="read the first so many")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--gpu-id", type=int, default=-1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.gpu_id >= 0:
        spacy.require_gpu(args.gpu_id)
    device = torch.device("cpu" if args.gpu_id < 0 else f"cuda:{args.gpu_id}")
    docs = read_dev(args.corpus, args.texts)
    contenders = make_contenders(args.corpus, args.bert, docs, device)
    seconds = take_turns(contenders, args.rounds)

    n_words = sum(map(len, docs))
    print(f"{len(docs)} texts of {args.corpus}, {n_words} words. {describe_machine(device)}")
    print("\n| | words/s | of the limit |\n|---|---|---|")
    limit = min(of_name for name, of_name in seconds.items() if name.startswith("limit"))
    for name, of_name in seconds.items():
        print(f"| {name} | {n_words / of_name:.0f} | {limit / of_name:.2f} |")


def make_contenders(
    corpus: str, bert: str, docs: list[Doc], device: torch.device
) -> dict[str, Callable[[], object]]:
    texts = [doc.text for doc in docs]
    ours = our_pipeline(corpus, bert, docs)
    theirs = spacy_pipeline(corpus, bert, docs)
    tokenizer = AutoTokenizer.from_pretrained(bert)
    classifier = pipeline(
        "token-classification",
        model=AutoModelForTokenClassification.from_pretrained(bert, torch_dtype=torch.float32),
        tokenizer=tokenizer,
        aggregation_strategy="simple",
        batch_size=PEER_BATCH_SIZE,
        device=device,
    )
    contenders: dict[str, Callable[[], object]] = {
        "spacy-bertcrf (BERT-BiLSTM-CRF)": lambda: list(ours.pipe(texts)),
        "spaCy transformer + ner": lambda: list(theirs.pipe(texts)),
        "transformers token-classification": lambda: classifier(texts),
    }
    try:
        tagger = flair_tagger(corpus, bert, docs)
    except ImportError:
        print("flair is not installed: left out")
    else:
        contenders["flair SequenceTagger (BiLSTM-CRF)"] = lambda: predict_with_flair(tagger, docs)
    model = AutoModel.from_pretrained(bert, torch_dtype=torch.float32).eval().to(device)
    ids = sorted(tokenizer(texts, truncation=True, max_length=512)["input_ids"], key=len)
    for size in BATCH_SIZES:
        batches = [
            tokenizer.pad({"input_ids": ids[i : i + size]}, return_tensors="pt").to(device)
            for i in range(0, len(ids), size)
        ]
        contenders[f"limit (bare forward, batches of {size})"] = bare_forward(model, batches)
    return contenders


def predict_with_flair(tagger, docs: list[Doc]) -> None:
    from flair.data import Sentence

    # It keeps its predictions in the sentences, so these are made anew.
    sentences = [Sentence([token.text for token in doc]) for doc in docs]
    tagger.predict(sentences, mini_batch_size=PEER_BATCH_SIZE)


def bare_forward(model, batches: list) -> Callable[[], None]:
    def run() -> None:
        with torch.inference_mode():
            for batch in batches:
                model(**batch)

    return run


def take_turns(contenders: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median seconds of each; what is first in one round is last in the next."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    order = list(contenders)
    for name in order:
        contenders[name]()
    for _ in range(rounds):
        order.reverse()
        for name in order:
            start = time.perf_counter()
            contenders[name]()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(of_name) for name, of_name in seconds.items()}


if __name__ == "__main__":
    main()
