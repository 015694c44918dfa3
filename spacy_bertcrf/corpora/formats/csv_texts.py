"""CSV and other tables with a text a row, and what is annotated in it in another cell.

- tags, one for each word or character: ``O O B-LOC``, ``O,O,B-LOC``, or a list as pandas writes it,
  ``"['O', 'O', 'B-LOC']"``, beside a text or such a list of words;
- entities with offsets, in JSON or Python: ``"{'entities': [(0, 4, 'PER')]}"``;
- one entity a row, with its offsets in cells of their own, and the text again in each;
- the name of the text's category.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, pairwise
from typing import Any, NamedTuple

from spacy_bertcrf.corpora.cell_values import parse_cell
from spacy_bertcrf.corpora.delimited import Dialect, TableRow, find_dialect, read_table
from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, LIKELY, Evidence, Format
from spacy_bertcrf.corpora.formats.json_spans import (
    JsonSpans,
    find_shape,
    read_rows_of_spans,
)
from spacy_bertcrf.corpora.formats.labelled_texts import (
    EMPTY_LABEL,
    EMPTY_TEXT,
    HEADER_WORDS,
    UNKNOWN_ID,
)
from spacy_bertcrf.corpora.json_entity_keys import ENDS, LABELS, STARTS, SURFACES, VALUES, plain
from spacy_bertcrf.corpora.json_keys import TEXTS
from spacy_bertcrf.corpora.json_mentions import whole_number
from spacy_bertcrf.corpora.json_values import looks_like_json
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Record
from spacy_bertcrf.corpora.row_layout import RowLayout, cut_up, find_row_layout
from spacy_bertcrf.corpora.sources import Source
from spacy_bertcrf.corpora.tagged_tokens import are_tags, is_outside, is_prefixed
from spacy_bertcrf.corpora.token_rows import read_rows

WRONG_CELLS = "wrong number of cells"
COLUMNS = "Columns"

_SEEN = 200
_FEW = 0.1
_OPENS = ("[", "{", "(")
# A table with a token a row has one in each.
_FEWEST_WORDS = 1.5
_ID = ("id", "sentence_id", "sentence #", "index", "")
_CATEGORIES = frozenset(
    """label labels class category categories target intent sentiment polarity topic 标签 类别
    分类""".split()  # noqa: SIM905  # words
)
_TEXTS = {plain(name) for name in (*TEXTS, *(HEADER_WORDS - _CATEGORIES))}

Row = dict[str, Any]


class _Table(NamedTuple):
    """What is in a table.

    dialect: how it is written.
    names: the names of its columns, in small letters.
    kind: "tags", "entities", "offsets" (an entity a row) or "categories".
    text, other: the columns of texts and of what is annotated.
    what: the same for the user to read.
    """

    dialect: Dialect
    names: Sequence[str]
    kind: str
    text: str
    other: str
    what: str
    has_header: bool = True


class CsvTexts(Format):
    """A text a row."""

    name = "csv-texts"
    description = "a table with a text a row, and its tags, entities or category in another cell"
    options = frozenset({"scheme", "label", "labels", "classes", "text_key"})
    offsets = JsonSpans.offsets

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By what the cells below the names of columns hold."""
        if looks_like_json(source):
            return None
        table = _find_table(source, options)
        if table is None:
            if _has_offsets_alone(source):
                what = "offsets of entities a row, and no column of the texts that they are of"
                return Evidence(what, AGAINST, is_close=True)
            return Evidence("no table with texts beside their tags or entities", AGAINST)
        return Evidence(table.what, LIKELY if table.kind == "categories" else CERTAIN)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a text. Raises ValueError if there is no such table."""
        table = _find_table(source, options, whole=True)
        if table is None:
            raise ValueError(
                f"{source.path}: no table with a text a row. Expected names of columns in the "
                "first row: text and entities, tokens and ner_tags, or text, start, end and label."
            )
        problems.note(COLUMNS, table.what)
        first = int(table.has_header)
        rows = _rows(islice(read_table(source, table.dialect), first, None), table.names, problems)
        if table.kind == "categories":
            return _categories(rows, table, options, problems)
        if table.kind == "tags":
            return read_rows(rows, options, problems)
        rows = _grouped(rows, table) if table.kind == "offsets" else _entities(rows, table)
        shape = find_shape([{"text": " ", "entities": []}], Options())
        assert shape is not None
        return read_rows_of_spans(rows, shape, options, problems)


def _find_table(source: Source, options: Options, whole: bool = False) -> _Table | None:
    """Find out what is in a table; whole: look at all of it for how its cells are parted."""
    dialect = find_dialect(source, whole)
    if dialect is None:
        return None
    found = [row for row in islice(read_table(source, dialect), _SEEN) if any(row.cells)]
    names = _names(found[0].cells) if found else None
    has_header = names is not None
    if names is None:
        names = _names_by_content([row.cells for row in found])
    if names is None:
        return None
    rows = [row for _, row in _rows(found[int(has_header) :], names, ProblemLog(source.path))]
    if not rows:
        return None
    shown = f"a table of {dialect}, a text a row"
    text = _text_column(rows, names, options)
    layout = find_row_layout(rows)
    # Lines of words with their tags behind a tab are a format of their own.
    is_table = has_header or dialect.separator != "\t" or (layout and layout.cut == "characters")
    if layout and is_table and _count_tokens(rows, layout) > _FEWEST_WORDS * len(rows):
        what = f"{shown}: {layout}"
        return _Table(dialect, names, "tags", layout.tokens, layout.tags, what, has_header)
    if text is None:
        return None
    if of := _offset_columns(rows, names, text):
        what = f"{shown}: {text!r}, and an entity a row in {', '.join(map(repr, of))}"
        return _Table(dialect, names, "offsets", text, "", what)
    for name in names:
        if name != text and find_shape(_as_entities(rows, text, name), Options()):
            what = f"{shown}: {text!r}, and its entities in {name!r}"
            return _Table(dialect, names, "entities", text, name, what, has_header)
    label = next((name for name in names if name in _CATEGORIES and name != text), None)
    if label is None or plain(text) not in _TEXTS:
        return None
    labels = Counter(str(row[label]).strip() for row in rows)
    few = len(labels) <= max(2, len(rows) // 2)
    if not few or any(map(is_prefixed, labels)) or any(len(one.split()) > 4 for one in labels):
        return None
    what = f"{shown}: {text!r} and its category {label!r}"
    return _Table(dialect, names, "categories", text, label, what)


def _has_offsets_alone(source: Source) -> bool:
    dialect = find_dialect(source)
    first = next(iter(read_table(source, dialect)), None) if dialect is not None else None
    names = set(_names(first.cells) or ()) if first is not None else set()
    return all(names & {name.lower() for name in known} for known in (STARTS, ENDS))


def _names(cells: Sequence[str]) -> list[str] | None:
    """The names of the columns; None if a row is no row of names."""
    names = [cell.strip().lower() for cell in cells]
    if any(name[:1] in _OPENS for name in names if name) or any(map(are_tags, cells)):
        return None
    filled = [name for name in names if name]
    if len(set(filled)) < len(filled) or not filled or any(len(name) > 40 for name in filled):
        return None
    if any(is_prefixed(name) or is_outside(name) or name.isdecimal() for name in filled):
        return None
    return names


def _names_by_content(rows: Sequence[Sequence[str]]) -> list[str] | None:
    """Names for a table without a row of them: one column of lists, objects or tags beside
    texts."""
    columns = list(zip(*rows, strict=False))
    lists = [at for at, cells in enumerate(columns) if all(c.lstrip()[:1] in _OPENS for c in cells)]
    tags = [at for at, cells in enumerate(columns) if all(map(are_tags, cells))]
    others = [at for at in range(len(columns)) if at not in (*lists, *tags)]
    if len(lists) + len(tags) != 1 or not others:
        return None
    text = max(others, key=lambda at: sum(map(len, columns[at])))
    known = {(lists or tags)[0]: "entities" if lists else "labels", text: "text"}
    return [known.get(at, f"column {at + 1}") for at in range(len(columns))]


def _rows(
    rows: Iterable[TableRow], names: Sequence[str], problems: ProblemLog
) -> Iterator[tuple[int, Row]]:
    rows = iter(rows)
    first = list(islice(rows, _SEEN))
    # Some programs leave out the empty cells at the end of a row.
    short = sum(len(row.cells) < len(names) for row in first if any(row.cells))
    is_usual = short > max(1, _FEW * len(first))
    for line, cells in chain(first, rows):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) < len(names) and not is_usual:
            what = f"{len(cells)} instead of {len(names)}; the others are taken for empty"
            problems.add(WRONG_CELLS, line, what)
        if len(cells) != len(names) and any(cell.strip() for cell in cells[len(names) :]):
            what = f"{len(cells)} instead of {len(names)}; the row is left out"
            problems.add(WRONG_CELLS, line, what)
            continue
        filled = [*cells, *[""] * (len(names) - len(cells))]
        yield line, {name: _value(cell) for name, cell in zip(names, filled, strict=False)}


def _value(cell: str) -> Any:
    pieces = [piece.strip() for piece in cell.split(",")]
    if len(pieces) > 1 and all(is_prefixed(one) or one == "O" for one in pieces):
        return pieces
    value = parse_cell(cell)
    if isinstance(value, dict) and isinstance(value.get("entities"), list):
        return value["entities"]
    return value


def _text_column(rows: Sequence[Row], names: Sequence[str], options: Options) -> str | None:
    if options.text_key is not None:
        return options.text_key.lower() if options.text_key.lower() in names else None
    strings = [name for name in names if all(isinstance(row[name], str) for row in rows)]
    named = next((name for name in strings if plain(name) in _TEXTS), None)
    if named is not None:
        return named
    several = [n for n in strings if 2 * sum(len(row[n].split()) > 2 for row in rows) > len(rows)]
    return max(several, key=lambda name: sum(len(row[name]) for row in rows), default=None)


def _count_tokens(rows: Sequence[Row], layout: RowLayout) -> int:
    return sum(len(cut_up(row[layout.tokens], layout.cut)) for row in rows)


def _offset_columns(rows: Sequence[Row], names: Sequence[str], text: str) -> list[str]:
    """The columns of start, end and label, where each row has an entity."""

    def find(known: Iterable[str]) -> str | None:
        others = [name for name in names if name != text]
        return next((name for key in known for name in others if plain(name) == key), None)

    start, end, label = find(STARTS), find(ENDS), find(LABELS)
    if start is None or end is None or label is None:
        return []
    numbers = sum(whole_number(row[key]) is not None for row in rows for key in (start, end))
    return [start, end, label] if numbers > len(rows) else []


def _as_entities(rows: Iterable[Row], text: str, name: str) -> list[Row]:
    return [{"text": row[text], "entities": row[name]} for row in rows]


def _entities(rows: Iterable[tuple[int, Row]], table: _Table) -> Iterator[tuple[int, Row]]:
    for line, row in rows:
        found = row[table.other]
        # An empty cell says that nobody looked, an empty list that nothing is there.
        entities = None if isinstance(found, str) and not found.strip() else found
        yield line, {"text": row[table.text], "entities": entities, "id": _key(row)}


def _grouped(rows: Iterable[tuple[int, Row]], table: _Table) -> Iterator[tuple[int, Row]]:
    """One row a text, with the entities of all rows that repeat it one after the other."""
    wanted = {*STARTS, *ENDS, *LABELS, *SURFACES, *VALUES}
    known = {name for name in table.names if plain(name) in wanted and name != table.text}
    rows = iter(rows)
    seen = list(islice(rows, _SEEN))
    # An id that no row shares with the next one of its text is that of the entity, or its number.
    of_texts = any(
        one[table.text] == other[table.text] and _key(one) == _key(other)
        for (_, one), (_, other) in pairwise(seen)
    )
    waiting: Row | None = None
    first = 0
    for line, row in chain(seen, rows):
        of_next = waiting is None or row[table.text] != waiting["text"]
        if waiting is None or of_next or (of_texts and _key(row) != waiting["id"]):
            if waiting is not None:
                yield first, waiting
            waiting, first = {"text": row[table.text], "entities": [], "id": _key(row)}, line
        entity = {name: value for name, value in row.items() if name in known and value != ""}
        if entity:
            waiting["entities"].append(entity)
    if waiting is not None:
        yield first, waiting


def _key(row: Row) -> str | None:
    return next((row[name] for name in _ID if isinstance(row.get(name), str)), None)


def _categories(
    rows: Iterable[tuple[int, Row]], table: _Table, options: Options, problems: ProblemLog
) -> Iterator[Record]:
    classes = options.classes
    for line, row in rows:
        text, label = str(row[table.text]), str(row[table.other]).strip()
        number = whole_number(label)
        if not text.strip():
            problems.add(EMPTY_TEXT, line, f"with the label {label!r}: left out")
        elif not label:
            problems.add(EMPTY_LABEL, line, f"{text[:30]!r} is left out")
        elif classes is None:
            yield Record(line, text=text, cats={label: 1.0}, key=_key(row))
        elif number is None or number >= len(classes):
            what = f"{label!r}, expected a number from 0 to {len(classes) - 1}: left out"
            problems.add(UNKNOWN_ID, line, what)
        else:
            yield Record(line, text=text, cats={classes[number]: 1.0}, key=_key(row))
