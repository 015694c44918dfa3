"""spaCy v2's JSON training format: documents of paragraphs of sentences of tokens.

``[{"id": 0, "paragraphs": [{"raw": …, "sentences": [{"tokens": [{"orth": "Anna", "ner":
"U-PER"}]}], "cats": [{"label": "x", "value": 1.0}]}]}]``. Tags are BILUO, "-" where nothing is
known. A paragraph is a text; quotes and brackets that treebanks write as `` '' -LRB- stand in "raw"
as they were.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from spacy_bertcrf.corpora.counting import Counting, OffsetRule
from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, Evidence, Format
from spacy_bertcrf.corpora.json_mentions import of_triple
from spacy_bertcrf.corpora.json_values import (
    BAD_LINE,
    list_under,
    looks_like_json,
    read_objects,
    record_key,
    sample_objects,
)
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.corpora.sources import Source
from spacy_bertcrf.tagging.repair import detect_scheme, read_tags

OTHER_RAW = "tokens are not those of raw"

_TREEBANK = {
    "``": ('"', "“", "``"),
    "''": ('"', "”", "''"),
    "`": ("'", "‘", "`"),
    "-LRB-": ("(",),
    "-RRB-": (")",),
    "-LSB-": ("[",),
    "-RSB-": ("]",),
    "-LCB-": ("{",),
    "-RCB-": ("}",),
}
_UNKNOWN = ("-", "", None)


class SpacyJson(Format):
    """spaCy's own JSON."""

    name = "spacy-json"
    description = "spaCy v2's JSON: paragraphs, sentences, tokens"
    options = frozenset({"scheme"})
    offsets = OffsetRule(Counting(), other_ends=False)

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By "paragraphs" with "sentences" of tokens."""
        if not looks_like_json(source):
            return None
        for value in sample_objects(source):
            for paragraph in _list(value, "paragraphs"):
                if _tokens(paragraph):
                    return Evidence("documents of paragraphs of sentences of tokens", CERTAIN)
        return Evidence("no 'paragraphs' with 'sentences' of tokens", AGAINST)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a paragraph. Raises ValueError if the tags are in no scheme."""
        scheme = options.scheme or detect_scheme(_all_tags(source)) if _has_tags(source) else None
        for line, value in read_objects(source, problems):
            paragraphs = list_under(value, "paragraphs", line, problems)
            for number, paragraph in enumerate(paragraphs or ()):
                tokens = _tokens(paragraph)
                if not tokens:
                    problems.add(BAD_LINE, line, f"paragraph {number + 1} has no tokens; left out")
                    continue
                record = _record(line, paragraph, scheme, problems)
                record.new_document = number == 0
                record.key = record_key(value)
                yield record


def _record(
    line: int, paragraph: dict[str, Any], scheme: str | None, problems: ProblemLog
) -> Record:
    words = [str(token.get("orth", "")) or " " for token in _tokens(paragraph)]
    raw = paragraph.get("raw")
    text = raw if isinstance(raw, str) and raw.strip() else None
    if text is not None:
        found = _as_in(text, words)
        if found is None:
            problems.add(OTHER_RAW, line, f"{text[:40]!r}: the text is made of the tokens")
            text = None
        words = found or words
    record = Record(line, text=text, tokens=words, cats=_categories(paragraph))
    starts = [0]
    for sentence in _list(paragraph, "sentences"):
        starts.append(starts[-1] + len(_list(sentence, "tokens")))
    record.sentences = [start for start in starts if start < len(words)]
    tags = _tags(paragraph)
    if scheme is not None and any(tag is not None for tag in tags):
        reading = read_tags(tags, scheme)
        record.entities = [Mention(*span) for span in reading.spans]
        record.missing = [(token, token + 1) for token in reading.missing]
        for _, kind, what in reading.repairs:
            problems.add(kind, line, what)
    elif text is not None and (offsets := _list(paragraph, "entities")):
        record.tokens = record.sentences = None
        record.text = text
        record.entities = [of_triple(one) for one in offsets]
    return record


def _as_in(text: str, words: list[str]) -> list[str] | None:
    """The tokens as they stand in the text; None if they are not those of it."""
    found, at = [], 0
    for word in words:
        while at < len(text) and text[at].isspace() and not word.startswith(text[at]):
            at += 1
        forms = (word, *_TREEBANK.get(word, ()))
        form = next((form for form in forms if text.startswith(form, at)), None)
        if form is None:
            return None
        found.append(form)
        at += len(form)
    return found if not text[at:].strip() else None


def _categories(paragraph: dict[str, Any]) -> dict[str, float] | None:
    found = {}
    for cat in _list(paragraph, "cats"):
        if isinstance(cat, dict) and isinstance(cat.get("value"), int | float):
            found[str(cat.get("label"))] = float(cat["value"])
    return found or None


def _tags(paragraph: Any) -> list[str | None]:
    tags = [token.get("ner") for token in _tokens(paragraph)]
    return [None if tag in _UNKNOWN or not isinstance(tag, str) else tag for tag in tags]


def _all_tags(source: Source) -> Iterator[list[str | None]]:
    for _, value in read_objects(source, ProblemLog(source.path)):
        for paragraph in _list(value, "paragraphs"):
            yield _tags(paragraph)


def _has_tags(source: Source) -> bool:
    return any(tag is not None for tags in _all_tags(source) for tag in tags)


def _tokens(paragraph: Any) -> list[dict[str, Any]]:
    sentences = _list(paragraph, "sentences")
    tokens = (token for sentence in sentences for token in _list(sentence, "tokens"))
    return [token for token in tokens if isinstance(token, dict)]


def _list(value: Any, key: str) -> list[Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []
