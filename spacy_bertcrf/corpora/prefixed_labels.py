"""Spans whose labels have the letters of tags, one for each word: "B-per", "I-per" (of files that
were made of tagged tokens)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record

JOINED = "Spans joined by the letters of their labels (B-, I-)"

_LETTERED = re.compile(r"([BIESMLU])[-_](\S.*)")
_OPEN = "BSU"


def have_letters(records: Iterable[Record]) -> bool:
    """Whether all labels begin as tags do, and some begin an entity that others go on with: one or
    the other might be called so ("B-cell")."""
    letters: dict[str, set[str]] = {}
    for label in {mention.label for record in records for mention in record.entities or ()}:
        found = _LETTERED.fullmatch(label) if isinstance(label, str) else None
        if found is None:
            return False
        letters.setdefault(found[2], set()).add(found[1])
    return any({"B", "I"} <= of for of in letters.values())


def join_words(record: Record, problems: ProblemLog) -> None:
    """Put the spans of a record together that follow each other and go on with each other's entity,
    and take the letters off their labels.

    record: the record, changed in place; its entities count code points.
    problems: log in which joined spans are counted.
    """
    if record.entities is None or record.text is None:
        return
    joined: list[Mention] = []
    for mention in sorted(record.entities, key=lambda one: (one.start, one.end)):
        found = _LETTERED.fullmatch(mention.label)
        letter, label = (found[1], found[2]) if found else ("B", mention.label)
        before = joined[-1] if joined else None
        if before is not None and letter not in _OPEN and before.label == label:
            gap = record.text[before.end : mention.start]
            if before.end <= mention.start and not gap.strip():
                joined[-1] = before._replace(end=mention.end, surface=None)
                problems.count(JOINED)
                continue
        joined.append(mention._replace(label=label))
    record.entities = joined
