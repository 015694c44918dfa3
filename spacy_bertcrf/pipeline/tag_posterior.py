"""What is believed of the entities of a batch of Docs, given what they have set already: whatever
computes it. This module and what it needs run without torch."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from spacy.tokens import Doc

from spacy_bertcrf.pipeline.annotations import (
    allowed_tags,
    open_tokens,
    set_entities,
    set_span_group,
    trimmed,
)
from spacy_bertcrf.tagging import EntitySpan, TagSet

TagStretch: TypeAlias = tuple[int, int, list[int]]
"""Tags on consecutive tokens of a Doc: its number in the batch, the first token, the tag ids."""


class Prediction(NamedTuple):
    """What is predicted for one Doc.

    tag_ids: (n_tokens,) int64, the best tag sequence.
    probabilities: the exact posterior probabilities of the entities that it adds to the Doc, or
        None where nobody asked.
    """

    tag_ids: np.ndarray
    probabilities: dict[EntitySpan, float] | None = None


class TagPosterior:
    """The distribution over the tag sequences of some Docs that keep to what the Docs have set.

    overwrite: pay no heed to the entities that the Docs have set.
    cross_sentences: pay no heed to the sentence breaks that the Docs have set.
    temperature: what all scores are divided by, where probabilities are asked for.
    """

    def __init__(
        self,
        docs: Sequence[Doc],
        tag_set: TagSet,
        *,
        overwrite: bool = False,
        cross_sentences: bool = False,
        temperature: float = 1.0,
    ):
        self._docs = docs
        self._tag_set = tag_set
        self._overwrite = overwrite
        self._temperature = temperature
        self._allowed = allowed_tags(docs, tag_set, overwrite, cross_sentences)

    def best_paths(self) -> list[np.ndarray]:
        """The most probable tag ids of each Doc, (n_tokens,) int64."""
        raise NotImplementedError

    def predict(self, with_probabilities: bool) -> list[Prediction]:
        """The best path of each Doc, and the probabilities of the entities that it adds to it if
        they are asked for."""
        paths = self.best_paths()
        if not with_probabilities:
            return [Prediction(path) for path in paths]
        return list(map(Prediction, paths, self.probabilities_of_paths(paths)))

    def predicted_spans(self) -> list[list[EntitySpan]]:
        """For each Doc, the entities that its best path adds to it."""
        return self.added_spans(self.best_paths())

    def added_spans(self, paths: Sequence[np.ndarray]) -> list[list[EntitySpan]]:
        """For each Doc, the entities that its path adds to it."""
        return [
            self._added(doc, self._tag_set.decode(path))
            for doc, path in zip(self._docs, paths, strict=True)
        ]

    def probabilities_of_paths(self, paths: Sequence[np.ndarray]) -> list[dict[EntitySpan, float]]:
        """For each Doc, the probabilities of the entities that its path adds to it."""
        spans = self.added_spans(paths)
        probabilities = self.span_probabilities(spans)
        return [
            dict(zip(found, values.tolist(), strict=True))
            for found, values in zip(spans, probabilities, strict=True)
        ]

    def span_probabilities(self, spans: Sequence[Sequence[EntitySpan]]) -> list[np.ndarray]:
        """For each Doc, the probability of each of its spans to be an entity with this label,
        (n_spans,) float32, by one forward-backward for all Docs."""
        stretches: list[TagStretch] = []
        owners: list[int] = []
        n_spans = 0
        for index, (doc, of_doc) in enumerate(zip(self._docs, spans, strict=True)):
            if not of_doc:
                continue
            is_open = open_tokens(doc, self._overwrite)
            for span in of_doc:
                for tagged in as_tagged(doc, span, is_open):
                    stretches.append(self._stretch(index, tagged))
                    owners.append(n_spans)
                n_spans += 1
        # Where an entity starts or there is none, the one before it has ended, in both schemes.
        found = self._stretch_probabilities(stretches, self._tag_set.legal_start)
        probabilities = np.zeros(n_spans, dtype=np.float32)
        np.add.at(probabilities, owners, found)
        bounds = np.cumsum([len(of_doc) for of_doc in spans])[:-1]
        return np.split(np.minimum(probabilities, 1.0), bounds)

    def _stretch_probabilities(
        self, stretches: Sequence[TagStretch], closing: np.ndarray
    ) -> np.ndarray:
        """The probability of each stretch, (n_stretches,).

        closing: (n_tags,) bool, the tags that the token after a stretch may have.
        """
        raise NotImplementedError

    def _added(self, doc: Doc, spans: Sequence[EntitySpan]) -> list[EntitySpan]:
        if not spans:
            return []
        is_open = open_tokens(doc, self._overwrite)
        return [trimmed(doc, span) for span in spans if is_open[span.start]]

    def _stretch(self, doc_index: int, span: EntitySpan) -> TagStretch:
        length = span.end - span.start
        tags = self._tag_set.encode([(0, length, span.label)], length)
        return doc_index, span.start, tags.tolist()


def set_predictions(
    docs: Iterable[Doc],
    predictions: Iterable[Prediction],
    tag_set: TagSet,
    threshold: float | None,
    spans_key: str | None,
    overwrite: bool,
) -> None:
    """Set doc.ents, and doc.spans[spans_key] where there is one: see the factory of `bertcrf`."""
    for doc, (tag_ids, probabilities) in zip(docs, predictions, strict=True):
        spans = tag_set.decode(tag_ids)
        if probabilities is not None and threshold is not None:
            spans = [s for s in spans if probabilities.get(trimmed(doc, s), 1) >= threshold]
        set_entities(doc, spans, overwrite)
        if spans_key is not None:
            set_span_group(doc, spans_key, probabilities or {})


def as_tagged(doc: Doc, span: EntitySpan, is_open: np.ndarray) -> Iterator[EntitySpan]:
    """The spans of the tag sequences that come out as this one when spaces are cut off."""
    is_cut = doc[span.end - 1].is_space and is_open[span.end - 1]
    if is_cut:
        return
    yield span
    if not is_open[span.end - 1]:
        return
    end = span.end
    while end < len(doc) and doc[end].is_space and is_open[end]:
        end += 1
        yield span._replace(end=end)
