"""Finds out, by what a file holds, which of its columns are tokens and tags, and how tags are
written."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from spacy_bertcrf.corpora.clean_tags import clean_tag
from spacy_bertcrf.corpora.column_table import Table, is_element, is_rule, split_columns
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.tagged_tokens import is_outside
from spacy_bertcrf.corpora.word_tags import are_only_tags, is_tag_list
from spacy_bertcrf.tagging.repair import check_scheme, detect_scheme
from spacy_bertcrf.tagging.tag_levels import levels, tags_of
from spacy_bertcrf.tagging.tag_style import TagStyle, find_style

# The phrases of CoNLL-2000 and 2003, and the clauses of LST20: a column of them beside one of
# entities is of another layer.
CHUNKS = frozenset(
    "NP VP PP ADVP SBAR ADJP PRT CONJP INTJ LST UCP CLS NC VC PC".split()  # noqa: SIM905  # words
)
# Kinds of names that corpora of many languages share: two columns of such are two levels of them.
_NAMES = frozenset(
    """PER PERSON PERS ORG ORGANIZATION ORGANISATION LOC LOCATION GPE GEO FAC FACILITY MISC PRO PROD
    PRODUCT EVENT EVENTS DATE TIME WORK TITLE""".split()  # noqa: SIM905  # words
)
_NUMBER = re.compile(r"\d+(?:[-.]\d+)?")
_FEW = 0.5
_NEARLY_ALL = 0.9
_FEWEST_NUMBERS = 5
_FEWEST_TAGS = 5
_FEWEST_HEADINGS = 3
# Of so many tokens without a break between them nobody has made sentences.
_LONGEST_ALONE = 3000
_LONGEST_SENTENCE = 1000


class LayoutQuestion(ValueError):
    """A file has columns of tokens and tags, and can be read in several ways: the user has to say
    in which."""


class Layout(NamedTuple):
    """What is in which column.

    width: the columns of most lines.
    token_at, tag_at: the columns of tokens and tags, from 0.
    style: how the tags are written.
    scheme: their scheme.
    label: the label of entities whose tags name none.
    names: the tags whose numbers, from 0, the file has; None if it has tags.
    has_header: whether the first line names the columns.
    has_entities: whether there is any tag but O in the lines that it was found by.
    has_breaks: whether sentences are parted in them.
    remarks: what speaks for it, for the user to read.
    inner_at: further columns of tags, whose entities lie in those of the first.
    has_headings: whether most sentences have a line before them that is one cell and begins with #.
    """

    width: int
    token_at: int
    tag_at: int
    style: TagStyle
    scheme: str
    label: str | None = None
    names: Sequence[str] | None = None
    has_header: bool = False
    has_entities: bool = True
    has_breaks: bool = True
    remarks: tuple[str, ...] = ()
    inner_at: tuple[int, ...] = ()
    has_headings: bool = False

    def fits(self, columns: Sequence[str]) -> bool:
        """Whether a line has this many columns, but for empty ones behind them."""
        return len(columns) == self.width or (
            len(columns) > self.width and not any(columns[self.width :])
        )

    def is_markup(self, columns: Sequence[str], line: str) -> bool:
        """Whether a line is an element of a document's build, such as <s> or </doc>, a rule or the
        number of a sentence, and no token."""
        if self.width == 1 or not is_element(line):
            return False
        if not self.fits(columns):
            return True
        tag = columns[self.tag_at]
        is_tag = tag in self.style.outside or self.style.split(tag) is not None
        return not is_tag and (tag.endswith(">") or is_rule(line))

    def has_more_tags(self, columns: Sequence[str]) -> bool:
        """Whether a line fits but for more tags behind the last column, as where each level has a
        column of its own as far as there are entities."""
        tags = columns[self.tag_at :]
        is_last = self.tag_at == self.width - 1 and len(columns) > self.width
        return is_last and bool(self.style.separators) and all(map(self.style.split, tags))

    def tag(self, columns: Sequence[str]) -> str:
        """The tag of a line that fits, as `read_tags` reads it; of several the first."""
        return self.tags(columns)[0]

    def tags(self, columns: Sequence[str]) -> tuple[str, ...]:
        """The tags of a line that fits, as `read_tags` reads them: several where entities overlap,
        else one."""
        written = tags_of(clean_tag(columns[self.tag_at]))
        further = [clean_tag(columns[at]) for at in self.inner_at] + [*columns[self.width :]]
        inner = [tag for cell in further for tag in tags_of(cell) if tag and not is_outside(tag)]
        if inner:
            written = [*(tag for tag in written if not is_outside(tag)), *inner]
        return tuple(self._canonical(tag) for tag in written)

    def _canonical(self, tag: str) -> str:
        if self.names is not None:
            inside = tag.isdecimal() and int(tag) < len(self.names)
            tag = self.names[int(tag)] if inside else tag
        return self.style.canonical(tag, self.label)


def has_only_tags(lines: Iterable[str]) -> bool:
    """Whether there is nothing but tags in any column, or it is a list of tags and their numbers:
    the words are elsewhere."""
    rows = [columns for line in lines if (columns := split_columns(line))]
    return are_only_tags(cell for row in rows for cell in row) or is_tag_list(rows)


def find_layout(lines: Iterable[str], options: Options) -> Layout | None:
    """Find out what is in which column.

    lines: the lines of the file, or as many as it can be told by.
    options: the columns, scheme, label and names of tags, where the user has said them.

    Returns the layout, or None if there is no line to judge by. Raises LayoutQuestion, with the
    option to give, if it can be read in several ways; ValueError if tokens and tags are not seen.
    """
    for column, kind in ((options.token_column, "token"), (options.tag_column, "tag")):
        if column == 0:
            raise ValueError(f"There is no {kind} column 0. Count from 1, or from -1 for the last.")
    table = Table(lines, options)
    if not table.sentences:
        return None
    if 2 * table.size < table.n_lines:
        raise ValueError(
            f"of {table.n_lines:,} lines only {table.size:,} have {table.width} columns: no table"
        )
    tag_at, style, remarks, inner_at = _find_tags(table, options)
    token_at, of_tokens = _find_tokens(table, tag_at, options)
    if token_at == tag_at:
        raise ValueError(
            f"Most lines have {table.width} column(s), and tokens and tags cannot both be in "
            f"column {token_at + 1}. Name the columns of both, or check that this is a column file."
        )
    if style.position == "alone" and options.label is None:
        letters = ", ".join(sorted({tag for tag in table.tags(tag_at) if style.split(tag)}))
        raise LayoutQuestion(
            f"The tags in column {tag_at + 1} have no label ({letters}): the entities are all of "
            "one kind. Name it with --label, e.g. --label ENTITY."
        )
    found = table.tags(tag_at)
    if found.keys() <= {"_", "-", ""}:
        shown = " or ".join(repr(tag) for tag in found if tag) or "nothing"
        raise ValueError(f"column {tag_at + 1} holds nothing but {shown}, and no tag of any token")
    layout = Layout(
        table.width,
        token_at,
        tag_at,
        style,
        "",
        options.label,
        options.labels,
        table.has_header,
        found.keys() - style.outside != set(),
        table.size < max(_LONGEST_ALONE, _LONGEST_SENTENCE * len(table.sentences)),
        (*of_tokens, *remarks),
        inner_at,
        table.n_headings >= _FEWEST_HEADINGS and 2 * table.n_headings > len(table.sentences),
    )
    tags = (level for rows in table.sentences for level in levels(map(layout.tags, rows)))
    scheme = check_scheme(options.scheme) if options.scheme else detect_scheme(tags)
    return layout._replace(scheme=scheme)


class _Tags(NamedTuple):
    """A column of tags. labels: how often each label is there."""

    at: int
    style: TagStyle
    labels: Counter[str]

    @property
    def total(self) -> int:
        return self.labels.total()

    @property
    def are_chunks(self) -> bool:
        chunks = sum(count for label, count in self.labels.items() if label.upper() in CHUNKS)
        return bool(self.total) and 2 * chunks > self.total

    @property
    def has_letters(self) -> bool:
        return self.style.position != "nowhere"

    def is_like(self, other: _Tags) -> bool:
        """Whether another column has the same kind of labels."""
        both = self.labels.keys() & other.labels.keys()
        named = all(
            2 * sum(count for label, count in tags.labels.items() if label.upper() in _NAMES)
            > tags.total
            for tags in (self, other)
        )
        return named or 2 * len(both) > min(len(self.labels), len(other.labels))


def _find_tags(table: Table, options: Options) -> tuple[int, TagStyle, list[str], tuple[int, ...]]:
    """The column of the tags and how they are written, remarks, and columns of inner levels; by
    convention the last column, unless it holds no tags or no entity and another one does."""
    if options.tag_column is not None or table.width == 1:
        at = _index(options.tag_column or -1, table.width, "tag")
        return at, find_style(table.tags(at), options.scheme), [], ()
    last = table.width - 1
    found = [tags for at in range(table.width) if (tags := _tags(table, at, options))]
    by_convention = next((tags for tags in found if tags.at == last), None)
    token_at = (
        0 if options.token_column is None else _index(options.token_column, table.width, "token")
    )
    beside = [
        tags
        for tags in found
        if tags.at != last
        and tags.total
        and tags.has_letters
        and not tags.are_chunks
        and (tags.at > token_at or by_convention is None or by_convention.are_chunks)
    ]
    if by_convention is None:
        # A word such as B-52 among others makes no column of tags.
        known = (tags for tags in beside if tags.style.outside & table.tags(tags.at).keys())
        beside = [*known] or [tags for tags in beside if tags.total >= _FEWEST_TAGS]
        if not beside:
            # Raises the error that says what the last column holds.
            return last, find_style(table.tags(last), options.scheme), [], ()
        best = beside[-1]
        remark = f"the last column holds no tags, column {best.at + 1} does"
        return best.at, best.style, [remark], ()
    if not by_convention.total or not by_convention.has_letters:
        if beside:
            best = max(beside, key=lambda tags: tags.total)
            why = "has no entity" if not by_convention.total else "has labels without letters"
            remark = f"the last column {why}, column {best.at + 1} has B- and I-"
            others = [tags for tags in beside if tags.at != best.at and tags.is_like(best)]
            inner, said = _levels_of(table, best, others)
            return best.at, best.style, [remark, *said], inner
        return last, by_convention.style, [], ()
    if by_convention.are_chunks and beside:
        best = beside[-1]
        why = f"the last column has phrases, column {best.at + 1} other tags"
        return best.at, best.style, [why], ()
    alike = [tags for tags in beside if tags.is_like(by_convention)]
    if not alike:
        return last, by_convention.style, [], ()
    outer = max(alike, key=lambda tags: tags.total)
    if by_convention.total > _FEW * outer.total:
        raise LayoutQuestion(
            f"Columns {outer.at + 1} and {last + 1} both hold tags with the labels "
            f"{', '.join(sorted(outer.labels))}: gold and predicted ones, two levels, or two "
            f"annotators. Say which to read: --tag-column {outer.at + 1} or {last + 1}."
        )
    others = [tags for tags in (*alike, by_convention) if tags.at != outer.at]
    inner, remarks = _levels_of(table, outer, others)
    return outer.at, outer.style, remarks, inner


def _levels_of(
    table: Table, outer: _Tags, others: Sequence[_Tags]
) -> tuple[tuple[int, ...], list[str]]:
    """Which columns with the same labels hold the entities inside those of one, and what to say of
    each."""
    inner, remarks = [], []
    for tags in others:
        cells = Counter((row[outer.at], row[tags.at]) for rows in table.sentences for row in rows)
        here = {pair: n for pair, n in cells.items() if tags.style.split(pair[1])}
        inside = sum(n for (tag, own), n in here.items() if outer.style.split(tag) and tag != own)
        is_inner = tags.total <= _FEW * outer.total and 2 * inside > sum(here.values())
        what = "an inner level, and is read too" if is_inner else "and is not read"
        remarks.append(
            f"column {tags.at + 1} has tags with the same labels, {what} (--tag-column "
            f"{(outer if is_inner else tags).at + 1} to read it alone)"
        )
        if is_inner:
            inner.append(tags.at)
    return tuple(inner), remarks


def _tags(table: Table, at: int, options: Options) -> _Tags | None:
    tags = table.tags(at)
    try:
        style = find_style(tags, options.scheme if at == table.width - 1 else None)
    except ValueError:
        return None
    labels: Counter[str] = Counter()
    for tag, count in tags.items():
        parts = style.split(tag)
        if parts:
            labels[parts[1]] += count
        elif style.position == "nowhere" and tag and tag not in style.outside:
            labels[tag] += count
    return _Tags(at, style, labels)


def _find_tokens(table: Table, tag_at: int, options: Options) -> tuple[int, list[str]]:
    """The column of the tokens: by convention the first one, unless it counts them, is the same
    throughout each sentence, or is that of the tags."""
    if options.token_column is not None:
        return _index(options.token_column, table.width, "token"), []
    others = [at for at in range(table.width) if at != tag_at] or [tag_at]
    unfit = {at: why for at in others if (why := _why_no_tokens(list(table.values(at))))}
    if table.size >= _FEWEST_NUMBERS:
        numbers = [at for at in others if at not in unfit and _are_numbers(table.values(at))]
        if len(unfit) + len(numbers) < len(others):
            unfit |= dict.fromkeys(numbers, "holds only numbers")
    at = next((at for at in others if at not in unfit), others[0])
    if table.size >= _FEWEST_NUMBERS and _are_numbers(table.values(at)):
        raise LayoutQuestion(
            f"All tokens in column {at + 1} are numbers. Name the column that holds the tokens "
            "with --token-column, or that one, if they are right."
        )
    return at, [f"column {other + 1} {unfit[other]}" for other in unfit if other < at]


def _why_no_tokens(column: list[list[str]]) -> str | None:
    """What a column holds instead of tokens; None if it may be tokens."""
    if not any(map(any, column)):
        return "is empty"
    steps = [(one, other) for values in column for one, other in pairwise(values)]
    if steps and _are_numbers(column):
        rising = sum(_last_number(other) == _last_number(one) + 1 for one, other in steps)
        if rising >= _NEARLY_ALL * len(steps):
            return "counts the tokens"
    long = [values for values in column if len(values) > 1]
    if len(long) > 1 and all(len(set(values)) == 1 for values in long):
        return "is the same throughout each sentence"
    return None


def _are_numbers(column: Iterable[Sequence[str]]) -> bool:
    return all(_NUMBER.fullmatch(value) for values in column for value in values)


def _last_number(value: str) -> int:
    """The number of a token: 3 of "3", and of "1-3", the third token of sentence 1."""
    return int(re.split(r"[-.]", value)[-1])


def _index(column: int, width: int, kind: str) -> int:
    if not -width <= column <= width:
        raise ValueError(
            f"There is no {kind} column {column}: most lines have {width} column(s). Count "
            f"from 1, or from -1 for the last."
        )
    return column - 1 if column > 0 else width + column
