"""Suggestions for a corpus as one HTML file that needs nothing else."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from spacy_bertcrf.evaluation.judged import CharSpan, JudgedText
from spacy_bertcrf.evaluation.report.excerpts import CONTEXT, WHOLE_TEXT, Piece, pieces, widened
from spacy_bertcrf.evaluation.report.page import N_COLOURS, environment, file, script_hash
from spacy_bertcrf.evaluation.report.tables import NOTHING
from spacy_bertcrf.evaluation.suspects import DOUBTS, Suggestion, Suspects

BADGES = {doubt: kind.value.replace(" ", "-") for kind, doubt in DOUBTS.items()}
N_OTHERS = 4
LEAST_AS_NUMBER = 0.01
RAREST = 1_000_000_000
LEAST_PROBABLE = 0.001  # of another entity that is worth a line


class Card(NamedTuple):
    """A suggestion as it is shown.

    document: the number of the text, from 1.
    start: where the part of the text that is shown begins, in characters.
    is_whole: whether it is all of the text.
    gold, suggested: the part with the entities of each.
    gold_chance: how probable the gold annotation is, in words where that is below 1 %.
    others: what else is likely there: the entity's text, its label, its probability.
    record: the suggestion for programs.
    """

    rank: int
    document: int
    start: int
    is_whole: bool
    doubt: str
    gold: list[Piece]
    suggested: list[Piece]
    gold_entities: list[tuple[str, str]]
    suggested_entities: list[tuple[str, str]]
    gold_chance: str
    probability: float
    others: list[tuple[str, str, float]]
    record: str


def review_page(
    corpus: str, texts: Sequence[JudgedText], suspects: Suspects, limit: int | None = None
) -> str:
    """The suggestions as HTML, with buttons to decide on each and to save what was decided: the
    same for the same texts.

    corpus: its name, as the reader knows it.
    limit: how many suggestions are shown at most, the most suspicious first; None for all. What is
        left out is said.
    """
    shown = suspects.suggestions[:limit]
    labels = sorted({span.label for text in texts for span in (*text.gold, *text.predicted)})
    scripts = [file("report.js"), file("review.js")]
    return (
        environment()
        .get_template("review.html")
        .render(
            corpus=corpus,
            n_documents=len(texts),
            n_gold=sum(len(text.gold) for text in texts),
            n_unjudged=suspects.n_unjudged,
            counts=_counts(suspects.suggestions),
            cards=[_card(rank, texts, item) for rank, item in enumerate(shown, start=1)],
            n_left_out=len(suspects.suggestions) - len(shown),
            labels=labels,
            colours={label: i % N_COLOURS for i, label in enumerate(labels)},
            badges=BADGES,
            NOTHING=NOTHING,
            style=file("report.css"),
            scripts=scripts,
            script_hashes=[script_hash(script) for script in scripts],
        )
    )


def record(rank: int, text: JudgedText, suggestion: Suggestion) -> dict[str, Any]:
    """A suggestion as JSON: what `apply-review` reads once it has a decision."""
    return {
        "rank": rank,
        "document": suggestion.document + 1,
        "text": text.text,
        "doubt": suggestion.doubt,
        "gold": _objects(text, suggestion.gold),
        "suggested": _objects(text, suggestion.suggested),
        "gold_probability": float(f"{suggestion.gold_probability:.4g}"),
        "probability": float(f"{suggestion.probability:.4g}"),
        "score": round(suggestion.score, 4),
        "decision": None,
    }


def _objects(text: JudgedText, spans: Iterable[CharSpan]) -> list[dict[str, Any]]:
    return [{**span._asdict(), "text": text.text[span.start : span.end]} for span in spans]


def _counts(suggestions: Iterable[Suggestion]) -> list[tuple[str, int]]:
    found = Counter(item.doubt for item in suggestions)
    return [(doubt, found[doubt]) for doubt in DOUBTS.values()]


def _card(rank: int, texts: Sequence[JudgedText], item: Suggestion) -> Card:
    text = texts[item.document]
    others = [span for span in text.gold if span not in item.gold]
    suggested = [*others, *item.suggested]
    inside = (*item.gold, *item.suggested)
    start, end = 0, len(text.text)
    if end > WHOLE_TEXT:
        first, last = min(s.start for s in inside), max(s.end for s in inside)
        start, end = widened(first - CONTEXT, last + CONTEXT, [*others, *inside], end)
    content = record(rank, text, item)
    # What a decision is about stays the same where a newer page ranks it otherwise.
    for name in ("rank", "text", "gold_probability", "probability", "score"):
        del content[name]
    return Card(
        rank=rank,
        document=item.document + 1,
        start=start,
        is_whole=(start, end) == (0, len(text.text)),
        doubt=item.doubt,
        gold=pieces(text.text, start, end, text.gold, set(others)),
        suggested=pieces(text.text, start, end, suggested, set(others)),
        gold_entities=[(text.text[s.start : s.end], s.label) for s in item.gold],
        suggested_entities=[(text.text[s.start : s.end], s.label) for s in item.suggested],
        gold_chance=_chance(item.gold_probability),
        probability=item.probability,
        others=_others(text, inside),
        record=json.dumps(content, ensure_ascii=False, separators=(",", ":")),
    )


def _chance(probability: float) -> str:
    if probability >= LEAST_AS_NUMBER:
        return f"{probability:.2f}"
    if probability < 1 / RAREST:
        return f"less than 1 in {RAREST:,}"
    return f"1 in {float(f'{1 / probability:.2g}'):,.0f}"


def _others(text: JudgedText, inside: Sequence[CharSpan]) -> list[tuple[str, str, float]]:
    found = [
        (probability, span)
        for span, probability in text.probabilities.items()
        if probability >= LEAST_PROBABLE
        and span not in inside
        and any(span.start < own.end and own.start < span.end for own in inside)
    ]
    found.sort(key=lambda item: (-item[0], item[1]))
    return [
        (text.text[span.start : span.end], span.label, probability)
        for probability, span in found[:N_OTHERS]
    ]
