"""The lines of a column file as a table: columns, sentences, and what is neither."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from spacy_bertcrf.corpora.clean_tags import clean_tag
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.tagging.tag_levels import each_tag

DOCUMENT_START = "-DOCSTART-"
# AIDA's have the number and title of the document behind it, KPWr's no second hyphen.
_DOCUMENT_START = re.compile(r"-DOCSTART-?(\s*\(.*)?", re.IGNORECASE)
_HEADER = frozenset(
    """token tokens word words form text lemma pos id index # sentence sentence_id
    tag tags label labels ner ner_tag ner_tags bio iob entity""".split()  # noqa: SIM905
)
_RULE = re.compile(r"[=*~-]{5,}|(?:sentence|sent)\s*[:#]\s*\d+", re.IGNORECASE)
_ELEMENT = re.compile(r"\s*<[^<>\s][^<>]*>(.*</[^<>]+>)?\s*")
Rows = Sequence[Sequence[str]]


def split_columns(line: str) -> list[str]:
    """The columns of a line: apart by tabs, or by ASCII spaces where it has no tab; none of a blank
    line."""
    if not line.strip(" \t"):
        return []
    if "\t" in line:
        return [column.strip(" ") or column for column in line.split("\t")]
    return re.split(" +", line.rstrip(" "))


def is_document_start(cell: str) -> bool:
    """Whether a cell is the mark before a document."""
    return cell.startswith("-") and _DOCUMENT_START.fullmatch(cell) is not None


def is_element(line: str) -> bool:
    """Whether a line is an element of a document's build, such as <s> or </doc>, a rule, or the
    number of a sentence."""
    return bool(_ELEMENT.fullmatch(line) or is_rule(line))


def is_rule(text: str) -> bool:
    """Whether a line or a cell is a rule, or the number of a sentence."""
    return bool(_RULE.fullmatch(text))


class Table:
    """The lines of a file that have as many columns as most, sentence by sentence."""

    def __init__(self, lines: Iterable[str], options: Options) -> None:
        self._options = options
        sentences, hashes = _sentences(lines)
        every = [row for rows in sentences for row in rows]
        if not every:
            # All of its lines begin with #: then they are tokens.
            sentences, every = [hashes] if hashes else [], hashes
        self.n_lines = len(every)
        self.width = _width(every)
        self.n_headings = sum(len(row) == 1 for row in hashes) if self.width > 1 else 0
        self.has_header = bool(every) and _is_header(every[0])
        if self.has_header:
            sentences[0] = sentences[0][1:]
        fitting = ([row for row in rows if self._fits(row)] for rows in sentences)
        self.sentences: list[Rows] = [rows for rows in fitting if rows]
        self.has_header = self.has_header and bool(self.sentences)

    def _fits(self, row: Sequence[str]) -> bool:
        return len(row) >= self.width and not any(row[self.width :])

    @cached_property
    def size(self) -> int:
        """How many lines there are."""
        return sum(map(len, self.sentences))

    def values(self, at: int) -> Iterator[list[str]]:
        """What a column holds, sentence by sentence."""
        for rows in self.sentences:
            yield [row[at] for row in rows]

    def tags(self, at: int) -> Counter[str]:
        """How often a column holds each tag, numbers turned into their names."""
        found = each_tag(Counter(clean_tag(row[at]) for rows in self.sentences for row in rows))
        names = self._options.labels
        if names is None:
            return found
        named: Counter[str] = Counter()
        for tag, count in found.items():
            inside = tag.isdecimal() and int(tag) < len(names)
            named[names[int(tag)] if inside else tag] += count
        return named


def _sentences(lines: Iterable[str]) -> tuple[list[list[list[str]]], list[list[str]]]:
    """The columns of each line, sentence by sentence; and of lines before a sentence that begin
    with #, and may be comments."""
    sentences: list[list[list[str]]] = [[]]
    hashes: list[list[str]] = []
    n_markup = 0
    for line in lines:
        columns = split_columns(line)
        is_markup = is_element(line)
        n_markup += is_markup
        if not columns or any(map(is_document_start, columns)) or is_markup:
            if sentences[-1]:
                sentences.append([])
        elif line.startswith("#") and not sentences[-1]:
            hashes.append(columns)
        else:
            sentences[-1].append(columns)
    if 2 * n_markup > sum(map(len, sentences)) + n_markup:
        raise ValueError("most lines are elements of markup, and no tokens")
    return [rows for rows in sentences if rows], hashes


def _width(rows: Sequence[Sequence[str]]) -> int:
    """How many columns most lines have, without those at the end that are empty in all of them."""
    counts = Counter(map(len, rows))
    width = max(counts, key=lambda count: (counts[count], count), default=0)
    usual = [row for row in rows if len(row) == width]
    while width > 1 and not any(row[width - 1] for row in usual):
        width -= 1
    return width


def _is_header(row: Sequence[str]) -> bool:
    return len(row) > 1 and all(value.lower() in _HEADER for value in row)
