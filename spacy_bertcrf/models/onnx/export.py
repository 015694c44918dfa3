"""A trained CRF tagger, by torch.onnx, as an OnnxModel."""

import copy
import inspect
import logging
import warnings
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from thinc.api import Model, PyTorchShim
from torch import Tensor, nn
from torch.nn.utils import parametrize

from spacy_bertcrf.layers import SequenceTagger, WordpieceEncoder
from spacy_bertcrf.models.bert import pretrained
from spacy_bertcrf.models.bert.bert_encoder import is_bert_encoder, reading_of
from spacy_bertcrf.models.bert.bert_shim import bert_shim
from spacy_bertcrf.models.bridge.torch_shim import TorchShim, torch_shim
from spacy_bertcrf.models.onnx.onnx_model import GRAPHS, OnnxModel, Settings
from spacy_bertcrf.models.types import CRFTaggerModel

OPSET = 17  # of ONNX 1.12, which onnxruntime reads since 1.12
FLOAT = 1  # of TensorProto
OF_BATCH = {0: "batch", 1: "length"}


def exported(model: CRFTaggerModel, temperature: float, int8: bool = False) -> OnnxModel:
    """An initialized `CRFTagger` with a BertEncoder inside of it, in float32, whatever its
    precision.

    temperature: that of its component.
    int8: the encoder's products in 8 bits: a scale for each output of a layer, and one for each
        input as it comes.

    Raises ValueError if its token vectors come from elsewhere, and ImportError, with the extra to
    install, if a package is missing.
    """
    if find_spec("onnx") is None:
        raise ImportError("torch needs onnx to export: pip install 'spacy-bertcrf[onnx]'.")
    tok2vec = model.get_ref("tok2vec")
    if not is_bert_encoder(tok2vec):
        raise ValueError(
            f"its token vectors are made by a '{tok2vec.name}'. Only a model with a "
            "spacy-bertcrf.BertEncoder.v1 inside of it can be exported"
        )
    shim = bert_shim(tok2vec)
    encoder: WordpieceEncoder = _copied(shim.module)
    encoder.autocast_dtype = None
    tagger: SequenceTagger = _copied(torch_shim(model.get_ref("sequence_tagger")).module)
    crf = _copied(torch_shim(model.get_ref("crf")).module)
    ids = torch.randint(0, encoder.bert.config.vocab_size, (2, 9))
    vectors = torch.randn(2, 9, encoder.output_width)
    mask = torch.ones(2, 9, dtype=torch.bool)
    graphs = (
        _graph(_Encoder(encoder), {"ids": ids, "mask": mask.long()}, "vectors"),
        _graph(_Tagger(tagger), {"vectors": vectors, "mask": mask}, "emissions"),
    )
    if int8:
        graphs = (_in_8_bits(graphs[0]), graphs[1])
    weights = {
        "pieceless": encoder.pieceless,
        "start": crf.start_transitions,
        "transitions": crf.transitions,
        "end": crf.end_transitions,
    }
    return OnnxModel(
        _settings(model, temperature),
        shim.cfg["tokenizer"],
        dict(zip(GRAPHS, graphs, strict=True)),
        {name: weight.detach().float().numpy() for name, weight in weights.items()},
    )


class _Encoder(nn.Module):
    def __init__(self, encoder: WordpieceEncoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self.encoder.encode(ids, mask)


class _Tagger(nn.Module):
    def __init__(self, tagger: SequenceTagger):
        super().__init__()
        self.layer, self.projection = tagger.encoder, tagger.projection

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        # The mask is an input also where there is no layer that needs it.
        hidden = vectors.where(mask.unsqueeze(2), 0.0)
        scores: Tensor = self.projection(self.layer(hidden, mask) if self.layer else hidden)
        return scores


def _settings(model: CRFTaggerModel, temperature: float) -> Settings:
    tok2vec = model.get_ref("tok2vec")
    shim, reading = bert_shim(tok2vec), reading_of(tok2vec)
    limit = pretrained.max_positions(shim.module.bert, shim.tokenizer.tokenizer)
    of_tags: dict[str, Any] = torch_shim(model.get_ref("crf")).cfg
    return Settings(
        labels=list(of_tags["labels"]),
        scheme=of_tags["scheme"],
        temperature=temperature,
        alignment=shim.tokenizer.alignment,
        pooling=reading.pooling,
        window=min(reading.window, limit or reading.window),
        overlap=reading.overlap,
        max_batch_pieces=reading.max_batch_pieces,
        use_fast=shim.cfg["use_fast"],
    )


def _copied(module: Any) -> Any:
    """A copy on the CPU, of plain layers that torch.onnx knows."""
    module = copy.deepcopy(module).cpu().float().eval()
    for layer in module.modules():
        vars(layer).pop("forward", None)  # that multiplies by oneDNN
        if parametrize.is_parametrized(layer):  # weight normalisation
            for name in [*layer.parametrizations]:
                parametrize.remove_parametrizations(layer, name)
    return module


def _graph(module: nn.Module, inputs: dict[str, Tensor], output: str) -> bytes:
    options: dict[str, Any] = {}
    # The exporter that traces: the other one has packages of its own, and came later.
    if "dynamo" in inspect.signature(torch.onnx.export).parameters:
        options["dynamo"] = False
    with TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of what tracing takes to be the same for all inputs
        path = Path(folder) / "graph.onnx"
        torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            str(path),
            input_names=[*inputs],
            output_names=[output],
            dynamic_axes=dict.fromkeys((*inputs, output), OF_BATCH),
            opset_version=OPSET,
            **options,
        )
        return path.read_bytes()


def _in_8_bits(graph: bytes) -> bytes:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with TemporaryDirectory() as folder:
        path = Path(folder) / "graph.onnx"
        path.write_bytes(graph)
        logging.disable(logging.WARNING)  # it advises what is for images
        try:
            quantize_dynamic(
                path,
                path,
                per_channel=True,
                weight_type=QuantType.QInt8,
                # The rest is not taken apart, such as the products of queries and keys.
                extra_options={"MatMulConstBOnly": True, "DefaultTensorType": FLOAT},
            )
        finally:
            logging.disable(logging.NOTSET)
        return path.read_bytes()


def runs_on_torch(model: Any) -> bool:
    """Whether a thinc model has a layer that does."""
    if not isinstance(model, Model):
        return False
    kinds = (TorchShim, PyTorchShim)
    return any(isinstance(shim, kinds) for node in model.walk() for shim in node.shims)
