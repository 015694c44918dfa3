"""All tables of a report, as plain values: what `--json` writes and the page shows."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan
from typing import Any

import numpy as np
from spacy.tokens import Doc

from spacy_bertcrf.evaluation.bands import Bands
from spacy_bertcrf.evaluation.calibration import calibration_of
from spacy_bertcrf.evaluation.explained import Asked, Explained
from spacy_bertcrf.evaluation.intervals import Measures, Score, score, score_difference
from spacy_bertcrf.evaluation.judged import CharSpan, JudgedText, Kind, Pair
from spacy_bertcrf.evaluation.known_mentions import SEEN, Found, KnownMentions, found_by

ENTITY_LENGTHS = Bands(1, 2, 3, 4, 5, 7, 10, 15)
TEXT_LENGTHS = Bands(0, 11, 21, 41, 81, 161, 321)
TRAIN_COUNTS = Bands(0, 1, 2, 5, 20)
N_BINS = 10
ALL = "all"
NOTHING = "–"  # the gold label of what is invented, and the predicted one of what is missed


@dataclass(frozen=True)
class Report:
    """What a report is made of.

    name, corpus: of the pipeline and the documents, as the reader knows them.
    texts: judged.
    known: what the training corpus has shown, if that is given.
    other_name, others: of a second pipeline, on the same documents.
    explanations: of errors, by the place of their text and the entity that was predicted, or that
        was missed.
    """

    name: str
    corpus: str
    texts: Sequence[JudgedText]
    known: KnownMentions | None = None
    other_name: str | None = None
    others: Sequence[JudgedText] | None = None
    explanations: Mapping[Asked, Explained] = field(default_factory=dict)

    @property
    def has_probabilities(self) -> bool:
        """Whether the pipeline says how probable its entities are."""
        return any(text.probabilities for text in self.texts)


def known_mentions(docs: Iterable[Doc], spans_key: str | None = None) -> KnownMentions:
    """What a training corpus has shown. Raises ValueError if it has no entity.

    spans_key: as for `KnownMentions`.
    """
    known = KnownMentions(docs, spans_key)
    if not known.counts:
        raise ValueError("The training corpus has no entity, so nothing of the test is seen there.")
    return known


def tables(report: Report) -> dict[str, Any]:
    """The tables of a report, JSON's types alone: no number that is not finite."""
    texts = report.texts
    content: dict[str, Any] = {
        "pipeline": report.name,
        "corpus": report.corpus,
        "documents": len(texts),
        "unjudged": sum(text.n_unjudged for text in texts),
        "scores": [
            {
                "label": scores.label or ALL,
                "gold": scores.n_gold,
                "predicted": scores.n_predicted,
                "right": scores.n_right,
                **_measures(scores.measures),
            }
            for scores in score(texts)
        ],
        "errors": _errors(texts),
        "confusion": _confusion(texts),
        "groups": _groups(report),
        "calibration": _calibration(texts) if report.has_probabilities else None,
    }
    if report.others is not None:
        content["against"] = _against(report)
    return content


def sureness(text: JudgedText, pair: Pair) -> float | None:
    """How sure the model is of an error, from 0 to 1: the probability of what it predicts, or of
    a missed entity that it is none."""
    if pair.predicted is not None:
        return text.probabilities.get(pair.predicted)
    assert pair.gold is not None
    probability = text.probabilities.get(pair.gold)
    return None if probability is None else 1 - probability


def gold_label(pair: Pair) -> str:
    """The gold label of a pair."""
    return pair.gold.label if pair.gold else NOTHING


def predicted_label(pair: Pair) -> str:
    """The predicted label of a pair."""
    return pair.predicted.label if pair.predicted else NOTHING


def _measures(found: Measures) -> dict[str, dict[str, float] | None]:
    return {name: _score(number) for name, number in found._asdict().items()}


def _score(found: Score) -> dict[str, float] | None:
    if isnan(found.value):
        return None
    return {name: round(number, 4) for name, number in found._asdict().items()}


def _errors(texts: Sequence[JudgedText]) -> list[dict[str, Any]]:
    """How many entities are of each kind, for all labels and by label: the gold one, where there
    is a gold entity."""
    counts: dict[str, Counter[str]] = {ALL: Counter()}
    for text in texts:
        for pair in text.pairs():
            counts[ALL][pair.kind.value] += 1
            counts.setdefault(pair.span.label, Counter())[pair.kind.value] += 1
    labels = [ALL, *sorted(counts.keys() - {ALL})]
    return [
        {"label": label, "kinds": {kind.value: counts[label][kind.value] for kind in Kind}}
        for label in labels
    ]


def _confusion(texts: Sequence[JudgedText]) -> dict[str, Any]:
    counts = Counter(
        (gold_label(pair), predicted_label(pair)) for text in texts for pair in text.pairs()
    )
    labels = sorted({label for pair in counts for label in pair} - {NOTHING})
    names = [*labels, NOTHING]
    return {"labels": names, "counts": [[counts[a, b] for b in names] for a in names]}


def _groups(report: Report) -> list[dict[str, Any]]:
    texts, known = report.texts, report.known
    groups = []
    if known is not None:

        def seen(text: JudgedText, span: CharSpan) -> str:
            return known.seen(_mention(text, span), span.label)

        def times_seen(text: JudgedText, span: CharSpan) -> str:
            return TRAIN_COUNTS.name(known.counts[_mention(text, span), span.label])

        groups += [
            ("In the training corpus", found_by(texts, seen, SEEN)),
            ("How often there with this label", found_by(texts, times_seen, TRAIN_COUNTS.names)),
        ]
    groups += [
        (
            "Length of the entity, in characters",
            found_by(
                texts,
                lambda _, span: ENTITY_LENGTHS.name(span.end - span.start),
                ENTITY_LENGTHS.names,
            ),
        ),
        (
            "Length of the text, in characters",
            found_by(texts, lambda text, _: TEXT_LENGTHS.name(len(text.text)), TEXT_LENGTHS.names),
        ),
    ]
    return [{"title": title, "rows": [_found(row) for row in rows]} for title, rows in groups]


def _found(row: Found) -> dict[str, Any]:
    return {
        "name": row.name,
        "gold": row.n_gold,
        "found": row.n_found,
        "predicted": row.n_predicted,
        "right": row.n_right,
        "recall": None if row.recall is None else round(row.recall, 4),
        "precision": None if row.precision is None else round(row.precision, 4),
    }


def _calibration(texts: Sequence[JudgedText]) -> dict[str, Any] | None:
    """Scores of predicted entities against how many are right, in bins of equal width."""
    scored = [
        (text.probabilities[span], span in text.gold)
        for text in texts
        for span in text.predicted
        if span in text.probabilities
    ]
    if not scored:
        return None
    scores, right = (np.asarray(values, dtype=np.float64) for values in zip(*scored, strict=True))
    found = calibration_of(scores, right, N_BINS)
    rows = [
        {
            "from": round(float(found.edges[i]), 4),
            "to": round(float(found.edges[i + 1]), 4),
            "entities": int(n),
            "score": round(float(found.confidence[i]), 4) if n else None,
            "right": round(float(found.accuracy[i]), 4) if n else None,
        }
        for i, n in enumerate(found.counts)
    ]
    return {"error": round(found.error, 4), "bins": rows}


def _against(report: Report) -> dict[str, Any]:
    assert report.others is not None
    differences = [
        {"label": label or ALL, **_measures(found)}
        for label, found in score_difference(report.texts, report.others)
    ]
    both = only = others_only = 0
    for text, other in zip(report.texts, report.others, strict=True):
        gold, found, theirs = set(text.gold), set(text.predicted), set(other.predicted)
        both += len(gold & found & theirs)
        only += len(gold & found - theirs)
        others_only += len(gold & theirs - found)
    return {
        "pipeline": report.other_name,
        "scores": [
            {"label": scores.label or ALL, **_measures(scores.measures)}
            for scores in score(report.others)
        ],
        "differences": differences,
        "found_by_both": both,
        "found_by_first_alone": only,
        "found_by_second_alone": others_only,
    }


def _mention(text: JudgedText, span: CharSpan) -> str:
    return text.text[span.start : span.end]
