"""Where a JSON file has its texts or tokens and their entities, by what its values look like."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from spacy_bertcrf.corpora.json_entities import Named, entities_in, has_offsets, is_named, plain
from spacy_bertcrf.corpora.json_mentions import whole_number
from spacy_bertcrf.corpora.json_places import EACH, ROWS, Steps, are_alike, places, show
from spacy_bertcrf.corpora.language import is_unspaced
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.records import Mention
from spacy_bertcrf.corpora.sources import Source

CHARACTERS = "characters"
TOKENS = "tokens"
SURFACES = "surfaces"

# Keys as `plain` has them; those that say most of all first.
TEXTS = """text textcontent labeleddata originaltext rawtext fulltext sourcetext sentence sent
content context document doc paragraph passage query utterance utt data source input abstract
report note body transcript title raw 文本 原文 句子 内容""".split()  # noqa: SIM905
_TOKENS = """tokens words tokenizedtext sentences sents tokenized token word texttokens
sentencetokens sentence sent text chars characters""".split()  # noqa: SIM905
_ENTITIES = """entities spans annotations labels label annotation ents entity entitylist
entitymentions mentions namedentities ner denotations textsegmentannotations goldner golden
entitylabels nerlabels result results objects privacymask pii ners nertags tags vertexset slots nes
实体 标注""".split()  # noqa: SIM905
_NO_ENTITIES = """relations relation relationmentions events eventmentions triggers clusters coref
coreferences attributes pos postags chunks deps dependencies lemmas predictions prediction
drafts""".split()  # noqa: SIM905
_SENTENCE = ("sentid", "sentenceid", "sentidx", "sentenceidx", "sentenceindex")
_OF_TOKENS = ("tokens", "words", "token", "sentences", "sents")
_ANNOTATED_WHEN_EMPTY = ("entities", "spans", "annotations", "ner", "entity", "ents")

_COLUMNS = {*TEXTS, *_TOKENS}
_LONG = 8
_DEEPEST = 2
_MOST_KEYS = 300


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
            and (ROWS not in steps or _last(layout.text or layout.tokens or "") in _COLUMNS)
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


def flatten(value: dict[str, Any]) -> dict[str, Any]:
    """An object with what lies in objects inside it, under keys such as "data.text", too."""
    found = dict(value)
    waiting = [(key, of) for key, of in value.items() if isinstance(of, dict)]
    while waiting and len(found) < _MOST_KEYS:
        way, inner = waiting.pop(0)
        for key, of in inner.items():
            name = f"{way}.{key}"
            found.setdefault(name, of)
            if isinstance(of, dict) and name.count(".") < _DEEPEST:
                waiting.append((name, of))
    return found


def look_up(value: dict[str, Any], key: str | None) -> Any:
    """What an object has under a key as `flatten` has it; None if nothing."""
    if key is None or key in value:
        return value.get(key or "")
    first, _, rest = key.partition(".")
    inner = value.get(first)
    return look_up(inner, rest) if rest and isinstance(inner, dict) else None


def is_pair(value: Any) -> bool:
    """Whether a value is a list of a text and what holds its entities."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], dict | list)
        and len(value[0]) > _LONG
    )


def _of_objects(steps: Steps, objects: list[dict[str, Any]], options: Options) -> Layout | None:
    texts = text_keys(objects, options)
    tokens = next(iter(_ordered(objects, _TOKENS, are_tokens)), None)
    if not texts and tokens is None:
        return None
    kinds: dict[str, Counter[str]] = {}
    for key in _entity_keys(objects, {*texts, *([tokens] if tokens else [])}):
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
                if _last(other) not in _OF_TOKENS and not other.startswith(key)
            )
            count = kinds[key][unit]
            if unit == "named":
                # What is under other keys may be anything that a text is about.
                key = next((key for key in keys if _last(key) in _ENTITIES), "")
                if not key:
                    return None
                count = kinds[key][unit]
                return Layout((steps,), texts[0], None, key, SURFACES, count) if texts else None
            text, unit, cut = _choose(objects, texts, tokens, key)
            return Layout((steps,), text, tokens, key, unit, count, others, cut)
    empty = [key for key, of in kinds.items() if of["empty"] and of["empty"] == of.total()]
    known = [key for key in empty if _last(key) in _ANNOTATED_WHEN_EMPTY]
    if known:
        unit = CHARACTERS if texts else TOKENS
        return Layout((steps,), texts[0] if texts else None, tokens, known[0], unit, 0)
    return None


def text_keys(objects: list[dict[str, Any]], options: Options) -> list[str]:
    """The keys of texts in objects, those of the likeliest first; the one that is given alone."""

    def is_text(value: Any) -> bool:
        return isinstance(value, str) and bool(value)

    if options.text_key is not None:
        found = any(is_text(value.get(options.text_key)) for value in objects)
        return [options.text_key] if found else []
    known = list(_ordered(objects, TEXTS, is_text))
    if known:
        return sorted(known, key=lambda key: key.count("."))
    lengths: Counter[str] = Counter()
    for value in objects:
        lengths.update({key: len(of) for key, of in value.items() if is_text(of)})
    longest = [key for key, length in lengths.most_common(1) if length > _LONG * len(objects)]
    return [key for key in longest if " " in str(objects[0].get(key))]


def _ordered(
    objects: list[dict[str, Any]], wanted: list[str], fits: Callable[[Any], bool]
) -> Iterator[str]:
    """The keys that are known and under which at least half of the objects have what fits."""
    counts = Counter(key for value in objects for key, of in value.items() if fits(of))
    for name in wanted:
        for key, count in counts.items():
            if _last(key) == name and 2 * count >= len(objects):
                yield key


def _last(key: str) -> str:
    return plain(key.rpartition(".")[2])


def are_tokens(value: Any) -> bool:
    """Whether a value is a list of tokens, or of sentences of tokens."""
    if not isinstance(value, list) or not value:
        return False
    if all(isinstance(one, list) for one in value):
        return all(isinstance(token, str) for one in value for token in one) and any(value)
    return all(isinstance(one, str) for one in value)


def _entity_keys(objects: list[dict[str, Any]], without: set[str]) -> list[str]:
    """The keys that may hold entities: known ones first, then others, those of tokens last."""
    keys = Counter(
        key
        for value in objects
        for key, of in value.items()
        if isinstance(of, dict | list)
        and not any(other == key or other.startswith(f"{key}.") for other in without)
        and not any(plain(part) in _NO_ENTITIES for part in key.split("."))
    )

    def rank(key: str) -> tuple[int, int, int]:
        name = _last(key)
        place = _ENTITIES.index(name) if name in _ENTITIES else len(_ENTITIES)
        return 2 if name in _OF_TOKENS else int(name not in _ENTITIES), key.count("."), place

    return sorted(keys, key=rank)


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
        if isinstance(of, dict) and _last(key) not in _ENTITIES:
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


def cut_text(text: str, cut: str) -> list[str]:
    """A text in words: those parted by "spaces", or "words" and marks one by one."""
    return text.split() if cut == "spaces" else re.findall(r"\w+|[^\w\s]", text)


class _Fits(NamedTuple):
    """How many entities fit the characters of a text, and how many its tokens; how many end behind
    the last token; and how many there are."""

    characters: int = 0
    tokens: int = 0
    long: int = 0
    total: int = 0


def _choose(
    objects: list[dict[str, Any]], texts: list[str], tokens: str | None, key: str
) -> tuple[str | None, str, str]:
    """The text that the entities are in, whether their offsets count its characters or its tokens,
    and how it is to be cut into these: by their surfaces, else by where they fit at all."""
    if not texts:
        return None, TOKENS, ""
    cuts = ("",) if tokens is not None else ("spaces", "words")
    fits = {(text, cut): _fits(objects, text, tokens, key, cut) for text in texts for cut in cuts}
    text = max(texts, key=lambda of: (fits[of, cuts[0]].characters, -texts.index(of)))
    cut = max(cuts, key=lambda of: fits[text, of].tokens)
    found = fits[text, cut]
    if tokens is not None and not found.long and found.tokens > found.characters:
        return text, TOKENS, ""
    if tokens is None and 2 * found.characters < found.total and found.tokens == found.total:
        return text, TOKENS, cut
    return text, CHARACTERS, ""


def _fits(
    objects: list[dict[str, Any]], text: str, tokens: str | None, key: str, cut: str
) -> _Fits:
    counts: Counter[str] = Counter()
    for value in objects:
        own, words = value.get(text), value.get(tokens) if tokens is not None else None
        if not isinstance(own, str):
            continue
        flat = cut_text(own, cut) if cut else _flat(words)
        for one in entities_in(value.get(key), own):
            if not isinstance(one, Mention) or not has_offsets(one):
                continue
            start, end = one.start, one.end
            counts["total"] += 1
            counts["long"] += flat is not None and end > len(flat)
            if one.surface:
                piece = own[max(start - 1, 0) : end + 1]
                counts["characters"] += _solid(one.surface) in _solid(piece)
                counts["tokens"] += flat is not None and _is_of_tokens(one, flat)
            else:
                counts["characters"] += _is_word(own, start, end)
                counts["tokens"] += flat is not None and end <= len(flat)
    return _Fits(**counts)


def _is_of_tokens(entity: Mention, tokens: list[str]) -> bool:
    """Whether an entity's surface is that of its tokens, from 0 or 1, its end inclusive or not."""
    pieces = [
        tokens[max(entity.start - first, 0) : entity.end - first + inclusive]
        for first in (0, 1)
        for inclusive in (0, 1)
    ]
    return _solid(entity.surface or "") in [_solid("".join(piece)) for piece in pieces]


def _flat(tokens: Any) -> list[str] | None:
    if not are_tokens(tokens):
        return None
    return [w for of in tokens for w in of] if isinstance(tokens[0], list) else tokens


def _is_word(text: str, start: int, end: int) -> bool:
    """Whether a span begins and ends where words do, whichever way its end is counted."""

    def border(at: int) -> bool:
        around = text[at - 1 : at + 1] if 0 < at < len(text) else ""
        return not around.isalnum() or any(map(is_unspaced, around))

    inside = 0 <= start < len(text) and end <= len(text) and text[start:end].strip()
    return bool(inside) and border(start) and (border(end) or border(end + 1))


def _solid(text: str) -> str:
    return "".join(text.split())
