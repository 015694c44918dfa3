"""CLUENER's JSON lines → Docs (Xu et al., 2020, "CLUENER2020: Fine-grained Named Entity
Recognition Dataset and Benchmark for Chinese").

A line is ``{"text": "彭小军认为…", "label": {"name": {"彭小军": [[0, 2]]}}}``: for each label, each
surface with the offsets of its first and last character. Without "label" it is a text to predict.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from spacy_bertcrf.corpora.entities import BLANK, TRIMMED, annotate, trim, without_overlaps
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.tagging import EntitySpan

BAD_LINE = "line that cannot be read"
BAD_ENTITY = "entity that cannot be read"
OUT_OF_RANGE = "offsets out of range"
OTHER_SURFACE = "surface differs from the text"
MISALIGNED = "entity does not fit the tokens"


def read_cluener(lines: Iterable[str], nlp: Language, problems: ProblemLog) -> Iterator[Doc]:
    """Read one Doc a line, tokenised as the pipeline will tokenise the text at prediction time.

    A line that cannot be read is left out. An entity that cannot be placed is left out too, and
    the tokens where it may be get no annotation rather than "not an entity". A line without
    "label" gives a Doc without annotation.

    lines: the lines of the file.
    nlp: pipeline whose tokenizer makes the Docs.
    problems: log to add to.

    RETURNS: the Docs, in file order.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip(" \t"):
            continue
        try:
            record = _parse(line)
            doc = nlp.make_doc(record["text"])
        except ValueError as err:
            problems.add(BAD_LINE, number, f"{err}; the line is left out")
            continue
        if record["label"] is not None:
            _annotate(doc, record["label"], number, problems)
        yield doc


def _parse(line: str) -> dict[str, Any]:
    try:
        record = json.loads(line, object_pairs_hook=_join_repeated)
    except json.JSONDecodeError as err:
        raise ValueError(f"not JSON: {err.msg} at character {err.colno}") from None
    except RecursionError:
        raise ValueError("JSON nested too deep") from None
    if not isinstance(record, dict):
        raise ValueError("not a JSON object")
    text, labels = record.get("text"), record.get("label")
    if not isinstance(text, str) or not text:
        raise ValueError('no "text", or an empty one')
    if not _is_unicode(text):
        raise ValueError('half a surrogate pair in "text"')
    if not isinstance(labels, dict | None):
        raise ValueError('"label" is not an object')
    return {"text": text, "label": labels}


def _join_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object; where a key comes twice, join its values: JSON's own way loses the first."""
    joined: dict[str, Any] = {}
    for key, value in pairs:
        if key not in joined:
            joined[key] = value
        elif isinstance(value, dict) and isinstance(joined[key], dict):
            joined[key] = _join_repeated([*joined[key].items(), *value.items()])
        elif isinstance(value, list) and isinstance(joined[key], list):
            joined[key] = joined[key] + value
        elif value != joined[key]:
            raise ValueError(f"two values for {key!r}")
    return joined


def _annotate(doc: Doc, labels: dict[str, Any], number: int, problems: ProblemLog) -> None:
    spans: list[EntitySpan] = []
    missing: set[int] = set()
    for label, surface, offsets in _flat(labels):
        name = f"{label} {_quote(surface)} at {_quote(offsets)}"
        fault = _fault(doc.text, label, surface, offsets)
        if fault:
            kind, what = fault
            problems.add(kind, number, f"{name}: {what}")
            missing.update(_possible_tokens(doc, surface, offsets))
            continue
        first, last = offsets
        start, end = trim(doc.text, first, last + 1)
        if start == end:
            problems.add(BLANK, number, f"{name}: left out")
            continue
        if (start, end) != (first, last + 1):
            problems.add(TRIMMED, number, f"{name}: taken off")
        span = doc.char_span(start, end, label)
        if span is None:
            problems.add(MISALIGNED, number, f"{name}: its tokens are left without annotation")
            missing.update(_touched(doc, start, end))
        else:
            spans.append(EntitySpan(span.start, span.end, label))
    kept, dropped = without_overlaps(spans)
    for loser, kind, winner in dropped:
        problems.add(kind, number, f"{_name(doc, loser)} left out for {_name(doc, winner)}")
    annotate(doc, kept, missing)


def _flat(labels: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for label, surfaces in labels.items():
        if not isinstance(surfaces, dict):
            yield label, "", surfaces
            continue
        for surface, places in surfaces.items():
            for offsets in places if isinstance(places, list) and places else [places]:
                yield label, surface, offsets


def _fault(text: str, label: str, surface: str, offsets: Any) -> tuple[str, str] | None:
    """What kind of thing is wrong with an entity and how so, if anything is."""
    if not label or not _is_unicode(label):
        return BAD_ENTITY, "not a label"
    if not _is_offset_pair(offsets):
        return BAD_ENTITY, "expected offsets as [first, last]"
    first, last = offsets
    in_range = 0 <= first <= last < len(text)
    if in_range and text[first : last + 1] == surface:
        return None
    hint = ""
    if first >= 0 and surface and text[first:last] == surface:
        hint = " (the end looks exclusive; in this format it is inclusive)"
    if in_range:
        found = _quote(text[first : last + 1])
        return OTHER_SURFACE, f"the text has {found} there{hint}"
    return OUT_OF_RANGE, f"the text has {len(text)} characters{hint}"


def _is_offset_pair(offsets: Any) -> bool:
    return isinstance(offsets, list) and [type(offset) for offset in offsets] == [int, int]


def _possible_tokens(doc: Doc, surface: str, offsets: Any) -> Iterator[int]:
    """The tokens where an entity may be whose surface and offsets disagree."""
    if _is_offset_pair(offsets):
        yield from _touched(doc, offsets[0], offsets[1] + 1)
    if surface:
        for match in re.finditer(re.escape(surface), doc.text):
            yield from _touched(doc, *match.span())


def _touched(doc: Doc, start: int, end: int) -> Iterator[int]:
    return (token.i for token in doc if token.idx < end and start < token.idx + len(token))


def _name(doc: Doc, span: EntitySpan) -> str:
    return f"{span.label} {_quote(doc[span.start : span.end].text)}"


def _quote(value: Any) -> str:
    quoted = repr(value)
    return quoted if len(quoted) <= 40 else quoted[:38] + "…" + quoted[-1]


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)
