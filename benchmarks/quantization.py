"""What 8-bit products of a trained pipeline's encoder, and onnxruntime, gain and cost.

    python benchmarks/quantization.py PIPELINE DEV.spacy

In turns: the pipeline as it is, in mixed precision, and with the linear layers of its encoder in
int8: as torch's `quantize_dynamic` does it, and by oneDNN with a scale for each output channel, the
rest in float32 or in bfloat16; and as `bertcrf to-onnx` exports it, and that with the encoder's
products in int8 by onnxruntime's `quantize_dynamic`. Words a second of `nlp.pipe`, F1, the entities
that float32 has too (F1 of both), and the bytes of the encoder's weights. CPU only.
"""

import argparse
import io
import statistics
import time
import warnings
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import spacy
import srsly
import torch
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from torch import Tensor, nn
from torch.ao.quantization import quantize_dynamic

from spacy_bertcrf.models.bert.bert_shim import bert_shim
from spacy_bertcrf.models.onnx.onnx_model import OnnxModel
from spacy_bertcrf.pipeline.onnx_export import export_to_onnx

MIXED = "components.bertcrf.model.tok2vec.mixed_precision"
KINDS = (
    *("float32", "mixed_precision", "int8: quantize_dynamic", "int8", "int8 and bfloat16"),
    *("onnxruntime", "onnxruntime: int8"),
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("pipeline", type=Path)
    parser.add_argument("dev", type=Path, help="a DocBin")
    parser.add_argument("--limit", type=int, default=400, help="read the first so many texts")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    kinds = dict.fromkeys(["float32", *args.kinds])
    pipelines = {kind: load(args.pipeline, kind, args.threads) for kind in kinds}
    gold = list(DocBin().from_disk(args.dev).get_docs(pipelines["float32"].vocab))[: args.limit]
    n_words = sum(map(len, gold))
    seconds: dict[str, list[float]] = {kind: [] for kind in pipelines}
    found: dict[str, list[Doc]] = {}
    for turn in range(args.rounds + 1):
        for kind, nlp in pipelines.items():
            start = time.perf_counter()
            found[kind] = list(nlp.pipe([doc.text for doc in gold]))
            if turn:
                seconds[kind].append(time.perf_counter() - start)
    print(
        f"{len(gold)} texts, {n_words} words, {args.rounds} rounds, {args.threads} threads, ",
        end="",
    )
    print(f"torch {torch.__version__}, engine {torch.backends.quantized.engine}")
    print("\n| | words/s | F1 | as in float32 | MB of the encoder |\n|---|---|---|---|---|")
    for kind, nlp in pipelines.items():
        rate = n_words / statistics.median(seconds[kind])
        print(
            f"| {kind} | {rate:.0f} | {f1(nlp, found[kind], gold):.2f} "
            f"| {f1(nlp, found[kind], found['float32']):.2f} | {encoder_mb(nlp):.1f} |"
        )


def load(path: Path, kind: str, n_threads: int) -> Language:
    """A pipeline, with the products of its encoder of one of KINDS."""
    is_mixed = kind in ("mixed_precision", "int8 and bfloat16")
    nlp = spacy.load(path, config={MIXED: is_mixed})
    if kind == "int8: quantize_dynamic":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own: its quantised tensors will be replaced
            quantize_dynamic(encoder(nlp), {nn.Linear}, inplace=True)
    elif kind.startswith("int8"):
        replace_linear(encoder(nlp), torch.bfloat16 if is_mixed else torch.float32)
    elif kind.startswith("onnxruntime"):
        export_to_onnx(nlp, int8=kind == "onnxruntime: int8")
        recognizer = nlp.get_pipe("bertcrf")
        recognizer.use(OnnxModel.from_bytes(recognizer.model.to_bytes(), n_threads))
    return nlp


class Int8Linear(nn.Module):
    """A linear layer with 8-bit weights, a scale for each output, and its inputs in 8 bits between
    their least and their greatest number; by oneDNN.

    input_bits: makes 8 bits of an input.
    dtype: of what it gives.
    """

    def __init__(self, layer: nn.Linear, input_bits: "InputBits", dtype: torch.dtype):
        super().__init__()
        weight = layer.weight.detach()
        scales = weight.abs().amax(1) / 127
        self.register_buffer("weight", (weight / scales[:, None]).round().to(torch.int8))
        self.register_buffer("scales", scales)
        self.register_buffer("bias", layer.bias.detach().clone())
        self._zeros = torch.zeros(len(scales), dtype=torch.int64)
        self._packed = torch.ops.onednn.qlinear_prepack(self.weight, None)
        self._input_bits, self._dtype = input_bits, dtype

    def forward(self, input: Tensor) -> Tensor:
        product: Tensor = torch.ops.onednn.qlinear_pointwise(
            *self._input_bits(input),
            self._packed,
            self.scales,
            self._zeros,
            self.bias,
            *(1.0, 0, self._dtype, "none", [], ""),
        )
        return product.unflatten(0, input.shape[:-1])


class InputBits:
    """The 8 bits of an input, its scale and its zero; of the last one once, for queries, keys and
    values are made of the same."""

    def __init__(self) -> None:
        self._last: tuple[Tensor, tuple[Tensor, float, int]] | None = None

    def __call__(self, input: Tensor) -> tuple[Tensor, float, int]:
        if self._last is None or self._last[0] is not input:
            rows = input.flatten(0, -2).float()
            least, greatest = (float(x) for x in torch.aminmax(rows))
            scale = (max(greatest, 0.0) - min(least, 0.0)) / 255 or 1.0
            zero = round(-min(least, 0.0) / scale)
            bits = torch.quantize_per_tensor(rows, scale, zero, torch.quint8).int_repr()
            self._last = input, (bits, scale, zero)
        return self._last[1]


def replace_linear(module: nn.Module, dtype: torch.dtype) -> None:
    make = partial(Int8Linear, input_bits=InputBits(), dtype=dtype)
    for parent in list(module.modules()):
        for name, layer in list(parent.named_children()):
            if type(layer) is nn.Linear:
                setattr(parent, name, make(layer))


def encoder(nlp: Language) -> nn.Module:
    module: nn.Module = bert_shim(nlp.get_pipe("bertcrf").model.get_ref("tok2vec")).module
    return module


def f1(nlp: Language, found: Iterable[Doc], gold: Iterable[Doc]) -> float:
    """In per cent."""
    examples = [Example(doc, other) for doc, other in zip(found, gold, strict=True)]
    return 100 * nlp.get_pipe("bertcrf").score(examples)["ents_f"]


def encoder_mb(nlp: Language) -> float:
    """In MB of 10^6 bytes, as torch saves them, or of the graph."""
    model = nlp.get_pipe("bertcrf").model
    if isinstance(model, OnnxModel):
        return len(srsly.msgpack_loads(model.to_bytes())["graphs"]["encoder.onnx"]) / 1e6
    file = io.BytesIO()
    torch.save(encoder(nlp).state_dict(), file)
    return file.getbuffer().nbytes / 1e6


if __name__ == "__main__":
    main()
