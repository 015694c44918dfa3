"""The errors of a corpus with the parts of the texts that they are in."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from spacy_bertcrf.evaluation.explained import Asked, Explained
from spacy_bertcrf.evaluation.judged import CharSpan, JudgedText, Kind, Pair
from spacy_bertcrf.evaluation.known_mentions import KnownMentions
from spacy_bertcrf.evaluation.report.shading import Shade, shaded
from spacy_bertcrf.evaluation.report.tables import (
    Report,
    gold_label,
    predicted_label,
    sureness,
)

WHOLE_TEXT = 400  # characters: what is no longer is shown whole
CONTEXT = 100  # characters on each side of an error in a longer one


class Piece(NamedTuple):
    """A part of a text that is in one entity or in none.

    label: None outside of entities.
    is_wrong: whether the entity is not there, or not so, on the other side.
    """

    text: str
    label: str | None = None
    is_wrong: bool = False


class Fault(NamedTuple):
    """An error, or, beside another pipeline, what that one has wrong.

    kind: of nervaluate's classes; "right" if the other pipeline alone is wrong.
    gold, predicted: labels, or a dash.
    probability, gold_probability: of the predicted and of the gold entity, if known.
    sureness: see `tables.sureness`.
    seen: one of SEEN, or empty if there is no training corpus.
    other_is_right: whether the other pipeline has it right; None if there is none.
    asked: what an explanation is of: the predicted entity, or the gold one that is missed.
    explained: why it is an error, if that was asked, with the text that is shaded by it.
    """

    kind: str
    mention: str
    gold: str
    predicted: str
    gold_mention: str
    predicted_mention: str
    probability: float | None
    gold_probability: float | None
    sureness: float | None
    seen: str
    other_is_right: bool | None
    asked: Asked
    explained: Explained | None = None
    shades: Sequence[Shade] = ()


class Excerpt(NamedTuple):
    """A part of a text that has errors.

    document: its place in the corpus, from 1.
    start: where the part begins in its text, in characters.
    is_whole: whether it is all of the text.
    gold, predicted, other: the part with the entities of each.
    faults: in it, the surest first.
    readings: the best of the whole text with their probabilities, as entities: text and label.
    """

    document: int
    start: int
    is_whole: bool
    gold: list[Piece]
    predicted: list[Piece]
    other: list[Piece] | None
    faults: list[Fault]
    readings: list[tuple[list[tuple[str, str]], float]]


def excerpts(report: Report) -> list[Excerpt]:
    """All errors of a report, those that the model is surest of first; without probabilities in
    the order of the corpus."""
    found = []
    for i, text in enumerate(report.texts):
        other = report.others[i] if report.others is not None else None
        pairs = [pair for pair in text.pairs() if pair.kind is not Kind.RIGHT]
        if other is not None:
            missed = set(text.gold) & set(text.predicted) - set(other.predicted)
            pairs += [Pair(Kind.RIGHT, span, span) for span in sorted(missed)]
        for start, end, inside in _parts(text, sorted(pairs, key=lambda pair: pair.span)):
            found.append(_excerpt(report, i, other, start, end, inside))
    # Python's sort keeps the order of the corpus where the model is as sure.
    return sorted(found, key=lambda excerpt: -(_rank(excerpt.faults[0])))


def pieces(
    text: str, start: int, end: int, spans: Iterable[CharSpan], right: set[CharSpan]
) -> list[Piece]:
    """The part of a text with its entities; of those that overlap the longer one stands in it, and
    the others behind it."""
    found, at = [], start
    inside = [span for span in sorted(spans) if start <= span.start and span.end <= end]
    inner = [span for span in inside if any(_is_below(span, other) for other in inside)]
    for span in inside:
        if span in inner or span.start < at:
            continue
        if span.start > at:
            found.append(Piece(text[at : span.start]))
        found.append(Piece(text[span.start : span.end], span.label, span not in right))
        at = span.end
    if at < end:
        found.append(Piece(text[at:end]))
    for span in inner:
        found.append(Piece(" + "))
        found.append(Piece(text[span.start : span.end], span.label, span not in right))
    return found


def widened(start: int, end: int, spans: Iterable[CharSpan], length: int) -> tuple[int, int]:
    """The part with all of the entities that it would cut."""
    start, end = max(start, 0), min(end, length)
    for span in spans:
        if span.start < start < span.end:
            start = span.start
        if span.start < end < span.end:
            end = span.end
    return start, end


def to_explain(found: Iterable[Excerpt], limit: int) -> list[Asked]:
    """What the first errors of excerpts are explained by, at most `limit` of them."""
    faults = (fault for excerpt in found for fault in excerpt.faults)
    wrong = dict.fromkeys(fault.asked for fault in faults if fault.kind != Kind.RIGHT.value)
    return list(islice(wrong, limit))


def _rank(fault: Fault) -> float:
    if fault.kind == Kind.RIGHT.value:
        return -1.0
    return 0.0 if fault.sureness is None else fault.sureness


def _parts(text: JudgedText, pairs: Sequence[Pair]) -> Iterable[tuple[int, int, list[Pair]]]:
    """The parts of a text that are shown, with their errors."""
    if not pairs:
        return
    if len(text.text) <= WHOLE_TEXT:
        yield 0, len(text.text), list(pairs)
        return
    spans = [*text.gold, *text.predicted]
    part: list[Pair] = []
    start = end = 0
    for pair in pairs:
        own = [span for span in (pair.gold, pair.predicted) if span is not None]
        first, last = min(s.start for s in own) - CONTEXT, max(s.end for s in own) + CONTEXT
        if part and first <= end:
            part.append(pair)
            end = max(end, last)
            continue
        if part:
            yield *widened(start, end, spans, len(text.text)), part
        part, start, end = [pair], first, last
    yield *widened(start, end, spans, len(text.text)), part


def _excerpt(
    report: Report,
    index: int,
    other: JudgedText | None,
    start: int,
    end: int,
    pairs: Sequence[Pair],
) -> Excerpt:
    text = report.texts[index]
    faults = [
        _with_reasons(_fault(text, other, pair, report.known, index), report, text.text, start, end)
        for pair in pairs
    ]
    gold, predicted = set(text.gold), set(text.predicted)
    return Excerpt(
        document=index + 1,
        start=start,
        is_whole=(start, end) == (0, len(text.text)),
        gold=pieces(text.text, start, end, text.gold, predicted),
        predicted=pieces(text.text, start, end, text.predicted, gold),
        other=pieces(text.text, start, end, other.predicted, gold) if other else None,
        faults=sorted(faults, key=_rank, reverse=True),
        readings=[
            ([(text.text[s.start : s.end], s.label) for s in spans], probability)
            for spans, probability in text.readings
        ]
        if (start, end) == (0, len(text.text))
        else [],
    )


def _with_reasons(fault: Fault, report: Report, text: str, start: int, end: int) -> Fault:
    found = report.explanations.get(fault.asked)
    if found is None:
        return fault
    return fault._replace(explained=found, shades=shaded(found, text, start, end))


def _fault(
    text: JudgedText,
    other: JudgedText | None,
    pair: Pair,
    known: KnownMentions | None,
    index: int,
) -> Fault:
    mention = text.text[pair.span.start : pair.span.end]
    gold_mention = text.text[pair.gold.start : pair.gold.end] if pair.gold else ""
    predicted = pair.predicted
    other_is_right = None
    if other is not None:
        other_is_right = (
            pair.gold in other.predicted if pair.gold else predicted not in other.predicted
        )
    return Fault(
        kind=pair.kind.value,
        mention=mention,
        gold=gold_label(pair),
        predicted=predicted_label(pair),
        gold_mention=gold_mention,
        predicted_mention=text.text[predicted.start : predicted.end] if predicted else "",
        probability=text.probabilities.get(predicted) if predicted else None,
        gold_probability=text.probabilities.get(pair.gold) if pair.gold else None,
        sureness=None if pair.kind is Kind.RIGHT else sureness(text, pair),
        seen=known.seen(mention, pair.span.label) if known is not None else "",
        other_is_right=other_is_right,
        asked=(index, predicted or pair.span),
    )


def _is_below(span: CharSpan, other: CharSpan) -> bool:
    """Whether another one that overlaps with the span goes before it: a longer one, of two as long
    the first."""
    if span.end <= other.start or other.end <= span.start:
        return False
    return (other.start - other.end, other) < (span.start - span.end, span)
