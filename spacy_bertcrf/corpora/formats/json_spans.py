"""JSON with a text and its entities as people write it themselves, and as many tools do.

``{"text": …, "entities": [{"start": 0, "end": 4, "label": "PER"}]}`` with whatever names these keys
have, an offset and a length for start and end, lists of three or four such as ``[0, 4, "PER",
"Anna"]``, or ``{"PER": [[0, 4]]}``; objects a line, in a list, under ids, or anywhere inside one
object (Rasa, LUIS, wit.ai, LightTag, Labelbox, Ground Truth, Vertex AI, PubAnnotation, BioC, flair,
spaCy's `Doc.to_json`). How the offsets count is nobody's rule: the entities' texts tell, then word
borders.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from spacy_bertcrf.corpora.counting import BYTES, UTF_16, Counting, OffsetRule
from spacy_bertcrf.corpora.formats.format import AGAINST, POSSIBLE, Evidence, Format, Writer
from spacy_bertcrf.corpora.formats.json_spans_writer import write_json_spans
from spacy_bertcrf.corpora.json_entities import Named, entities_in
from spacy_bertcrf.corpora.json_entity_keys import plain
from spacy_bertcrf.corpora.json_keys import look_up
from spacy_bertcrf.corpora.json_layout import Layout, find_layout, is_pair, layout_of
from spacy_bertcrf.corpora.json_mentions import whole_number
from spacy_bertcrf.corpora.json_parallel import tell_unlike_lists
from spacy_bertcrf.corpora.json_places import read_at
from spacy_bertcrf.corpora.json_units import CHARACTERS
from spacy_bertcrf.corpora.json_values import (
    BAD_LINE,
    Member,
    describe_kind,
    looks_like_json,
    record_key,
)
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.corpora.repeats import tell_repeats
from spacy_bertcrf.corpora.sources import Source

PLACELESS = "Labels without a place in the text, left out"
OTHER_LISTS = "Other lists that are not read"


class JsonSpans(Format):
    """Objects with a text and entities that have offsets."""

    name = "json-spans"
    description = "JSON with a text and its entities, with offsets under keys of any usual name"
    options = frozenset({"label", "labels", "text_key", "ends"})
    offsets = OffsetRule(
        Counting(),
        without_surface=(
            Counting(unit=UTF_16),
            Counting(inclusive=True),
            Counting(first=1, inclusive=True),
            Counting(first=1),
            Counting(unit=BYTES),
        ),
    )

    writes_scores = True

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By objects with a text beside entities with offsets."""
        if not looks_like_json(source):
            return None
        layout = find_layout(source, options)
        if layout is None or layout.unit != CHARACTERS:
            return Evidence("no text beside entities with offsets", AGAINST)
        return Evidence(str(layout), POSSIBLE)

    @property
    def writer(self) -> Writer:
        """Writes it as `write_json_spans` says."""
        return write_json_spans

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record an object; without entities it is not annotated. Raises ValueError if there is
        no text beside entities with offsets, or if labels are numbers that nobody names."""
        layout = find_layout(source, options) if looks_like_json(source) else None
        if layout is None or layout.unit != CHARACTERS or layout.text is None:
            raise ValueError(
                f"{source.path}: no object has a text beside a list of entities with offsets. "
                "Expected e.g. {'text': …, 'entities': [{'start': 0, 'end': 4, 'label': 'PER'}]}."
            )
        if layout.others:
            problems.note(OTHER_LISTS, ", ".join(layout.others))
        members = read_at(source, layout.ways, problems)
        return tell_repeats(_records(members, layout, options, problems), problems)


def find_shape(objects: list[dict[str, Any]], options: Options) -> Layout | None:
    """Find out under which keys objects have a text and its entities; None if most have none."""
    layout = layout_of(objects, options)
    return layout if layout is not None and layout.unit == CHARACTERS else None


def read_rows_of_spans(
    objects: Iterable[tuple[int, dict[str, Any]]],
    shape: Layout,
    options: Options,
    problems: ProblemLog,
) -> Iterator[Record]:
    """Read objects with a text and its entities; without a list of these it is not annotated.

    objects: the objects with their lines or numbers.
    shape: as `find_shape` finds it.
    options: the label where entities name none, the names of numbers that are labels.
    problems: log to add to.
    """
    members = (Member(line, None, value) for line, value in objects)
    return tell_repeats(_records(members, shape, options, problems), problems)


def _records(
    members: Iterable[Member], layout: Layout, options: Options, problems: ProblemLog
) -> Iterator[Record]:
    for line, key, value in members:
        record, entities = as_record(line, key, value, layout, problems)
        if record is None:
            continue
        if entities is not None:
            text = record.text if isinstance(record.text, str) else None
            found = list(entities_in(entities, text, label=options.label))
            placed = list(_placed(found, value, text))
            record.entities = [named_label(one, options, problems) for one in placed]
            problems.count(PLACELESS, len(found) - len(placed))
        yield record


def as_record(
    line: int, key: str | None, value: Any, layout: Layout, problems: ProblemLog
) -> tuple[Record | None, Any]:
    """The record of a value of a file, and what holds its entities: None where nothing does."""
    if layout.entities == "" and is_pair(value):
        return Record(line, text=value[0], key=key), value[1]
    if not isinstance(value, dict):
        problems.add(BAD_LINE, line, f"{describe_kind(value)}, not a JSON object: left out")
        return None, None
    of = key if value.get("id") is None else record_key(value)
    record = Record(line, text=look_up(value, layout.text), key=of)
    entities = look_up(value, layout.entities)
    if entities is None:
        tell_unlike_lists(line, value, layout.entities, problems)
    elif not isinstance(entities, dict | list):
        what = f"{layout.entities!r} is {describe_kind(entities)}, not a list: left out"
        problems.add(BAD_LINE, line, what)
        entities = None
    return record, entities


def named_label(mention: Mention, options: Options, problems: ProblemLog) -> Mention:
    """An entity whose label was a number, with its name. Raises ValueError if nobody gives it."""
    number: Any = mention.label
    if type(number) is not int:
        return mention
    if options.labels is None:
        raise ValueError(
            f"{problems.path}: the labels are numbers, such as {number}, and nothing says which "
            "they are. Give their names, that of 0 first: --labels PER,LOC,… or a file, one a line."
        )
    inside = 0 <= number < len(options.labels)
    return mention._replace(label=options.labels[number] if inside else None)  # type: ignore[arg-type]


def _placed(found: list[Mention | Named], value: Any, text: str | None) -> Iterator[Mention]:
    """Entities, those of a passage counted from where it begins rather than from where its document
    does."""
    base = _base(found, value)
    for one in found:
        if isinstance(one, Named):
            if text is not None and one.surface and one.surface in text:
                yield Mention(None, None, one.label, one.surface)  # type: ignore[arg-type]
        elif base and type(one.start) is type(one.end) is int:
            pieces = tuple((start - base, end - base) for start, end in one.pieces)
            yield one._replace(start=one.start - base, end=one.end - base, pieces=pieces)
        else:
            yield one


def _base(found: list[Mention | Named], value: Any) -> int:
    """BioC's passages say where in their document they begin, and all offsets count from there."""
    if not isinstance(value, dict):
        return 0
    base = next((whole_number(of) for key, of in value.items() if plain(key) == "offset"), None)
    text = next((of for key, of in value.items() if plain(key) == "text"), None)
    if not base or not isinstance(text, str):
        return 0
    fits = [
        (text[one.start - base : one.end - base] if one.start >= base else "") == one.surface
        for one in found
        if isinstance(one, Mention) and one.surface and type(one.start) is type(one.end) is int
    ]
    if fits:
        return base if 2 * sum(fits) > len(fits) else 0
    ends = [one.end for one in found if isinstance(one, Mention) and type(one.end) is int]
    starts = [one.start for one in found if isinstance(one, Mention) and type(one.start) is int]
    return base if starts and min(starts) >= base and max(ends) > len(text) else 0
