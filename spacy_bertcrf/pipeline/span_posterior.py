"""What a SpanTagger believes of the spans of a batch of Docs, given what they have set already."""

from collections.abc import Sequence
from copy import copy

import numpy as np
from thinc.types import Ragged

from spacy_bertcrf.models.spans.head import FoundSpan, head_of
from spacy_bertcrf.models.types import CRFTaggerModel, SpanLimits
from spacy_bertcrf.tagging import EntitySpan


class SpanPosterior:
    """The probabilities of labelled spans, which may overlap.

    scores: the model's, for the Docs.
    limits: what the spans keep to.
    temperature: what all scores are divided by, where probabilities are asked for.
    """

    def __init__(
        self,
        model: CRFTaggerModel,
        scores: Ragged,
        limits: SpanLimits | None,
        temperature: float = 1.0,
    ):
        self._model = model
        self._head = head_of(model)
        self._scores = scores
        self._limits = limits
        self._temperature = temperature

    def at_temperature(self, temperature: float) -> "SpanPosterior":
        """The same with another temperature."""
        other = copy(self)
        other._temperature = temperature
        return other

    def find(self, threshold: float | None) -> list[list[FoundSpan]]:
        """For each Doc the spans that are added to it, with their probabilities, in reading order.

        threshold: how probable they are at least; None for the most probable set of spans.
        """
        found = self._head.find(
            self._model, self._scores, self._limits, threshold, self._temperature
        )
        if self._limits is None:
            return found
        return [
            [item for item in of_doc if item.span not in known]
            for of_doc, known in zip(found, map(set, self._limits.known), strict=True)
        ]

    def predicted_spans(self) -> list[list[EntitySpan]]:
        """For each Doc, the most probable set of spans, but for those that it has."""
        return [[item.span for item in of_doc] for of_doc in self.find(None)]

    def span_probabilities(self, spans: Sequence[Sequence[EntitySpan]]) -> list[np.ndarray]:
        """For each Doc, the probability of each of some spans, (n_spans,) float32."""
        return self._head.probabilities(
            self._model, self._scores, spans, self._limits, self._temperature
        )

    def k_best(self, k: int) -> list[list[tuple[list[EntitySpan], float]]]:
        """For each Doc its k most probable sets of spans, each with its probability."""
        return self._head.k_best(self._model, self._scores, k, self._limits, self._temperature)
