"""The `bertcrf_onnx` component: a trained `bertcrf` on machines without torch."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import srsly
from spacy.errors import Errors
from spacy.pipeline import Pipe
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import ensure_path, minibatch
from spacy.vocab import Vocab

from spacy_bertcrf.models.onnx.onnx_model import OnnxModel
from spacy_bertcrf.pipeline.annotations import judged_examples
from spacy_bertcrf.pipeline.batch_annotation import annotated, check_prediction
from spacy_bertcrf.pipeline.length_batches import batches_by_length
from spacy_bertcrf.pipeline.tag_posterior import (
    Prediction,
    TagPosterior,
    TagStretch,
    set_predictions,
)


class OnnxEntityRecognizer(Pipe):
    """Predicts what the `bertcrf` that was exported predicts in float32, entities and scores, as
    far as sums in another order come out alike. It does not learn.

    model: what it reads with; None before it is loaded.
    """

    model: OnnxModel | None = None

    def __init__(
        self,
        vocab: Vocab,
        name: str = "bertcrf_onnx",
        *,
        max_batch_tokens: int = 8192,
        spans_key: str | None = None,
        threshold: float | None = None,
        overwrite_ents: bool = False,
        cross_sentences: bool = False,
        n_threads: int = 0,
        scorer: Callable | None = None,
    ):
        """The arguments are those of the factory.

        Raises ValueError for a batch of no tokens, fewer than no threads, and a threshold that is
        no probability.
        """
        check_prediction(max_batch_tokens, threshold)
        if n_threads < 0:
            raise ValueError(f"n_threads is {n_threads}; it must be 0, for one a core, or more.")
        self.vocab = vocab
        self.name = name
        self.max_batch_tokens = max_batch_tokens
        self.spans_key = spans_key
        self.threshold = threshold
        self.overwrite_ents = overwrite_ents
        self.cross_sentences = cross_sentences
        self.n_threads = n_threads
        self.scorer = scorer

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order that the model has them in."""
        return () if self.model is None else self.model.tag_set.labels

    def __call__(self, doc: Doc) -> Doc:
        """Annotate a Doc."""
        for done in annotated(self, self.name, [doc]):
            return done
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Annotate a stream of Docs, in batches."""
        for docs in minibatch(stream, size=batch_size):
            yield from annotated(self, self.name, list(docs))

    def predict(self, docs: Iterable[Doc]) -> list[Prediction]:
        """The best tag sequence of each Doc, given what the Doc has set already.

        Raises ValueError before a model is loaded.
        """
        if self.model is None:
            raise ValueError(Errors.E109.format(name=self.name))
        docs = list(docs)
        predictions = [Prediction(np.zeros(0, dtype=np.int64)) for _ in docs]
        with_probabilities = self.spans_key is not None or self.threshold is not None
        for batch in batches_by_length(docs, self.max_batch_tokens):
            posterior = _Posterior(
                self.model,
                [docs[i] for i in batch],
                overwrite=self.overwrite_ents,
                cross_sentences=self.cross_sentences,
            )
            for i, prediction in zip(batch, posterior.predict(with_probabilities), strict=True):
                predictions[i] = prediction
        return predictions

    def set_annotations(self, docs: Iterable[Doc], scores: Sequence[Prediction]) -> None:
        """Set doc.ents, and doc.spans where the component has a spans_key.

        scores: as from `predict`.
        """
        if self.model is not None:
            tag_set = self.model.tag_set
            set_predictions(
                docs, scores, tag_set, self.threshold, self.spans_key, self.overwrite_ents
            )

    def score(self, examples: Iterable[Example], **settings: Any) -> dict[str, Any]:
        """The scores of predicted Docs, as of `bertcrf`."""
        scores: dict[str, Any] = super().score(judged_examples(examples), **settings)
        return scores

    def use(self, model: OnnxModel) -> None:
        """Read with this model."""
        self.model = model
        for label in self.labels:
            self.vocab.strings.add(label)

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write the component to a folder.

        exclude: "model" to leave that out, in this and the methods below; there is nothing else.
        """
        folder = ensure_path(path)
        folder.mkdir(parents=True, exist_ok=True)
        if self.model is not None and "model" not in exclude:
            self.model.to_disk(folder)

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "OnnxEntityRecognizer":
        """Load what `to_disk` wrote. Raises ImportError if there is no onnxruntime."""
        folder = ensure_path(path)
        if "model" not in exclude and any(folder.iterdir()):
            self.use(OnnxModel.from_disk(folder, self.n_threads))
        return self

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """The component as bytes."""
        model = None if "model" in exclude else self.model
        return srsly.msgpack_dumps(None if model is None else model.to_bytes())

    def from_bytes(
        self, bytes_data: bytes, *, exclude: Iterable[str] = ()
    ) -> "OnnxEntityRecognizer":
        """Load what `to_bytes` gave. Raises ImportError if there is no onnxruntime."""
        saved: Any = srsly.msgpack_loads(bytes_data)
        if saved is not None and "model" not in exclude:
            self.use(OnnxModel.from_bytes(saved, self.n_threads))
        return self


class _Posterior(TagPosterior):
    def __init__(self, model: OnnxModel, docs: Sequence[Doc], **settings: Any):
        super().__init__(docs, model.tag_set, temperature=model.settings.temperature, **settings)
        self._crf = model.crf
        self._emissions = model.emissions(docs)
        self._lengths = [len(doc) for doc in docs]

    def best_paths(self) -> list[np.ndarray]:
        return self._crf.best_paths(self._emissions, self._lengths, self._allowed)

    def _stretch_probabilities(
        self, stretches: Sequence[TagStretch], closing: np.ndarray
    ) -> np.ndarray:
        return self._crf.stretch_probabilities(
            self._emissions, self._lengths, stretches, closing, self._allowed, self._temperature
        )
