"""A trained BERT and sequence layer as ONNX graphs: Docs to emissions by onnxruntime."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import srsly
from spacy.tokens import Doc

from spacy_bertcrf.models.bert.encoder_input import encoder_input
from spacy_bertcrf.models.bert.saved_tokenizer import build_tokenizer
from spacy_bertcrf.models.bert.windows import read_in_windows
from spacy_bertcrf.models.bert.wordpieces import WordpieceTokenizer
from spacy_bertcrf.models.onnx.numpy_crf import NumpyCRF
from spacy_bertcrf.tagging import TagSet

BATCH_COST = 128  # what a batch costs beyond its wordpieces, in wordpieces
GRAPHS = ("encoder.onnx", "tagger.onnx")


@dataclass(frozen=True)
class Settings:
    """labels, scheme: of the tags. temperature: that of the trained component.
    alignment, pooling, window, overlap, max_batch_pieces: as of `BertEncoder`, the window no longer
        than the encoder's limit. use_fast: whether the tokenizer is a fast one."""

    labels: list[str]
    scheme: str
    temperature: float
    alignment: str
    pooling: str
    window: int
    overlap: int
    max_batch_pieces: int
    use_fast: bool


class OnnxModel:
    """What is saved of a model, and what it makes of Docs. Any number of threads may use it.

    settings: see there.
    tokenizer: the files of a Hugging Face tokenizer, by name.
    graphs: by their names in GRAPHS. That of the encoder takes "ids" and "mask", int64
        (batch, length), and gives "vectors", (batch, length, width); that of the tagger takes
        "vectors", (batch, length, width) of tokens, and "mask", bool (batch, length), and gives
        "emissions", (batch, length, tags). All float32.
    weights: "pieceless", the vector of tokens without wordpieces, and the CRF's "start",
        "transitions" and "end".
    n_threads: of onnxruntime; 0 for one a core.

    Raises ImportError, with the extra to install, if there is no onnxruntime, and ValueError if it
    cannot read the graphs.
    """

    def __init__(
        self,
        settings: Settings,
        tokenizer: dict[str, bytes],
        graphs: dict[str, bytes],
        weights: dict[str, np.ndarray],
        n_threads: int = 0,
    ):
        self.settings = settings
        self.tag_set = TagSet(settings.labels, settings.scheme)
        of_crf = {name: weights[name] for name in ("start", "transitions", "end")}
        self.crf = NumpyCRF(self.tag_set, **of_crf)
        self._graphs = graphs
        self._others: dict[str, Any] = {"tokenizer": tokenizer, "weights": weights}
        self._n_threads = n_threads
        self._tokenizer = WordpieceTokenizer(
            build_tokenizer(tokenizer, settings.use_fast), settings.alignment
        )
        self._sessions = {os.getpid(): _sessions(graphs, n_threads)}

    def emissions(self, docs: Sequence[Doc]) -> np.ndarray:
        """The scores of all tags for all tokens of some Docs with tokens, of similar length:
        (n_tokens, tags) float32."""
        encoder, tagger = self._runnable()
        vectors = self._vectors(encoder, docs)
        lengths = np.asarray([len(doc) for doc in docs])
        mask = np.arange(lengths.max()) < lengths[:, None]
        padded = np.zeros((*mask.shape, vectors.shape[1]), dtype=np.float32)
        padded[mask] = vectors
        (scores,) = tagger.run(["emissions"], {"vectors": padded, "mask": mask})
        of_tokens: np.ndarray = scores[mask]
        return of_tokens

    def to_bytes(self) -> bytes:
        """All of it, as msgpack."""
        return srsly.msgpack_dumps(
            {"settings": asdict(self.settings), "graphs": self._graphs, **self._others}
        )

    @classmethod
    def from_bytes(cls, saved: bytes, n_threads: int = 0) -> "OnnxModel":
        """What `to_bytes` gave."""
        parts: Any = srsly.msgpack_loads(saved)
        return cls(Settings(**parts.pop("settings")), **parts, n_threads=n_threads)

    def __reduce__(self) -> tuple[Any, ...]:
        return OnnxModel.from_bytes, (self.to_bytes(), self._n_threads)

    def to_disk(self, folder: Path) -> None:
        """Write all of it to a folder that exists, the graphs as files of their own."""
        srsly.write_json(folder / "settings.json", asdict(self.settings))
        for name, graph in self._graphs.items():
            (folder / name).write_bytes(graph)
        for name, value in self._others.items():
            srsly.write_msgpack(folder / f"{name}.msgpack", value)

    @classmethod
    def from_disk(cls, folder: Path, n_threads: int = 0) -> "OnnxModel":
        """What `to_disk` wrote."""
        read: Any = srsly.read_json(folder / "settings.json")
        graphs = {name: (folder / name).read_bytes() for name in GRAPHS}
        tokenizer: Any = srsly.read_msgpack(folder / "tokenizer.msgpack")
        weights: Any = srsly.read_msgpack(folder / "weights.msgpack")
        return cls(Settings(**read), tokenizer, graphs, weights, n_threads)

    def _runnable(self) -> list[Any]:
        """The sessions of this process. The threads of those of another one that it was forked from
        are not here, and to wait for them, be it to end them, would take for ever."""
        process = os.getpid()
        if process not in self._sessions:
            self._sessions[process] = _sessions(self._graphs, self._n_threads)
        return self._sessions[process]

    def _vectors(self, encoder: Any, docs: Sequence[Doc]) -> np.ndarray:
        """(n_tokens, width) float32, as `layers.WordpieceEncoder` has them."""
        settings, tokenizer = self.settings, self._tokenizer
        wordpieces, windows = read_in_windows(tokenizer, docs, settings.window, settings.overlap)
        read = encoder_input(
            wordpieces,
            windows,
            prefix=tokenizer.prefix,
            suffix=tokenizer.suffix,
            pad_id=tokenizer.pad_id,
            pooling=settings.pooling,
            max_batch_pieces=settings.max_batch_pieces,
            batch_cost=BATCH_COST,
        )
        rows = [self._others["weights"]["pieceless"][None]]
        for ids, mask in zip(read.input_ids, read.attention_masks, strict=True):
            mask = np.ones_like(ids) if mask is None else mask
            (vectors,) = encoder.run(["vectors"], {"ids": ids, "mask": mask})
            rows.append(vectors.reshape(-1, vectors.shape[-1]))
        pieces = np.concatenate(rows)[read.pieces]
        if read.bags is None:
            return pieces
        counts = np.diff(read.bags, append=len(pieces))
        means: np.ndarray = np.add.reduceat(pieces, read.bags) / counts[:, None].astype(np.float32)
        return means


def _sessions(graphs: dict[str, bytes], n_threads: int) -> list[Any]:
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError(
            "The component 'bertcrf_onnx' runs on onnxruntime. Install it: "
            "pip install 'spacy-bertcrf[onnx]'."
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    options.log_severity_level = 3  # errors
    try:
        return [
            onnxruntime.InferenceSession(graphs[name], options, ["CPUExecutionProvider"])
            for name in GRAPHS
        ]
    except Exception as error:
        raise ValueError(
            f"onnxruntime {onnxruntime.__version__} cannot read the model ({error}). Install a "
            "newer one, or export the pipeline anew."
        ) from error
