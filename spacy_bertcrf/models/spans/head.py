"""What the head of a SpanTagger does with the scores of tokens."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from thinc.api import Model
from thinc.types import Ragged

from spacy_bertcrf.models.types import Array, CRFTaggerModel, SpanLimits
from spacy_bertcrf.tagging import EntitySpan

# Spans that are less probable are never found, whatever the threshold: of each text there are as
# many as pairs of its tokens.
SMALLEST_THRESHOLD = 1e-3


class FoundSpan(NamedTuple):
    """A predicted span, and the probability that it is one."""

    span: EntitySpan
    probability: float


class SpanHead(ABC):
    """A way to score spans by what is known of their tokens. It has no state: what it learns is in
    a layer of the model, the one behind its ref "head", which turns scores and `SpanTargets` into
    one loss for each Doc.

    inexpressible_rule: which spans it cannot say, for messages.
    has_readings: whether sets of spans have a probability, for `k_best`.

    Arguments that its methods share:
    model: a SpanTagger.
    scores: those that the model gives for some Docs.
    limits: what the spans keep to; None where the Docs say nothing of them.
    temperature: what all scores are divided by.
    """

    inexpressible_rule: str
    has_readings: bool = True

    @abstractmethod
    def count_scores(self, labels: Sequence[str]) -> int:
        """How many scores of a token it reads."""

    @abstractmethod
    def build(self, layer: Model, labels: Sequence[str]) -> None:
        """Give the layer new weights for these labels."""

    @abstractmethod
    def grow(self, model: CRFTaggerModel, labels: Sequence[str]) -> None:
        """Give a trained model more labels. What it says of the others stays, and none of the new
        ones is found before it is learned.

        labels: all, those that it has first.
        """

    @abstractmethod
    def inexpressible(self, spans: Iterable[EntitySpan]) -> list[EntitySpan]:
        """Those of the spans of a text that it cannot say beside the others."""

    @abstractmethod
    def find(
        self,
        model: CRFTaggerModel,
        scores: Ragged,
        limits: SpanLimits | None,
        threshold: float | None,
        temperature: float,
    ) -> list[list[FoundSpan]]:
        """For each Doc its spans, in reading order; those of `limits.known` that it can say and
        knows the labels of are among them.

        threshold: how probable they are at least; None for the most probable set of spans.
        """

    @abstractmethod
    def probabilities(
        self,
        model: CRFTaggerModel,
        scores: Ragged,
        spans: Sequence[Sequence[EntitySpan]],
        limits: SpanLimits | None,
        temperature: float,
    ) -> list[np.ndarray]:
        """For each Doc, the probability of each of some spans, (n_spans,) float32."""

    @abstractmethod
    def k_best(
        self,
        model: CRFTaggerModel,
        scores: Ragged,
        k: int,
        limits: SpanLimits | None,
        temperature: float,
    ) -> list[list[tuple[list[EntitySpan], float]]]:
        """For each Doc its k most probable sets of spans, each with its probability."""


def head_of(model: CRFTaggerModel) -> SpanHead:
    """The head of a SpanTagger."""
    head = model.get_ref("head").attrs["span_head"]
    assert isinstance(head, SpanHead)
    return head


def first_rows_of(lengths: Array) -> list[int]:
    """Where the tokens of each Doc begin, in a row of those of all. lengths: (n_docs,)."""
    first_rows: list[int] = (np.cumsum(lengths) - lengths).tolist()
    return first_rows
