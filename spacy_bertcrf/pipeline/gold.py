"""Where a component's gold spans are."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_bertcrf.pipeline.annotations import gold_annotation
from spacy_bertcrf.tagging import EntitySpan


class Annotation(Protocol):
    """What the reference Doc of an example says of them, on the tokens of its predicted one.

    spans: those that align with the tokens.
    n_misaligned: how many do not.
    """

    @property
    def spans(self) -> list[EntitySpan]: ...

    @property
    def n_misaligned(self) -> int: ...

    def is_known(self, span: EntitySpan) -> bool:
        """Whether the annotation says that the span is one of them, or that it is none."""


class Gold(NamedTuple):
    """place: what a user sets them as.
    score: what the names of their scores begin with.
    of_doc: those of a reference Doc; None if it has no annotation.
    of_example: the same, as a component learns from them.
    """

    place: str
    score: str
    of_doc: Callable[[Doc], Sequence[Span] | None]
    of_example: Callable[[Example], Annotation]


def _entities(doc: Doc) -> Sequence[Span] | None:
    return doc.ents if doc.has_annotation("ENT_IOB") else None


GOLD_ENTITIES = Gold("doc.ents", "ents", _entities, gold_annotation)
