"""Gold annotations that are probably wrong, the most suspicious first."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from spacy_bertcrf.evaluation.judged import CharSpan, JudgedText, Kind, Pair

DOUBTS = {
    Kind.LABEL: "wrong label",
    Kind.BORDER: "wrong border",
    Kind.BORDER_AND_LABEL: "wrong border and label",
    Kind.INVENTED: "missing",
    Kind.MISSED: "should not be there",
}
# Probabilities are float32: of what is closer to 1 they do not say how close.
CLOSEST = 1e-7


class Suggestion(NamedTuple):
    """A place of a text whose gold annotation is in doubt.

    document: the number of the text, from 0.
    doubt: one of DOUBTS.
    gold: the entities that are there; none where one is missing.
    suggested: what to put instead; none where there should be nothing.
    gold_probability, probability: of the gold annotation, and of what is suggested instead: where
        it is several entities, of the least probable.
    score: the log-odds of the one against the other. What has the highest is the most suspicious.
    """

    document: int
    doubt: str
    gold: tuple[CharSpan, ...]
    suggested: tuple[CharSpan, ...]
    gold_probability: float
    probability: float
    score: float


class Suspects(NamedTuple):
    """suggestions: ranked over all kinds.
    n_unjudged: gold entities of which the pipeline says nothing, for it does not know their label,
        or they do not fit its tokens.
    """

    suggestions: list[Suggestion]
    n_unjudged: int


def suspects(texts: Sequence[JudgedText]) -> Suspects:
    """Where a pipeline that has not learned from the texts reads them otherwise than they are
    annotated.

    texts: from `likely.weigh`.

    As confident learning does for labels of whole examples (Northcutt et al. 2021,
    https://arxiv.org/abs/1911.00068), it takes predictions out of sample for the truth where they
    are sure enough; but what is compared are spans, by their exact posterior probabilities.
    Entities that overlap are one place, and have one suggestion.
    """
    found = [item for i, text in enumerate(texts) for item in _of_text(i, text)]
    n_unjudged = sum(span not in text.probabilities for text in texts for span in text.gold)
    ranked = sorted(found, key=lambda item: (-item.score, item.document, item.gold, item.suggested))
    return Suspects(ranked, n_unjudged)


def _of_text(document: int, text: JudgedText) -> Iterator[Suggestion]:
    pairs = text.pairs()
    for gold, suggested in _places(text):
        if set(gold) == set(suggested) or any(span not in text.probabilities for span in gold):
            continue
        inside = {*gold, *suggested}
        wrong = [
            pair for pair in pairs
            if pair.kind is not Kind.RIGHT and inside & {pair.gold, pair.predicted}
        ]  # fmt: skip
        weighed = [(_weigh(text, pair), pair) for pair in wrong]
        (before, after), pair = max(weighed, key=lambda item: item[0][1] - item[0][0])
        yield Suggestion(
            document,
            DOUBTS[pair.kind],
            gold,
            suggested,
            math.exp(before),
            math.exp(after),
            after - before,
        )


def _places(text: JudgedText) -> Iterator[tuple[tuple[CharSpan, ...], tuple[CharSpan, ...]]]:
    """Gold and predicted entities that hang together, as they overlap, in the text's order."""
    gold: list[CharSpan] = []
    predicted: list[CharSpan] = []
    end = 0
    spans = [(span, gold) for span in text.gold] + [(span, predicted) for span in text.predicted]
    for span, side in sorted(spans, key=lambda item: item[0]):
        if span.start >= end and (gold or predicted):
            yield tuple(gold), tuple(predicted)
            gold.clear()
            predicted.clear()
        side.append(span)
        end = max(end, span.end)
    if gold or predicted:
        yield tuple(gold), tuple(predicted)


def _weigh(text: JudgedText, pair: Pair) -> tuple[float, float]:
    """The logarithms of the probabilities of the gold entity and the predicted one, or, where
    there is none of the two, that there is none."""
    known = text.probabilities
    nothing = None
    if pair.gold is None or pair.predicted is None:
        nothing = 1 - sum(_touching(known.items(), pair.span))
    before = nothing if pair.gold is None else known[pair.gold]
    after = nothing if pair.predicted is None else known[pair.predicted]
    assert before is not None
    assert after is not None
    return math.log(max(before, 1e-30)), math.log(max(after, CLOSEST))


def _touching(known: Iterable[tuple[CharSpan, float]], span: CharSpan) -> Iterator[float]:
    for other, probability in known:
        if other.start < span.end and span.start < other.end:
            yield probability
