"""Gold annotations that are probably wrong, the most suspicious first."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

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
SMALLEST = 1e-30
ENOUGH = 20  # suggestions of a kind, for their mean to count as much as that of all


class Suggestion(NamedTuple):
    """A place of a text whose gold annotation is in doubt.

    document: the number of the text, from 0.
    doubt: one of DOUBTS.
    gold: the entities that are there; none where one is missing.
    suggested: what to put instead; none where there should be nothing.
    gold_probability, probability: of the gold annotation, and of what is suggested instead: where
        it is several entities, of the least probable.
    score: the log-odds of the one against the other, less what is usual for as long an entity and
        for the kind of doubt. What has the highest is the most suspicious.
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
    are surer than is usual; but what is compared are spans, by their exact posterior probabilities.
    Usual is by length, for the longer an annotated entity, the less probable is just this one,
    right or wrong; and by kind, for a pipeline passes over entities with more confidence than it
    takes one label for another. Entities that overlap are one place, and have one suggestion.
    """
    per_character = _surprise_by_length(texts)
    found = [
        item._replace(score=item.score - per_character * _length(item))
        for i, text in enumerate(texts)
        for item in _of_text(i, text)
    ]
    usual = _usual_scores(found)
    found = [item._replace(score=item.score - usual[item.doubt]) for item in found]
    n_unjudged = sum(span not in text.probabilities for text in texts for span in text.gold)
    ranked = sorted(found, key=lambda item: (-item.score, item.document, item.gold, item.suggested))
    return Suspects(ranked, n_unjudged)


def _surprise_by_length(texts: Iterable[JudgedText]) -> float:
    """By how much the negative log probability of annotated entities grows with each character:
    least squares over all of them. 0 where they are all as long."""
    known = [
        (span.end - span.start, -math.log(max(text.probabilities[span], SMALLEST)))
        for text in texts
        for span in text.gold
        if span in text.probabilities
    ]
    if len({length for length, _ in known}) < 2:
        return 0.0
    lengths, surprises = np.asarray(known, dtype=np.float64).T
    slope = np.cov(lengths, surprises, bias=True)[0, 1] / lengths.var()
    return max(float(slope), 0.0)


def _usual_scores(suggestions: Iterable[Suggestion]) -> dict[str, float]:
    """The mean score of each kind of doubt; of a kind with few, drawn to that of all."""
    by_kind: dict[str, list[float]] = {}
    for item in suggestions:
        by_kind.setdefault(item.doubt, []).append(item.score)
    if not by_kind:
        return {}
    of_all = float(np.mean([score for scores in by_kind.values() for score in scores]))
    return {
        doubt: (sum(scores) + ENOUGH * of_all) / (len(scores) + ENOUGH)
        for doubt, scores in by_kind.items()
    }


def _length(item: Suggestion) -> int:
    return sum(span.end - span.start for span in item.gold or item.suggested)


def _of_text(document: int, text: JudgedText) -> Iterator[Suggestion]:
    pairs = text.pairs()
    for gold, suggested in _places(text):
        if set(gold) == set(suggested) or any(span not in text.probabilities for span in gold):
            continue
        inside = {*gold, *suggested}
        wrong = [pair for pair in pairs if inside & {pair.gold, pair.predicted}]
        # What is there says more than what is missing beside it.
        wrong = [pair for pair in wrong if pair.gold is not None] or wrong
        weighed = [(_weigh(text, pair), pair) for pair in wrong if pair.kind is not Kind.RIGHT]
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
        nothing = _nothing(known.items(), pair.span)
    before = nothing if pair.gold is None else known[pair.gold]
    after = nothing if pair.predicted is None else known[pair.predicted]
    assert before is not None
    assert after is not None
    return math.log(max(before, SMALLEST)), math.log(max(after, SMALLEST))


def _nothing(known: Iterable[tuple[CharSpan, float]], place: CharSpan) -> float:
    """How probable it is at most that no entity is at a place. That different entities are at one
    character excludes each other, so there their probabilities add up."""
    covered = np.zeros(place.end - place.start)
    for span, probability in known:
        covered[max(span.start - place.start, 0) : max(span.end - place.start, 0)] += probability
    return max(1 - float(covered.max()), CLOSEST)
