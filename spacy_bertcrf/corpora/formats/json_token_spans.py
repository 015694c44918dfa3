"""JSON with tokens and entities that count them, as models of relations and nested entities take
it.

Each of these is read, whatever the keys are called:

- ``{"tokens": […], "entities": [{"type": "PER", "start": 0, "end": 2}]}`` (SpERT; OneIE with
  `entity_mentions`), ends exclusive;
- ``{"sentences": [[…], […]], "ner": [[[0, 1, "PER"]], []]}`` (SciERC, DyGIE++, PURE), ends
  inclusive, counted through the document;
- ``{"tokenized_text": […], "ner": [[0, 1, "person"]]}`` (GLiNER), ends inclusive;
- ``{"sentence": […], "ner": [{"index": [0, 1], "type": "PER"}]}`` (W2NER): all tokens of each;
- ``{"sents": […], "vertexSet": [[{"pos": [0, 2], "sent_id": 0, "type": "PER"}]]}`` (DocRED).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from spacy_bertcrf.corpora.formats.format import AGAINST, POSSIBLE, Evidence, Format
from spacy_bertcrf.corpora.formats.json_spans import OTHER_LISTS, named_label
from spacy_bertcrf.corpora.json_entities import entities_in, has_offsets
from spacy_bertcrf.corpora.json_entity_keys import INDICES, plain
from spacy_bertcrf.corpora.json_keys import are_tokens, look_up
from spacy_bertcrf.corpora.json_layout import Layout, find_layout, parts_of, sentence_of
from spacy_bertcrf.corpora.json_parallel import tell_unlike_lists
from spacy_bertcrf.corpora.json_places import read_at
from spacy_bertcrf.corpora.json_units import TOKENS, cut_text
from spacy_bertcrf.corpora.json_values import BAD_LINE, describe_kind, looks_like_json
from spacy_bertcrf.corpora.malformed import BAD_ENTITY
from spacy_bertcrf.corpora.offsets import name as name_of
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.corpora.sources import Source
from spacy_bertcrf.corpora.token_offsets import (
    DOCUMENTS,
    SENTENCES,
    TaggedPart,
    TokenCounting,
    decide_tokens,
    fault,
    starts_of,
)

COUNTING = "Offsets"

_DOCUMENTS = ("dockey", "docid", "documentid", "title", "doc")


class _Row(NamedTuple):
    """One record of the file: its sentences, each with its entities.

    document: what names its document; None if nothing does.
    listed: how many entities more are lists, or say all their tokens, than are neither.
    is_annotated: whether it has any list of entities.
    in_doubt: whether an entity in it says no place.
    """

    line: int
    key: str | None
    document: str | None
    parts: list[TaggedPart]
    listed: int
    is_annotated: bool
    in_doubt: bool


class JsonTokenSpans(Format):
    """Tokens and entities whose offsets count tokens."""

    name = "json-token-spans"
    description = "JSON with tokens and entities with offsets in tokens: SpERT, DyGIE++, GLiNER"
    options = frozenset({"label", "labels", "ends"})

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By tokens beside entities with offsets."""
        if not looks_like_json(source):
            return None
        layout = find_layout(source, options)
        if layout is None or layout.unit != TOKENS:
            return Evidence("no tokens beside entities with offsets in them", AGAINST)
        return Evidence(str(layout), POSSIBLE)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a sentence. Raises ValueError if there are no tokens beside entities, if most
        do not fit however they are counted, or if labels are numbers that nobody names."""
        layout = find_layout(source, options) if looks_like_json(source) else None
        if layout is None or layout.unit != TOKENS:
            raise ValueError(
                f"{source.path}: no object has tokens beside entities with offsets in them. "
                "Expected e.g. {'tokens': […], 'entities': [{'start': 0, 'end': 2, 'type': 'X'}]}."
            )
        if layout.others:
            problems.note(OTHER_LISTS, ", ".join(layout.others))
        rows = list(_rows(source, layout, options, problems))
        parts = [part for row in rows for part in row.parts]
        counting, why = decide_tokens(parts, _rule(rows, layout), source.path, options.ends)
        problems.note(COUNTING, why)
        document: str | None = None
        for row in rows:
            for number, part in enumerate(row.parts):
                new = number == 0 and (row.document is None or row.document != document)
                record = _record(row, part, counting, problems)
                record.new_document = new if row.document or len(row.parts) > 1 else None
                yield record
            document = row.document


def _record(row: _Row, part: TaggedPart, counting: TokenCounting, problems: ProblemLog) -> Record:
    record = Record(row.line, tokens=part.tokens, key=row.key)
    if not row.is_annotated:
        return record
    if row.in_doubt:
        record.doubt_all()
    entities = []
    for entity in part.entities:
        placed = counting.place(entity, part.start)
        found = fault(counting, part, entity)
        if found is None:
            entities.append(placed._replace(surface=None))
        else:
            kind, what = found
            problems.add(kind, row.line, f"{name_of(entity)}: {what}")
            record.missing.append((max(placed.start, 0), max(placed.end, placed.start + 1)))
    record.entities = entities
    return record


def _rule(rows: list[_Row], layout: Layout) -> TokenCounting:
    """How such files count: those with lists for entities inclusive, as DyGIE++ and GLiNER do, and
    those whose entities name their sentence from its beginning."""
    in_documents = any(part.start for row in rows for part in row.parts)
    by_sentence = not in_documents or plain(layout.entities) == "vertexset"
    listed = sum(row.listed for row in rows)
    return TokenCounting(0, listed > 0, SENTENCES if by_sentence else DOCUMENTS)


def _rows(source: Source, layout: Layout, options: Options, problems: ProblemLog) -> Iterator[_Row]:
    for line, key, value in read_at(source, layout.ways, problems):
        if not isinstance(value, dict):
            problems.add(BAD_LINE, line, f"{describe_kind(value)}, not a JSON object: left out")
            continue
        sentences = _sentences(value, layout)
        if not sentences:
            what = f"no tokens under {layout.tokens or layout.text!r}: left out"
            problems.add(BAD_LINE, line, what)
            continue
        starts = starts_of(sentences)
        found: list[list[Mention]] = [[] for _ in sentences]
        entities = look_up(value, layout.entities)
        if entities is None:
            tell_unlike_lists(line, value, layout.entities, problems)
        groups = parts_of(entities, look_up(value, layout.tokens)) if entities else []
        listed, in_doubt = 0, False
        for number, group in enumerate(groups):
            own = number if len(groups) == len(sentences) else None
            for one in _one_by_one(group):
                inclusive = isinstance(one, list) and _is_inclusive(one[0])
                for entity in entities_in(one, None, True, options.label):
                    if isinstance(entity, Mention) and has_offsets(entity):
                        of = _sentence_of(one, entity, starts) if own is None else own
                        found[of].append(named_label(entity, options, problems))
                        listed += 1 if inclusive else -1
                    else:
                        what = f"{entity.label} {entity.surface or ''}: no place in tokens"
                        problems.add(BAD_ENTITY, line, what)
                        in_doubt = True
        ids = {plain(name): str(of) for name, of in value.items() if isinstance(of, str | int)}
        document = next((ids[name] for name in _DOCUMENTS if name in ids), None)
        parts = [TaggedPart(*part) for part in zip(sentences, found, starts, strict=True)]
        key = ids.get("id", key)
        yield _Row(line, key, document, parts, listed, entities is not None, in_doubt)


def _sentences(value: dict[str, Any], layout: Layout) -> list[list[str]]:
    tokens, text = look_up(value, layout.tokens), look_up(value, layout.text)
    if layout.cut and isinstance(text, str):
        tokens = cut_text(text, layout.cut)
    if not are_tokens(tokens):
        return []
    return tokens if isinstance(tokens[0], list) else [tokens]


def _one_by_one(group: Any) -> Iterator[Any]:
    """The entities of a group, those of clusters of mentions too, each as a list of one."""
    if isinstance(group, dict):
        yield group
        return
    for one in group if isinstance(group, list) else [group]:
        is_cluster = isinstance(one, list) and all(isinstance(of, dict) for of in one)
        for mention in one if is_cluster else [one]:
            yield [mention]


def _is_inclusive(raw: Any) -> bool:
    """Whether an entity is a list, or says all its tokens: then programs count ends inclusive."""
    return isinstance(raw, list) or (
        isinstance(raw, dict) and any(plain(key) in INDICES for key in raw)
    )


def _sentence_of(raw: Any, entity: Mention, starts: list[int]) -> int:
    """The number of the sentence that an entity names, or in which it begins."""
    named = sentence_of(raw[0]) if isinstance(raw, list) else None
    if named is not None and 0 <= named < len(starts):
        return named
    return max((n for n, at in enumerate(starts) if at <= entity.start), default=0)
