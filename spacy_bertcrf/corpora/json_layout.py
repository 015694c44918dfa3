"""Where a JSON file has its texts or tokens and their entities, by what its values look like."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from spacy_bertcrf.corpora.json_entities import Named, entities_in, has_offsets, is_named
from spacy_bertcrf.corpora.json_entity_keys import plain
from spacy_bertcrf.corpora.json_keys import (
    COLUMNS,
    ENTITIES,
    LONG,
    OF_TOKENS,
    entity_keys,
    flatten,
    last_part,
    text_keys,
    tokens_key,
)
from spacy_bertcrf.corpora.json_mentions import whole_number
from spacy_bertcrf.corpora.json_parallel import entity_rows
from spacy_bertcrf.corpora.json_places import EACH, ROWS, Steps, are_alike, places, show
from spacy_bertcrf.corpora.json_units import CHARACTERS, TOKENS, choose_unit
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.sources import Source

SURFACES = "surfaces"
_SENTENCE = ("sentid", "sentenceid", "sentidx", "sentenceidx", "sentenceindex")
_ANNOTATED_WHEN_EMPTY = ("entities", "spans", "annotations", "ner", "entity", "ents")
_CUTS = {"": "tokens", "spaces": "words parted by spaces", "words": "words and marks"}


class Layout(NamedTuple):
    """Where a file has what.

    ways: the ways to the records: more than one where several lists of a file are alike.
    text: the key of the text; None if there are tokens alone, "" if the record is a pair of text
        and entities.
    tokens: the key of the tokens; None if there are none.
    entities: the key of the entities; "" if the record is such a pair.
    unit: CHARACTERS or TOKENS, if the entities have offsets in these, SURFACES if they have none.
    n_entities: how many have been seen.
    others: keys of further lists that might be entities.
    cut: how a text is cut into the tokens that are counted, where there are no others: "spaces" or
        "words" (and each mark by itself); else empty.
    """

    ways: tuple[Steps, ...]
    text: str | None
    tokens: str | None
    entities: str
    unit: str
    n_entities: int
    others: tuple[str, ...] = ()
    cut: str = ""

    def __str__(self) -> str:
        of = self.tokens if self.unit == TOKENS and self.tokens is not None else self.text
        found = {
            CHARACTERS: "entities with offsets",
            TOKENS: f"entities with offsets in {_CUTS[self.cut]}",
            SURFACES: "entities with their texts and without offsets",
        }[self.unit]
        if not self.n_entities:
            found = "empty lists: no entity anywhere"
        ways = [show(steps) for steps in self.ways if any(steps)]
        inside = f", inside {' and '.join(map(repr, ways))}" if ways else ""
        if not inside and EACH in self.ways[0]:
            inside = ", under their ids"
        if self.entities == "":
            return f"pairs of a text and {found}{inside}"
        return f"{of!r} beside {self.entities!r}, {found}{inside}"


def find_layout(source: Source, options: Options) -> Layout | None:
    """Find out where a file has its texts and entities; None if nothing looks like both."""
    key = f"JSON layout {options.text_key}"
    if key not in source.seen:
        found = [
            layout
            for steps, values in places(source)
            if (layout := _layout(steps, values, options)) is not None
            # Whatever has ids for keys could be columns, but for the names of these.
            and not _is_inside(layout)
            and (ROWS not in steps or last_part(layout.text or layout.tokens or "") in COLUMNS)
        ]
        groups = [(layout, _alike(layout, found)) for layout in found]
        best = max(groups, key=lambda group: _rank(*group), default=None)
        source.seen[key] = best and best[0]._replace(ways=tuple(of.ways[0] for of in best[1]))
    return source.seen[key]


def _is_inside(layout: Layout) -> bool:
    """Whether text and entities are both in one object inside the record: then that is one."""
    way = (layout.text or layout.tokens or "").rpartition(".")[0]
    return bool(way) and layout.entities.startswith(f"{way}.")


def layout_of(objects: list[dict[str, Any]], options: Options) -> Layout | None:
    """Find out where objects that are the records have their texts and entities."""
    return _layout((), objects, options)


def _rank(layout: Layout, alike: list[Layout]) -> tuple[bool, int, bool, int, int]:
    steps = layout.ways[0]
    total = sum(of.n_entities for of in alike)
    sure = layout.unit != SURFACES and total > 0
    return sure, total, ROWS in steps, -sum(step is EACH for step in steps), -len(steps)


def _alike(layout: Layout, found: list[Layout]) -> list[Layout]:
    """A layout and those that are like it under other keys: "train" and "test"."""

    return [
        other
        for other in found
        if are_alike(layout.ways[0], other.ways[0]) and other[1:5] == layout[1:5]
    ]


def _layout(steps: Steps, values: list[Any], options: Options) -> Layout | None:
    objects = [flatten(value) for value in values if isinstance(value, dict)]
    if 2 * len(objects) > len(values):
        return _of_objects(steps, objects, options)
    pairs = [value for value in values if is_pair(value)]
    if pairs and 2 * len(pairs) > len(values):
        found = [list(entities_in(entities, text)) for text, entities, *_ in pairs]
        named = sum(is_named(entity) for of in found for entity in of)
        good = sum(has_offsets(entity) for of in found for entity in of)
        if 2 * named > sum(map(len, found)):
            return Layout((steps,), "", None, "", SURFACES, named)
        if 2 * good > sum(map(len, found)):
            return Layout((steps,), "", None, "", CHARACTERS, good)
    return None


def is_pair(value: Any) -> bool:
    """Whether a value is a list of a text and what holds its entities."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], dict | list)
        and len(value[0]) > LONG
    )


def _of_objects(steps: Steps, objects: list[dict[str, Any]], options: Options) -> Layout | None:
    texts = text_keys(objects, options)
    tokens = tokens_key(objects)
    if not texts and tokens is None:
        return None
    kinds: dict[str, Counter[str]] = {}
    for key in entity_keys(objects, {*texts, *([tokens] if tokens else [])}):
        kinds[key] = _kinds(objects, key, texts[0] if texts else None, tokens)
    for unit in ("offsets", "named"):
        # Labels without a place are not against those with offsets: they may be of the text.
        aside = ("empty", "placeless") if unit == "offsets" else ("empty",)
        keys = [
            key
            for key, of in kinds.items()
            if of[unit] and 2 * of[unit] >= of.total() - sum(of[kind] for kind in aside)
        ]
        if keys:
            key = keys[0]
            others = tuple(
                other
                for other in keys[1:]
                if last_part(other) not in OF_TOKENS and not other.startswith(key)
            )
            count = kinds[key][unit]
            if unit == "named":
                # What is under other keys may be anything that a text is about.
                key = next((key for key in keys if last_part(key) in ENTITIES), "")
                if not key:
                    return None
                count = kinds[key][unit]
                return Layout((steps,), texts[0], None, key, SURFACES, count) if texts else None
            text, unit, cut = choose_unit(objects, texts, tokens, key)
            return Layout((steps,), text, tokens, key, unit, count, others, cut)
    empty = [key for key, of in kinds.items() if of["empty"] and of["empty"] == of.total()]
    known = [key for key in empty if last_part(key) in _ANNOTATED_WHEN_EMPTY]
    if known:
        unit = CHARACTERS if texts else TOKENS
        return Layout((steps,), texts[0] if texts else None, tokens, known[0], unit, 0)
    return None


def _kinds(
    objects: list[dict[str, Any]], key: str, text: str | None, tokens: str | None
) -> Counter[str]:
    """How many entities under a key have offsets, how many a text alone, how many are none, and how
    many records have an empty list."""
    counts: Counter[str] = Counter()
    for value in objects:
        of = value.get(key)
        if not isinstance(of, dict | list):
            continue
        rows = entity_rows(of)
        of = of if rows is None else rows
        if isinstance(of, dict) and last_part(key) not in ENTITIES:
            counts["neither"] += 1  # what is under its keys may be anything
            continue
        counts["empty"] += not of or of == [[]] * len(of)
        own = value.get(text) if text is not None else None
        words = value.get(tokens) if tokens is not None else None
        if not isinstance(own, str):
            own = None
        if text is None and isinstance(words, list):
            own = " ".join(word for word in words if isinstance(word, str))
        for part in parts_of(of, words):
            for one in entities_in(part, own, tokens is not None):
                if has_offsets(one):
                    counts["offsets"] += 1
                elif isinstance(one, Named):
                    is_there = is_named(one) and own is not None and one.surface in own
                    counts["named" if is_there else "placeless"] += 1
                else:
                    counts["neither"] += 1
    return counts


def sentence_of(entity: Any) -> int | None:
    """The number of the sentence that an entity names."""
    flat = {plain(key): of for key, of in entity.items()} if isinstance(entity, dict) else {}
    return next((n for key in _SENTENCE if (n := whole_number(flat.get(key))) is not None), None)


def parts_of(entities: Any, tokens: Any) -> list[Any]:
    """The entities of each sentence, where they are in lists by sentence; else of the whole."""
    nested = isinstance(entities, list) and all(isinstance(of, list) for of in entities)
    named = nested and any(sentence_of(one) is not None for of in entities for one in of)
    if nested and not named and isinstance(tokens, list) and len(tokens) == len(entities):
        by_sentence = all(isinstance(of, list) for of in tokens)
        if by_sentence and all(isinstance(one, dict | list) for of in entities for one in of):
            return entities
    return [entities]
