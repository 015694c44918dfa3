"""CoNLL-2012's files (Pradhan et al., 2012), in which OntoNotes is handed around: a dozen columns
apart by blanks, of which one has entities as brackets: ``(ORG*``, ``*``, ``*)``, ``(GPE)``.

Documents begin with ``#begin document (…); part 000``. CoNLL-2011's, and those in which a program
replaced the blanks by tabs, are read too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice

from spacy_bertcrf.corpora.column_sentences import WRONG_COLUMNS
from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, Evidence, Format
from spacy_bertcrf.corpora.json_values import looks_like_json
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.corpora.sources import Source

UNBALANCED = "bracket without its other half"
COLUMNS = "Columns"

_SEEN = 5000
_FEWEST = 8
_NUMBER_AT, _WORD_AT, _POS_AT, _NAMES_AT = 2, 3, 4, 10
_BEGIN = re.compile(r"#\s*begin document\b")
_NAME = re.compile(r"(?:\([A-Z][A-Z_-]*)*\*?\)*|-")
_PHRASES = frozenset({"TOP", "S", "NP", "VP", "IP", "CP"})
_OPEN = re.compile(r"\(([A-Z][A-Z_-]*)")
# The arguments of predicates are brackets too, and begin or end with these.
_ROLES = re.compile(r"\((?:V|C-|R-|ARG|AM-|A\d)")


class Conll2012(Format):
    """OntoNotes in columns, with brackets around entities."""

    name = "conll2012"
    description = "CoNLL-2012's columns of OntoNotes, with entities as brackets: (ORG* and *)"

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By many columns, of which the third counts the words and one has such brackets."""
        if looks_like_json(source):
            return None
        at = _find_names(source)
        if at is None:
            return Evidence("no column with entities as brackets, (ORG* and *)", AGAINST)
        return Evidence(f"words in column 4 and bracketed entities in column {at + 1}", CERTAIN)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a sentence. Raises ValueError if no column has entities as brackets."""
        at = _find_names(source)
        if at is None:
            raise ValueError(
                f"{source.path}: no column with entities as brackets. In CoNLL-2012's files that "
                "is column 11, with (ORG* at an entity's first word and *) at its last."
            )
        problems.note(COLUMNS, f"words in column 4, entities in column {at + 1}")
        rows: list[list[str]] = []
        lines: list[int] = []
        document: tuple[str, ...] = ()
        begins = True
        for number, line in enumerate(chain(source.lines(), [""]), start=1):
            columns = line.split()
            if columns and not line.startswith("#"):
                if len(columns) <= at:
                    what = f"{len(columns)} instead of more than {at}: left out"
                    problems.add(WRONG_COLUMNS, number, what)
                    continue
                rows.append(columns)
                lines.append(number)
                continue
            if rows:
                of = tuple(rows[0][:2])
                yield _record(rows, lines, at, begins or of != document, problems)
                rows, lines, document, begins = [], [], of, False
            begins = begins or bool(_BEGIN.match(line))


def _record(
    rows: Sequence[Sequence[str]],
    lines: Sequence[int],
    at: int,
    begins: bool,
    problems: ProblemLog,
) -> Record:
    opened: list[tuple[int, str]] = []
    entities: list[Mention] = []
    missing: list[tuple[int, int]] = []
    for index, (columns, line) in enumerate(zip(rows, lines, strict=True)):
        value = columns[at]
        opened += [(index, label) for label in _OPEN.findall(value)]
        for _ in range(value.count(")")):
            if not opened:
                problems.add(UNBALANCED, line, f"{value!r} closes, and nothing is open: left out")
                missing.append((index, index + 1))
                continue
            start, label = opened.pop()
            entities.append(Mention(start, index + 1, label, line=lines[start]))
    for start, label in opened:
        problems.add(UNBALANCED, lines[start], f"({label} does not close: left out")
        missing.append((start, len(rows)))
    known = any(columns[at] != "-" for columns in rows)
    return Record(
        lines[0],
        tokens=[columns[_WORD_AT] for columns in rows],
        entities=entities if known else None,
        missing=missing,
        lines=list(lines),
        new_document=begins,
    )


def _find_names(source: Source) -> int | None:
    """The column of the entities, from 0: the eleventh, or another where columns are missing."""
    rows = [
        columns
        for line in islice(source.lines(), _SEEN)
        if not line.startswith("#") and len(columns := line.split()) >= _FEWEST
    ]
    counted = sum(columns[_NUMBER_AT].isdecimal() for columns in rows)
    begins = sum(columns[_NUMBER_AT] == "0" for columns in rows)
    if not rows or counted < len(rows) or not begins:
        return None
    width = Counter(map(len, rows)).most_common(1)[0][0]
    places = sorted(range(_POS_AT + 1, width), key=lambda at: at != _NAMES_AT)
    return next((at for at in places if _has_names([row[at : at + 1] for row in rows])), None)


def _has_names(column: Sequence[Sequence[str]]) -> bool:
    values = [cell[0] for cell in column if cell]
    if not values or not all(_NAME.fullmatch(value) for value in values):
        return False
    opened = [value for value in values if value.startswith("(")]
    roles = sum(bool(_ROLES.match(value)) for value in opened)
    # The parse is in such brackets too.
    labels = {label for value in opened for label in _OPEN.findall(value)}
    return "*" in values and 2 * roles <= len(opened) and not labels & _PHRASES
