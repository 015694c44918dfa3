"""Takes out of records what is no text, no label or no offset, whatever JSON had in its place."""

from __future__ import annotations

import re
from typing import Any

from spacy_bertcrf.corpora.clean_tags import UNSEEN, clean_label
from spacy_bertcrf.corpora.json_values import BAD_LINE
from spacy_bertcrf.corpora.offsets import name
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record

BAD_ENTITY = "entity that cannot be read"
# Most were spaces before some tool stripped them.
EMPTY_TOKEN = "empty token"
AS_SPACE = "read as a space"

_SURROGATE = re.compile("[\ud800-\udfff]")


def well_formed(record: Record, problems: ProblemLog, keep_empty: bool = False) -> bool:
    """Check the types of a record's values; take out entities that are none, note each, and mark
    the places of their surfaces as missing, or else all of the text. Labels lose what nobody sees
    in them. Empty tokens become spaces.

    record: the record, changed in place.
    problems: log to add to.
    keep_empty: whether an empty text is one.

    Returns False if it has no text, and then it is to be left out.
    """
    if record.tokens is None:
        if not isinstance(record.text, str) or not (record.text or keep_empty):
            problems.add(BAD_LINE, record.line, "no text, or an empty one; left out")
            return False
    elif not (record.tokens or keep_empty):
        return False
    if record.tokens and not all(record.tokens):
        problems.add(EMPTY_TOKEN, record.line, AS_SPACE)
        record.tokens = [token or " " for token in record.tokens]
    if not _is_unicode(record.text or "") or not _is_unicode("\n".join(record.tokens or ())):
        problems.add(BAD_LINE, record.line, "half a surrogate pair in the text; left out")
        return False
    if record.entities:
        formed = (m for m in record.entities if _is_entity(m, record, problems))
        record.entities = [_with_clean_label(m, record, problems) for m in formed]
    if record.rejected or record.doubtful:
        record.rejected = [m for m in record.rejected if _fault(m) is None]
        record.doubtful = [m for m in record.doubtful if _fault(m) is None]
    return True


def _is_entity(mention: Mention, record: Record, problems: ProblemLog) -> bool:
    fault = _fault(mention)
    if fault is None:
        return True
    problems.add(BAD_ENTITY, mention.line or record.line, f"{name(mention)}: {fault}")
    places = []
    if _is_offset(mention.start) and _is_offset(mention.end):
        places.append((mention.start, mention.end + 1))
    text, surface = record.text, mention.surface
    if text is not None and isinstance(surface, str) and surface:
        places += [match.span() for match in re.finditer(re.escape(surface), text)]
    record.missing += places
    if not places:
        record.doubt_all()
    return False


def _with_clean_label(mention: Mention, record: Record, problems: ProblemLog) -> Mention:
    label = clean_label(mention.label)
    if label == mention.label:
        return mention
    problems.add(UNSEEN, mention.line or record.line, f"{mention.label!r} is read as {label!r}")
    return mention._replace(label=label)


def _fault(mention: Mention) -> str | None:
    label: Any = mention.label
    if not isinstance(label, str) or not label.strip() or not _is_unicode(label):
        return "not a label"
    if not _is_offset(mention.start) or not _is_offset(mention.end):
        return "expected two whole numbers as offsets"
    if mention.surface is not None and not isinstance(mention.surface, str):
        return "its text is no text"
    return None


def _is_offset(value: Any) -> bool:
    return type(value) is int


def _is_unicode(text: str) -> bool:
    return text.isascii() or _SURROGATE.search(text) is None
