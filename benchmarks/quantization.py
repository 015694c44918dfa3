"""What torch's dynamic quantisation of a trained pipeline gains and costs.

    python benchmarks/quantization.py PIPELINE DEV.spacy

In turns: the pipeline as it is, in mixed precision, and with the linear layers of its encoder in
int8: words a second of `nlp.pipe`, F1, and the bytes of the encoder's weights. CPU only.
"""

import argparse
import io
import statistics
import time
import warnings
from pathlib import Path

import spacy
import torch
from spacy.language import Language
from spacy.tokens import DocBin
from spacy.training import Example
from torch import nn
from torch.ao.quantization import quantize_dynamic

from spacy_bertcrf.models.bert.bert_shim import bert_shim

MIXED = {"components.bertcrf.model.tok2vec.mixed_precision": True}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("pipeline", type=Path)
    parser.add_argument("dev", type=Path, help="a DocBin")
    parser.add_argument("--limit", type=int, default=400, help="read the first so many texts")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    pipelines = {
        "float32": spacy.load(args.pipeline),
        "mixed_precision": spacy.load(args.pipeline, config=MIXED),
        "int8": quantized(spacy.load(args.pipeline)),
    }
    gold = list(DocBin().from_disk(args.dev).get_docs(pipelines["float32"].vocab))[: args.limit]
    n_words = sum(map(len, gold))
    seconds: dict[str, list[float]] = {name: [] for name in pipelines}
    for turn in range(args.rounds + 1):
        for name, nlp in pipelines.items():
            start = time.perf_counter()
            list(nlp.pipe([doc.text for doc in gold]))
            if turn:
                seconds[name].append(time.perf_counter() - start)
    print(
        f"{len(gold)} texts, {n_words} words, {args.rounds} rounds, {args.threads} threads, ",
        end="",
    )
    print(f"torch {torch.__version__}, engine {torch.backends.quantized.engine}")
    print("\n| | words/s | F1 | MB of the encoder |\n|---|---|---|---|")
    for name, nlp in pipelines.items():
        rate = n_words / statistics.median(seconds[name])
        scores = nlp.evaluate([Example(nlp.make_doc(doc.text), doc) for doc in gold])
        print(f"| {name} | {rate:.0f} | {100 * scores['ents_f']:.2f} | {encoder_mb(nlp):.1f} |")


def quantized(nlp: Language) -> Language:
    """The pipeline with the linear layers of its encoder in int8."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own: its quantised tensors will be replaced
        quantize_dynamic(encoder(nlp), {nn.Linear}, inplace=True)
    return nlp


def encoder(nlp: Language) -> nn.Module:
    module: nn.Module = bert_shim(nlp.get_pipe("bertcrf").model.get_ref("tok2vec")).module
    return module


def encoder_mb(nlp: Language) -> float:
    """In MB of 10^6 bytes, as torch saves them."""
    file = io.BytesIO()
    torch.save(encoder(nlp).state_dict(), file)
    return file.getbuffer().nbytes / 1e6


if __name__ == "__main__":
    main()
