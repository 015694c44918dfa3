"""The table of judged entities: gold and predicted side by side, with the kind of each error."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from spacy.tokens import Doc

from spacy_bertcrf.tagging import ANNOTATED_LABELS


class CharSpan(NamedTuple):
    """An entity in a text: characters, end exclusive."""

    start: int
    end: int
    label: str


class Kind(Enum):
    """What became of an entity, in the classes of nervaluate and SemEval-2013 task 9.1 (Segura-
    Bedmar et al. 2013)."""

    RIGHT = "right"
    BORDER = "border"
    LABEL = "label"
    BORDER_AND_LABEL = "border and label"
    MISSED = "missed"
    INVENTED = "invented"


ERRORS = tuple(kind for kind in Kind if kind is not Kind.RIGHT)


class Pair(NamedTuple):
    """A gold and a predicted entity that are each other's; one of them is None if the other is
    missed or invented."""

    kind: Kind
    gold: CharSpan | None
    predicted: CharSpan | None

    @property
    def span(self) -> CharSpan:
        """Where it is: the gold entity if there is one."""
        found = self.gold or self.predicted
        assert found is not None
        return found


@dataclass(frozen=True)
class JudgedText:
    """A text with its entities, judged.

    gold, predicted: the entities, in their order.
    probabilities: the exact posterior of gold and predicted entities, where it is known.
    readings: the best readings of the text as a whole, with their probabilities.
    n_unjudged: predicted entities that were left out, for the gold annotation of their tokens is
        missing.
    """

    text: str
    gold: tuple[CharSpan, ...]
    predicted: tuple[CharSpan, ...]
    probabilities: Mapping[CharSpan, float] = field(default_factory=dict)
    readings: tuple[tuple[tuple[CharSpan, ...], float], ...] = ()
    n_unjudged: int = 0

    def pairs(self) -> list[Pair]:
        """All entities, paired, in the order of the text."""
        return pair_entities(self.gold, self.predicted)

    @property
    def is_right(self) -> bool:
        """Whether all entities are found, and no others."""
        return set(self.gold) == set(self.predicted)


def pair_entities(gold: Sequence[CharSpan], predicted: Sequence[CharSpan]) -> list[Pair]:
    """Pair the entities of a text, each with one other at most.

    Those that are the same come first, then those with the same borders, and of the others, from
    left to right, each predicted one gets the first that is left and overlaps with it.
    """
    left = sorted(gold)
    pairs: list[Pair] = []
    unpaired = sorted(predicted)
    for matches in (_same, _same_borders, _overlap):
        rest = []
        for found in unpaired:
            own = next((span for span in left if matches(span, found)), None)
            if own is None:
                rest.append(found)
            else:
                left.remove(own)
                pairs.append(Pair(_kind(own, found), own, found))
        unpaired = rest
    pairs += [Pair(Kind.MISSED, span, None) for span in left]
    pairs += [Pair(Kind.INVENTED, None, span) for span in unpaired]
    return sorted(pairs, key=lambda pair: (pair.span, pair.kind.value))


def entities(doc: Doc, spans_key: str | None = None) -> tuple[CharSpan, ...]:
    """The entities of a Doc, or its spans under the key, each once."""
    found = doc.ents if spans_key is None else doc.spans.get(spans_key, ())
    return tuple(dict.fromkeys(CharSpan(s.start_char, s.end_char, s.label_) for s in found))


def judgeable(
    predicted: Iterable[CharSpan], reference: Doc, spans_key: str | None = None
) -> tuple[CharSpan, ...]:
    """The predicted entities of which it is known whether they are right: those that are gold, and
    those whose tokens have an annotation, or were annotated for the entity's label at least.

    spans_key: of the spans that are judged in place of entities. A Doc that has the group and no
        entity annotation at all is annotated.
    """
    gold = set(entities(reference, spans_key))
    known = reference.spans.get(ANNOTATED_LABELS, ())
    unsure = {token.i for span in known for token in span} if spans_key is not None else set()
    if spans_key not in reference.spans or reference.has_annotation("ENT_IOB"):
        unsure |= {token.i for token in reference if not token.ent_iob_}
    missing = [
        (token.idx, token.idx + len(token))
        for token in reference
        if token.i in unsure and not token.is_space
    ]
    if not missing:
        return tuple(predicted)
    looked_for = {(span.label_, token.idx) for span in known for token in span}
    return tuple(
        span
        for span in predicted
        if span in gold
        or all(
            (span.label, start) in looked_for
            for start, end in missing
            if span.start < end and start < span.end
        )
    )


def _same(gold: CharSpan, predicted: CharSpan) -> bool:
    return gold == predicted


def _same_borders(gold: CharSpan, predicted: CharSpan) -> bool:
    return gold[:2] == predicted[:2]


def _overlap(gold: CharSpan, predicted: CharSpan) -> bool:
    return gold.start < predicted.end and predicted.start < gold.end


def _kind(gold: CharSpan, predicted: CharSpan) -> Kind:
    if gold == predicted:
        return Kind.RIGHT
    if gold[:2] == predicted[:2]:
        return Kind.LABEL
    return Kind.BORDER if gold.label == predicted.label else Kind.BORDER_AND_LABEL
