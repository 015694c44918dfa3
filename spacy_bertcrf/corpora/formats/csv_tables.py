"""Tables of tokens: a row for each, with its tag and the number of its sentence.

Kaggle's corpora are such: ``Sentence #,Word,POS,Tag`` in the first row, ``Sentence: 1`` in the
first row of each sentence or in all. Columns are found by their names, and where there are none,
by what they hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from spacy_bertcrf.corpora.column_sentences import ENDS, WRONG_COLUMNS
from spacy_bertcrf.corpora.column_table import is_document_start
from spacy_bertcrf.corpora.delimited import TableRow, read_table
from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, LIKELY, Evidence, Format
from spacy_bertcrf.corpora.json_values import looks_like_json
from spacy_bertcrf.corpora.malformed import AS_SPACE, EMPTY_TOKEN
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Record
from spacy_bertcrf.corpora.sources import Source
from spacy_bertcrf.corpora.tagged_tokens import TaggedSentence, is_outside, read_tagged
from spacy_bertcrf.corpora.token_columns import TokenColumns, find_token_columns, is_comment

COLUMNS = "Columns"
COMMENTS = "Comments, not read"
OTHER_TAGS = "Other columns of tags, not read"
NO_SENTENCES = "no column of sentences"

_SEEN = 1000


class CsvTable(Format):
    """A token a row."""

    name = "csv"
    description = "a table with a token, its tag and its sentence's number a row, as of Kaggle"
    options = frozenset({"scheme", "label", "token_column", "tag_column"})

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By names of columns, or by commas with tags between them."""
        if looks_like_json(source):
            return None
        try:
            layout, header = find_token_columns(source, options)
        except ValueError as err:
            return Evidence(str(err), AGAINST)
        is_bare = layout.dialect.separator == "\t" and not _is_all_quoted(source)
        if not layout.has_header and is_bare and layout.sentence is None:
            return Evidence("no row of names above columns apart by tabs", AGAINST)
        if not layout.has_header and layout.dialect.separator == "|" and _has_spaces(source):
            return Evidence("several words between the bars", AGAINST)
        if any("\x02" in line for line in islice(source.lines(), 1, _SEEN)):
            return Evidence("several tokens in a cell, parted by U+0002", AGAINST)
        strength = CERTAIN if layout.has_header or layout.sentence is not None else LIKELY
        return Evidence(f"a table of {layout.describe(header)}", strength)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a sentence. Raises ValueError if it has no columns of tokens and tags."""
        try:
            layout, header = find_token_columns(source, options, whole=True)
        except ValueError as err:
            raise ValueError(f"{source.path}: {err}.") from None
        problems.note(COLUMNS, layout.describe(header))
        if layout.others:
            shown = (header[at] if layout.has_header else str(at + 1) for at in layout.others)
            problems.note(OTHER_TAGS, ", ".join(shown))
        rows = _without_names(read_table(source, layout.dialect), layout)
        return read_tagged(_sentences(rows, layout, problems), options, problems)


def _without_names(rows: Iterable[TableRow], layout: TokenColumns) -> Iterator[TableRow]:
    """The rows but for the first that holds anything and is no comment, where it has the names."""
    names_come = layout.has_header
    for row in rows:
        if names_come and any(row.cells) and not is_comment(row.cells):
            names_come = False
        else:
            yield row


def _is_all_quoted(source: Source) -> bool:
    lines = [line for line in islice(source.lines(), _SEEN) if line.strip()]
    return all(line[:1] == line[-1:] == '"' and len(line) > 1 for line in lines)


def _has_spaces(source: Source) -> bool:
    lines = [line for line in islice(source.lines(), _SEEN) if line.strip()]
    return 2 * sum(len(line.split()) > 1 for line in lines) > len(lines)


def _sentences(
    rows: Iterable[TableRow], layout: TokenColumns, problems: ProblemLog
) -> Iterator[TaggedSentence]:
    tokens: list[str] = []
    tags: list[str | None] = []
    lines: list[int] = []
    keys = _Keys(layout)
    new = None
    rows = _whole_rows(rows, layout, problems)
    spaces: list[bool] = []
    if layout.sentence is None and layout.number is None:
        first = list(islice(rows, _SEEN))
        rows = chain(first, rows)
        keys.cuts = not any(len(row.cells) == 0 for row in first[:-1])
    for line, cells in rows:
        is_blank = not cells
        if keys.begins(cells, tokens, tags) and tokens:
            yield TaggedSentence(
                lines[0], tokens, tags, lines, spaces=spaces or None, new_document=new
            )
            tokens, tags, lines, spaces = [], [], [], []
        if is_blank:
            continue
        if not tokens:
            new = keys.begins_document(cells)
        token, tag = cells[layout.token], cells[layout.tag]
        if not token.strip():
            problems.add(EMPTY_TOKEN, line, AS_SPACE)
            token = " "
        lines.append(line)
        tokens.append(token.strip() or " ")
        tags.append(tag or None)
        if layout.flags is not None:
            spaces.append("NoSpaceAfter" not in cells[layout.flags])
    if tokens:
        yield TaggedSentence(lines[0], tokens, tags, lines, spaces=spaces or None, new_document=new)
    if keys.cuts:
        what = "sentences end where a full stop, ! or ? is outside; --sentences joins them"
        problems.add(NO_SENTENCES, 0, what)


class _Keys:
    """Says where sentences and documents begin."""

    def __init__(self, layout: TokenColumns) -> None:
        self.layout = layout
        self.sentence = self.document = ""
        self.cuts = False
        self.number = -1.0
        self.ended = False

    def begins(
        self, cells: Sequence[str], tokens: Sequence[str], tags: Sequence[str | None]
    ) -> bool:
        """Whether a sentence begins with a row, or ends with a blank one."""
        if not cells:
            self.ended = False
            return self.layout.sentence is None
        ended, self.ended = self.ended, self._ends(cells)
        if ended and self.layout.sentence is None:
            return True
        begins = False
        if self.layout.sentence is not None:
            value = cells[self.layout.sentence].strip()
            begins = bool(value) and value != self.sentence
            self.sentence = value or self.sentence
        elif self.layout.number is not None:
            try:
                number = float(cells[self.layout.number])
            except ValueError:
                return False
            begins, self.number = number <= self.number, number
        elif self.cuts and tokens:
            begins = tokens[-1] in ENDS and is_outside(tags[-1] or "O")
        document = self._document(cells)
        return begins or (bool(document) and document != self.document)

    def begins_document(self, cells: Sequence[str]) -> bool | None:
        """Whether a document begins with a sentence's first row."""
        if self.layout.document is None:
            return None
        before, self.document = self.document, self._document(cells) or self.document
        return before != self.document

    def _ends(self, cells: Sequence[str]) -> bool:
        flags = self.layout.flags
        return flags is not None and "EndOfSentence" in cells[flags]

    def _document(self, cells: Sequence[str]) -> str:
        return "" if self.layout.document is None else cells[self.layout.document].strip()


def _whole_rows(
    rows: Iterable[TableRow], layout: TokenColumns, problems: ProblemLog
) -> Iterator[TableRow]:
    """Rows of as many cells as there are columns, and blank ones without any."""
    width, separator = layout.dialect.n_columns, layout.dialect.separator
    for line, cells in rows:
        if cells and is_comment(cells):
            problems.count(COMMENTS)
            continue
        is_break = layout.token < len(cells) and is_document_start(cells[layout.token])
        if is_break or not any(cell.strip() for cell in cells):
            yield TableRow(line, [])
            continue
        if len(cells) == width:
            yield TableRow(line, cells)
            continue
        what = f"{len(cells)} instead of {width}"
        extra = len(cells) - width
        token = separator.join(cells[layout.token : layout.token + extra + 1])
        if extra > 0 and not token.strip(f"{separator} "):
            # The token is the separator itself, and nobody quoted it.
            at = layout.token
            cells = [*cells[:at], token, *cells[at + extra + 1 :]]
            what += f": read as {token!r}"
        elif extra > 0 and not any(cell.strip() for cell in cells[width:]):
            cells = cells[:width]
            yield TableRow(line, cells)
            continue
        else:
            cells = [*cells[:width], *[""] * -extra]
            cells[layout.tag] = ""
            what += f": {cells[layout.token]!r} is left without annotation"
        problems.add(WRONG_COLUMNS, line, what)
        yield TableRow(line, cells)
