"""Prodigy's JSONL, as its `db-out` writes it (Explosion, 2017, prodi.gy).

A line is ``{"text": …, "spans": [{"start": 0, "end": 4, "label": "PER"}], "answer": "accept",
"_task_hash": …, "_view_id": "ner_manual"}``. What an answer says depends on what was asked: an
accepted text whose spans were marked by hand has these entities and no other; an accepted
suggestion (`ner.teach`) says nothing of the rest of its text; a rejected one is known to be wrong.
Offsets count code points.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from spacy_bertcrf.corpora.counting import Counting, OffsetRule
from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, LIKELY, Evidence, Format, Writer
from spacy_bertcrf.corpora.json_mentions import SpanKeys, of_object
from spacy_bertcrf.corpora.json_values import (
    BAD_LINE,
    list_under,
    looks_like_json,
    read_objects,
    sample_objects,
)
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.corpora.repeats import tell_repeats
from spacy_bertcrf.corpora.sources import Source
from spacy_bertcrf.corpora.writing import AnnotatedText, write_lines

UNANSWERED = "task without an answer"
UNCLEAR_REJECTION = "rejected as a whole"

ANSWERS = ("accept", "reject", "ignore")

_SPAN = SpanKeys(("start",), ("end",), ("label",), ("text",))
_HASHES = {"_task_hash", "_input_hash", "_view_id"}
_OF_SUGGESTIONS = {"score", "rank", "priority", "input_hash"}
_CLASSIFICATION_VIEWS = ("classification", "choice", "text")


def write_prodigy(
    texts: Iterable[AnnotatedText], path: Path, options: Options, problems: ProblemLog
) -> None:
    """Write a task a text, with its tokens: annotated ones as accepted, predicted ones to be
    answered, with the probability of each span."""
    write_lines(path, (_task(text) for text in texts))


def _task(text: AnnotatedText) -> dict[str, Any]:
    tokens = [
        {
            "text": token.text,
            "start": token.idx,
            "end": token.idx + len(token),
            "id": token.i,
            "ws": bool(token.whitespace_),
        }
        for token in text.doc
    ]
    spans: list[dict[str, Any]] = []
    for span in text.spans:
        start, end = text.offsets(span)
        at = {"start": start, "end": end, "token_start": span.start, "token_end": span.end - 1}
        spans.append({**at, "label": span.label})
        if span.score is not None:
            spans[-1]["score"] = round(span.score, 6)
    task: dict[str, Any] = {"text": text.doc.text, "meta": {"id": text.id}, "tokens": tokens}
    if text.is_annotated:
        task["spans"] = spans
    if text.is_annotated and not text.is_predicted:
        task |= {"_view_id": "ner_manual", "answer": "accept"}
    return task


class Prodigy(Format):
    """Prodigy's datasets."""

    name = "prodigy"
    description = "Prodigy's JSONL"
    options = frozenset({"label"})
    offsets = OffsetRule(Counting(), other_ends=False)
    writes_scores = True

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By answers, or by the hashes of tasks."""
        if not looks_like_json(source):
            return None
        values = [value for value in sample_objects(source) if "text" in value]
        answered = sum(value.get("answer") in ANSWERS for value in values)
        if answered and 2 * answered >= len(values):
            return Evidence("tasks with an 'answer' of accept, reject or ignore", CERTAIN)
        hashed = sum(bool(_HASHES & value.keys()) for value in values)
        if hashed and any("spans" in value for value in values):
            return Evidence("hashes of tasks, and spans that nobody has answered to", LIKELY)
        return Evidence("no answers and no hashes of tasks", AGAINST)

    @property
    def writer(self) -> Writer:
        """Writes it as `write_prodigy` says."""
        return write_prodigy

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a task; those to be ignored are left out and counted."""
        return tell_repeats(_records(source, options, problems), problems)


def _records(source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
    counts: Counter[str] = Counter()
    has_answers = any("answer" in value for value in sample_objects(source))
    for line, value in read_objects(source, problems):
        answer = value.get("answer", None if has_answers else "accept")
        counts[str(answer)] += 1
        counts["relations"] += len(list_under(value, "relations", line, problems) or ())
        if answer == "ignore":
            continue
        if not isinstance(value.get("text"), str):
            problems.add(BAD_LINE, line, "no text (of an image or a sound?); left out")
            continue
        record = Record(line, text=value["text"], cats=_categories(value, answer))
        if answer not in ANSWERS:
            what = f"{answer!r}: the text is left without annotation"
            problems.add(UNANSWERED, line, what)
        elif not _is_classification(value):
            spans = list_under(value, "spans", line, problems)
            if spans is not None or value.get("spans") is None:
                _annotate(record, {**value, "spans": spans or []}, answer, options, problems)
        yield record
    problems.count("Ignored, left out", counts["ignore"])
    problems.count("Rejected", counts["reject"])
    problems.count("Relations left out", counts["relations"])


def _annotate(
    record: Record, value: dict[str, Any], answer: str, options: Options, problems: ProblemLog
) -> None:
    mentions = [_mention(span, value, options) for span in value["spans"]]
    suggested = _is_suggestion(value)
    if answer == "accept":
        record.entities = mentions
        if suggested and mentions:
            record.missing = [(0, len(value["text"]))]
    elif len(mentions) > 1 and not suggested and "manual" in str(value.get("_view_id")):
        what = f"which of the {len(mentions)} spans is wrong is not known; without annotation"
        problems.add(UNCLEAR_REJECTION, record.line, what)
    else:
        record.rejected = mentions


def _mention(span: Any, value: dict[str, Any], options: Options) -> Mention:
    mention = of_object(span, _SPAN)
    if not isinstance(span, dict):
        return mention
    tokens = _tokens(value, span)
    if "start" not in span and tokens:
        first: Any = tokens[0].get("start")
        last: Any = tokens[-1].get("end")
        mention = mention._replace(start=first, end=last)
    if mention.surface is None and tokens and _are_of_text(value["tokens"], value["text"]):
        mention = mention._replace(surface=" ".join(token["text"] for token in tokens))
    if mention.label is None and options.label is not None:
        mention = mention._replace(label=options.label)
    return mention


def _tokens(value: dict[str, Any], span: dict[str, Any]) -> list[dict[str, Any]]:
    """The tokens of a span, the last of which it names too; none if it does not say."""
    tokens, first, last = value.get("tokens"), span.get("token_start"), span.get("token_end")
    if not isinstance(tokens, list) or not isinstance(first, int) or not isinstance(last, int):
        return []
    found = tokens[first : last + 1] if first >= 0 else []
    return found if all(isinstance(token, dict) for token in found) else []


def _are_of_text(tokens: list[Any], text: str) -> bool:
    """Whether tokens have the letters of the text: wordpieces do not."""
    pieces = [token.get("text") if isinstance(token, dict) else None for token in tokens]
    solid = "".join("".join(piece for piece in pieces if isinstance(piece, str)).split())
    return solid == "".join(text.split())


def _is_suggestion(value: dict[str, Any]) -> bool:
    """Whether a text was shown for its spans to be judged, and not to be marked."""
    view = value.get("_view_id")
    if view is not None or "_is_binary" in value:
        return bool(value.get("_is_binary")) or view == "ner"
    return "tokens" not in value and any(
        isinstance(span, dict) and _OF_SUGGESTIONS & span.keys() for span in value["spans"]
    )


def _is_classification(value: dict[str, Any]) -> bool:
    if "spans" in value or str(value.get("_view_id")).startswith(("ner", "span", "rel")):
        return False
    return (
        value.get("_view_id") in _CLASSIFICATION_VIEWS
        or isinstance(value.get("label"), str)
        or "options" in value
        or "accept" in value
    )


def _categories(value: dict[str, Any], answer: Any) -> dict[str, float] | None:
    """What was chosen of the options, or said of one label; None if nothing was."""
    if answer not in ("accept", "reject"):
        return None
    options, accepted = value.get("options"), value.get("accept")
    if isinstance(accepted, list) and answer == "accept":
        offered = [option.get("id") for option in options or () if isinstance(option, dict)]
        return {str(name): float(name in accepted) for name in [*offered, *accepted]} or None
    if isinstance(value.get("label"), str) and "spans" not in value:
        return {value["label"]: float(answer == "accept")}
    return None
