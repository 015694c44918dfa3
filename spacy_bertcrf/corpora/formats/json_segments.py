"""JSON with texts in pieces, of which those that are entities have a label.

``{"data": [{"text": "to "}, {"text": "Bonn", "entity": "city"}]}`` (Snips; what users say in
Dialogflow), under intents or in a list; ``{"飞往波恩": [{"word": "飞往", "label": "O"}, {"word":
"波恩", "label": "LOC"}]}``. The pieces put together are the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from spacy_bertcrf.corpora.formats.format import AGAINST, LIKELY, Evidence, Format
from spacy_bertcrf.corpora.json_entity_keys import plain
from spacy_bertcrf.corpora.json_places import Steps, places, read_at, show
from spacy_bertcrf.corpora.json_values import BAD_LINE, describe_kind, looks_like_json
from spacy_bertcrf.corpora.language import is_unspaced
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.corpora.sources import Source
from spacy_bertcrf.corpora.tagged_tokens import is_outside, is_prefixed

_WORDS = ("text", "word", "segment", "chunk")
# The slot says more than the type of its values.
_LABELS = ("slotname", "slot", "alias", "entity", "label", "tag", "type")
_LISTS = ("data", "segments", "chunks", "pieces", "parts")
# On average, labelled pieces are shorter than this.
_LONG = 60
_OFFSETS = {"start", "end", "startoffset", "endoffset", "begin", "offset"}


class JsonSegments(Format):
    """Texts in pieces with labels."""

    name = "json-segments"
    description = "JSON with texts in pieces, some with a label: Snips, Dialogflow"

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By lists of pieces that make a text with its spaces, some of them with a label."""
        if not looks_like_json(source):
            return None
        steps = _find(source)
        if steps is None:
            return Evidence("no texts in pieces, some with a label", AGAINST)
        inside = f", inside {show(steps)!r}" if any(steps) else ""
        return Evidence(f"texts in pieces, some with a label{inside}", LIKELY)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a list of pieces. Raises ValueError if there is none."""
        steps = _find(source) if looks_like_json(source) else None
        if steps is None:
            raise ValueError(
                f"{source.path}: no texts in pieces. Expected e.g. {{'data': [{{'text': 'to '}}, "
                "{'text': 'Bonn', 'entity': 'city'}]}."
            )
        for line, key, value in read_at(source, (steps,), problems):
            pieces = _pieces(value)
            if pieces is None:
                problems.add(BAD_LINE, line, f"{describe_kind(value)}, not a text in pieces")
                continue
            yield _record(line, key, pieces)


def _record(line: int, key: str | None, pieces: list[dict[str, Any]]) -> Record:
    text, entities = "", []
    for piece in pieces:
        word, label = _parts(piece)
        if label is not None:
            entities.append(Mention(len(text), len(text) + len(word), label))
        text += word
    return Record(line, text=text, entities=entities, key=None if key == text else key)


def _find(source: Source) -> Steps | None:
    """The way to the texts in pieces: to the most of them, those under all keys of an object."""
    key = "JSON pieces"
    if key not in source.seen:
        found: dict[Steps, int] = {}
        for steps, values in places(source):
            lists = [pieces for value in values if (pieces := _pieces(value)) is not None]
            if 2 * len(lists) > len(values) and _are_texts(lists):
                found[steps] = len(lists)
        best = max(found, key=lambda steps: (found[steps], -len(steps)), default=None)
        source.seen[key] = best
    return source.seen[key]


def _pieces(value: Any) -> list[dict[str, Any]] | None:
    """The pieces that a value consists of, or holds; None if it is no such thing."""
    if isinstance(value, dict):
        known = {plain(key): of for key, of in value.items()}
        value = next((known[key] for key in _LISTS if key in known), None)
    if not isinstance(value, list) or not value:
        return None
    return value if all(map(_is_piece, value)) else None


def _is_piece(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    known = {plain(key): of for key, of in value.items()}
    has_text = any(isinstance(known.get(key), str) for key in _WORDS)
    return has_text and not known.keys() & _OFFSETS and len(known) <= 8


def _parts(piece: dict[str, Any]) -> tuple[str, Any]:
    """The text of a piece, and what is in the place of its label, if it is an entity."""
    known = {plain(key): of for key, of in piece.items()}
    word = next(known[key] for key in _WORDS if isinstance(known.get(key), str))
    labels = [_only(known[key]) for key in _LABELS if known.get(key)]
    label = next((of for of in labels if isinstance(of, str)), labels[0] if labels else None)
    return word, None if isinstance(label, str) and is_outside(label) else label


def _only(label: Any) -> Any:
    """The label in a list of one; what else there is, as it is."""
    return label[0] if isinstance(label, list) and len(label) == 1 else label


def _are_texts(lists: list[list[dict[str, Any]]]) -> bool:
    """Whether lists of pieces are texts, rather than each piece a text with its class."""
    parts = [_parts(piece) for pieces in lists for piece in pieces]
    words = [word for word, label in parts if isinstance(label, str)]
    short = sum(map(len, words)) < _LONG * len(words)
    return short and len(words) < len(parts) and any(map(_make_a_text, lists))


def _make_a_text(pieces: list[dict[str, Any]]) -> bool:
    """Whether pieces put together are a text: some end in a space, or their script has none; and
    not each token is a piece with a tag."""
    parts = [_parts(piece) for piece in pieces]
    labels = [label for _, label in parts if isinstance(label, str)]
    if not labels or any(map(is_prefixed, labels)):
        return False
    spaced = any(word != word.strip() for word, _ in parts)
    return spaced or all(any(map(is_unspaced, word)) for word, _ in parts)
