"""The forward pass of a pipeline's BERT: torch as the pipeline calls it, beside onnxruntime.

    pip install onnx onnxruntime
    python benchmarks/onnx_forward.py PIPELINE DEV.spacy --threads 2

In turns, on the batches that `nlp.pipe` makes of the texts: float32 and mixed precision by torch,
and what torch.onnx exports, by onnxruntime: as it comes, with the layers of a BERT fused by its own
optimizer, and these in int8. Words a second of the forward pass alone. CPU only.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.optimizer import optimize_model
from quantization import encoder, load
from spacy.language import Language
from spacy.tokens import DocBin
from torch import Tensor, nn

from spacy_bertcrf.layers import WordpieceEncoder
from spacy_bertcrf.layers.half_precision_casts import sharing_casts

Batch = tuple[Tensor, Tensor | None]
FLOAT = 1  # in ONNX
AXES = {0: "batch", 1: "length"}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("pipeline", type=Path)
    parser.add_argument("dev", type=Path, help="a DocBin")
    parser.add_argument("--limit", type=int, default=400, help="read the first so many texts")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(args.threads)
    kinds = {kind: load(args.pipeline, kind) for kind in ("float32", "mixed_precision")}
    nlp = kinds["float32"]
    texts = [doc.text for doc in DocBin().from_disk(args.dev).get_docs(nlp.vocab)][: args.limit]
    n_words = sum(len(nlp.make_doc(text)) for text in texts)
    batches = batches_of(nlp, texts)
    runs = {f"torch, {kind}": by_torch(encoder(nlp), batches) for kind, nlp in kinds.items()}
    with TemporaryDirectory() as folder:
        exported = export(encoder(load(args.pipeline, "float32")).bert, Path(folder))
        for name, path in exported.items():
            runs[name] = by_onnxruntime(path, batches, args.threads)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(args.rounds + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    print(
        f"{len(texts)} texts, {n_words} words in {len(batches)} batches, {args.threads} threads, "
    )
    print(f"torch {torch.__version__}, onnxruntime {onnxruntime.__version__}")
    print("\n| | words/s |\n|---|---|")
    for name, times in seconds.items():
        print(f"| {name} | {n_words / statistics.median(times):.0f} |")


def batches_of(nlp: Language, texts: list[str]) -> list[Batch]:
    batches: list[Batch] = []
    encode = WordpieceEncoder.encode

    def noted(self: WordpieceEncoder, ids: Tensor, mask: Tensor | None) -> Tensor:
        batches.append((ids, mask))
        return encode(self, ids, mask)

    WordpieceEncoder.encode = noted
    list(nlp.pipe(texts))
    WordpieceEncoder.encode = encode
    return batches


def by_torch(module: WordpieceEncoder, batches: list[Batch]) -> Callable[[], object]:
    def run() -> None:
        with torch.no_grad(), sharing_casts(keep_weights=True):
            for batch in batches:
                module.encode(*batch)

    return run


def by_onnxruntime(path: Path, batches: list[Batch], threads: int) -> Callable[[], object]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    inputs = [
        {"ids": ids.numpy(), "mask": (torch.ones_like(ids) if mask is None else mask).numpy()}
        for ids, mask in batches
    ]
    return lambda: [session.run(None, given) for given in inputs]


def export(bert: nn.Module, folder: Path) -> dict[str, Path]:
    for layer in bert.modules():
        vars(layer).pop("forward", None)  # oneDNN's products, which ONNX does not know
    ids = torch.randint(5, 100, (3, 17))
    plain, fused, int8 = (folder / f"{name}.onnx" for name in ("plain", "fused", "int8"))
    torch.onnx.export(
        LastHidden(bert).eval(),
        (ids, torch.ones_like(ids)),
        str(plain),
        input_names=["ids", "mask"],
        output_names=["vectors"],
        dynamic_axes={"ids": AXES, "mask": AXES, "vectors": AXES},
        opset_version=17,
        dynamo=False,
    )
    config = bert.config
    optimized = optimize_model(
        str(plain),
        model_type="bert",
        num_heads=config.num_attention_heads,
        hidden_size=config.hidden_size,
        opt_level=1,
    )
    optimized.save_model_to_file(str(fused))
    quantize_dynamic(
        fused,
        int8,
        per_channel=True,
        weight_type=QuantType.QInt8,
        extra_options={"MatMulConstBOnly": True, "DefaultTensorType": FLOAT},
    )
    return {
        "onnxruntime": plain,
        "onnxruntime, fused": fused,
        "onnxruntime, fused, int8": int8,
    }


class LastHidden(nn.Module):
    def __init__(self, bert: nn.Module):
        super().__init__()
        self.bert = bert

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        hidden: Tensor = self.bert(input_ids=ids, attention_mask=mask).last_hidden_state
        return hidden


if __name__ == "__main__":
    main()
