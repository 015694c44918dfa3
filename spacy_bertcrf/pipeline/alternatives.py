"""What a span could be instead: other labels, and neighbouring borders."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from spacy.tokens import Doc

from spacy_bertcrf.tagging import EntitySpan


class Alternative(NamedTuple):
    """Another entity in the place of one.

    span: its tokens and label.
    text: of its tokens.
    probability: exact, as `span_probabilities` has it.
    """

    span: EntitySpan
    text: str
    probability: float


class Asked(Protocol):
    """A component that knows how probable entities are."""

    @property
    def labels(self) -> tuple[str, ...]: ...

    def span_probabilities(self, doc: Doc, spans: Sequence[EntitySpan]) -> np.ndarray: ...


def other_spans(
    span: EntitySpan, n_tokens: int, labels: Sequence[str], reach: int
) -> list[EntitySpan]:
    """The same tokens with each other label, and with every label those whose start and end are at
    most `reach` tokens away, as far as they have a token in common with the span."""
    return [
        EntitySpan(start, end, label)
        for start in range(max(span.start - reach, 0), span.start + reach + 1)
        for end in range(span.end - reach, min(span.end + reach, n_tokens) + 1)
        if start < end and start < span.end and span.start < end
        for label in labels
        if (start, end, label) != span
    ]


def alternatives(component: Asked, doc: Doc, span: EntitySpan, reach: int = 1) -> list[Alternative]:
    """`other_spans` with their probabilities, the most probable first."""
    asked = other_spans(span, len(doc), component.labels, reach)
    return ranked(doc, asked, component.span_probabilities(doc, asked))


def ranked(doc: Doc, spans: Sequence[EntitySpan], probabilities: np.ndarray) -> list[Alternative]:
    """Spans with their probabilities, the most probable first."""
    return [
        Alternative(spans[i], doc[spans[i].start : spans[i].end].text, float(probabilities[i]))
        for i in np.argsort(-probabilities, kind="stable")
    ]
