"""JSON with a text and its entities as people write it themselves, and as many tools do.

``{"text": …, "entities": [{"start": 0, "end": 4, "label": "PER"}]}`` with whatever names these keys
have, or lists of three or four such as ``[0, 4, "PER", "Anna"]``; objects a line, in a list, or in
a list inside one object (Rasa's ``{"rasa_nlu_data": {"common_examples": […]}}``). How the offsets
count is nobody's rule: the entities' texts tell, then word borders.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from spacy_bertcrf.corpora.formats.format import AGAINST, POSSIBLE, Evidence, Format, Writer
from spacy_bertcrf.corpora.formats.json_spans_writer import write_json_spans
from spacy_bertcrf.corpora.json_mentions import whole_number
from spacy_bertcrf.corpora.json_values import (
    Value,
    list_under,
    looks_like_json,
    only_objects,
    read_elements,
    read_values,
    record_key,
    sample_objects,
)
from spacy_bertcrf.corpora.offsets import UTF_16, Counting, OffsetRule
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.corpora.repeats import tell_repeats
from spacy_bertcrf.corpora.sources import Source

TEXTS = """text content sentence originalText original_text raw_text rawText context document doc
source_text sent paragraph query utterance data""".split()  # noqa: SIM905
LISTS = """entities spans annotations labels label annotation ents entity entity_list
entity_mentions mentions named_entities ner tags ner_tags tokens""".split()  # noqa: SIM905
STARTS = """start start_idx start_offset start_pos start_char start_index startOffset startIndex
start_position begin begin_offset beginOffset from""".split()  # noqa: SIM905
ENDS = """end end_idx end_offset end_pos end_char end_index endOffset endIndex end_position stop
finish to""".split()  # noqa: SIM905
PAIRS = "offsets offset span pos position indices range char_span".split()  # noqa: SIM905
LABELS = """label entity_type entityType label_type labelType entity_label entityLabel type tag
tag_name category class labels entity_group ner entity name""".split()  # noqa: SIM905
SURFACES = """text surface mention word value entity_text entity_name entity span_text phrase span
token content name""".split()  # noqa: SIM905

_WRAPPERS_DEEP = 3


class SpanShape(NamedTuple):
    """Where a file has its texts and entities.

    path: keys to the list of objects, if that lies inside one object.
    text, entities: the keys in each object.
    n_entities: how many have been seen.
    """

    path: tuple[str, ...]
    text: str
    entities: str
    n_entities: int


class JsonSpans(Format):
    """Objects with a text and entities that have offsets."""

    name = "json-spans"
    description = "JSON with a text and its entities, with offsets under keys of any usual name"
    options = frozenset({"label", "text_key"})
    offsets = OffsetRule(
        Counting(),
        without_surface=(
            Counting(unit=UTF_16),
            Counting(inclusive=True),
            Counting(first=1, inclusive=True),
        ),
    )
    writes_scores = True

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By objects with a text beside a list of entities with offsets."""
        if not looks_like_json(source):
            return None
        shape = _shape(source, options)
        if shape is None:
            return Evidence("no text beside entities with offsets", AGAINST)
        found = "entities with offsets" if shape.n_entities else "empty lists: no entity anywhere"
        inside = f", inside {'.'.join(shape.path)!r}" if shape.path else ""
        return Evidence(f"{shape.text!r} beside {shape.entities!r}, {found}{inside}", POSSIBLE)

    @property
    def writer(self) -> Writer:
        """Writes it as `write_json_spans` says."""
        return write_json_spans

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record an object; without a list of entities it is not annotated. Raises ValueError
        if there is no text beside entities with offsets."""
        shape = _shape(source, options)
        if shape is None:
            raise ValueError(
                f"{source.path}: no object has a text beside a list of entities with offsets. "
                "Expected e.g. {'text': …, 'entities': [{'start': 0, 'end': 4, 'label': 'PER'}]}."
            )
        objects = only_objects(_values(source, shape.path, problems), problems)
        return read_rows_of_spans(objects, shape, options, problems)


def find_shape(objects: list[dict[str, Any]], options: Options) -> SpanShape | None:
    """Find out under which keys objects have a text and its entities; None if most have none."""
    return _shape_of(objects, (), options)


def read_rows_of_spans(
    objects: Iterable[tuple[int, dict[str, Any]]],
    shape: SpanShape,
    options: Options,
    problems: ProblemLog,
) -> Iterator[Record]:
    """Read objects with a text and its entities; without a list of these it is not annotated.

    objects: the objects with their lines or numbers.
    shape: as `find_shape` finds it.
    options: the label where entities name none.
    problems: log to add to.
    """
    return tell_repeats(_records(objects, shape, options, problems), problems)


def _records(
    objects: Iterable[tuple[int, dict[str, Any]]],
    shape: SpanShape,
    options: Options,
    problems: ProblemLog,
) -> Iterator[Record]:
    for line, value in objects:
        record = Record(line, text=value.get(shape.text), key=record_key(value))
        found = list_under(value, shape.entities, line, problems)
        if found is not None:
            record.entities = [_mention(one, value.get(shape.text), options) for one in found]
        yield record


def _values(
    source: Source, path: tuple[str, ...], problems: ProblemLog | None = None
) -> Iterator[Value]:
    return read_elements(source, path, problems) if path else read_values(source, problems)


def _shape(source: Source, options: Options) -> SpanShape | None:
    values = sample_objects(source)
    found = _shape_of(values, (), options)
    if found is None and len(values) == 1:
        inside = list(_lists_inside(values[0], ()))
        shapes = [_shape_of(of, path, options) for path, of in inside]
        found = max(
            (shape for shape in shapes if shape is not None),
            key=lambda shape: shape.n_entities,
            default=None,
        )
    return found


def _shape_of(
    values: list[dict[str, Any]], path: tuple[str, ...], options: Options
) -> SpanShape | None:
    wanted = TEXTS if options.text_key is None else [options.text_key]
    texts = Counter(key for value in values for key in wanted if isinstance(value.get(key), str))
    if not texts or 2 * max(texts.values()) < len(values):
        return None
    text = max(texts, key=lambda key: (texts[key], -wanted.index(key)))
    good: Counter[str] = Counter()
    bad: Counter[str] = Counter()
    empty: Counter[str] = Counter()
    for value in values:
        for key in LISTS:
            found = value.get(key)
            if isinstance(found, list) and not found:
                empty[key] += 1
            for one in found if isinstance(found, list) else ():
                fits = _fits(one) and key != text
                (good if fits else bad)[key] += 1
    keys = [key for key in LISTS if good[key] > bad[key]]
    if keys:
        key = max(keys, key=lambda of: good[of])
        return SpanShape(path, text, key, good[key])
    # Under other keys an empty list could be of categories.
    keys = [key for key in ("entities", "spans", "annotations") if empty[key] and not bad[key]]
    return SpanShape(path, text, keys[0], 0) if keys else None


def _lists_inside(
    value: dict[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], list[dict[str, Any]]]]:
    for key, inner in value.items():
        if isinstance(inner, list) and inner and all(isinstance(one, dict) for one in inner):
            yield (*path, key), inner
        elif isinstance(inner, dict) and len(path) + 1 < _WRAPPERS_DEEP:
            yield from _lists_inside(inner, (*path, key))


def _fits(value: Any) -> bool:
    mention = _mention(value, None, Options())
    return type(mention.start) is type(mention.end) is int and isinstance(mention.label, str)


def _mention(value: Any, text: Any, options: Options) -> Mention:
    if isinstance(value, dict):
        mention = _of_object(value)
    elif isinstance(value, list) and 3 <= len(value) <= 4:
        mention = _of_list(value, text)
    else:
        return Mention(value, None, None)  # type: ignore[arg-type]
    return mention if mention.label else mention._replace(label=options.label or mention.label)


def _of_object(value: dict[str, Any]) -> Mention:
    label_key = next((key for key in LABELS if _label(value.get(key)) is not None), None)
    label: Any = None if label_key is None else _label(value[label_key])
    surfaces = [value.get(key) for key in SURFACES if key != label_key]
    surface = next((one for one in surfaces if isinstance(one, str) and one), None)
    start: Any = _first(value, STARTS)
    end: Any = _first(value, ENDS)
    pieces: tuple[tuple[int, int], ...] = ()
    if start is None or end is None:
        pieces = next((found for key in PAIRS if (found := _pieces(value.get(key)))), ())
        if pieces:
            start, end = pieces[0][0], pieces[-1][1]
    return Mention(start, end, label, surface, pieces=pieces if len(pieces) > 1 else ())


def _of_list(value: list[Any], text: Any) -> Mention:
    """An entity of a list: two offsets in their order, a label, and perhaps its text."""
    offsets: list[Any] = [one for one in value if type(one) is int]
    names = [one for one in value if isinstance(one, str)]
    if len(offsets) != 2 or len(offsets) + len(names) != len(value):
        return Mention(value, None, None)  # type: ignore[arg-type]
    start, end = offsets
    if len(names) == 1:
        return Mention(start, end, names[0])
    label, surface = names
    if isinstance(text, str) and _is_there(label, text, start) > _is_there(surface, text, start):
        label, surface = surface, label
    return Mention(start, end, label, surface)


def _is_there(surface: str, text: str, start: int) -> int:
    near = text[max(start - 1, 0) : start + len(surface) + 1]
    return 2 if surface in near else int(surface in text)


def _label(value: Any) -> str | None:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, str) and value else None


def _first(value: dict[str, Any], keys: list[str]) -> Any:
    return next((n for key in keys if (n := whole_number(value.get(key))) is not None), None)


def _pieces(value: Any) -> tuple[tuple[int, int], ...]:
    """[0, 4] or [[0, 4], [6, 8]] as pairs; empty if it is neither."""
    pairs = value if isinstance(value, list) and value and isinstance(value[0], list) else [value]
    good = all(
        isinstance(pair, list) and len(pair) == 2 and type(pair[0]) is type(pair[1]) is int
        for pair in pairs
    )
    return tuple((pair[0], pair[1]) for pair in pairs) if good else ()
