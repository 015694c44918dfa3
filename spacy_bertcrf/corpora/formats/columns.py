"""Columns: one token a line with its tag, sentences apart by blank lines.

The format of the CoNLL-2003 shared task, of MSRA and of most Chinese corpora. Columns are apart by
tabs, or by ASCII spaces where a line has no tab; any other white space is part of a token. Which of
them are tokens and tags, and how tags are written, is found out by what they hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice, pairwise
from typing import NamedTuple

from spacy_bertcrf.corpora.clean_tags import UNSEEN, clean_tag
from spacy_bertcrf.corpora.column_comments import is_comment, is_untagged_hashtag
from spacy_bertcrf.corpora.column_layout import (
    CHUNKS,
    Layout,
    LayoutQuestion,
    find_layout,
    has_only_tags,
)
from spacy_bertcrf.corpora.column_table import is_document_start, split_columns
from spacy_bertcrf.corpora.formats.columns_writer import write_columns
from spacy_bertcrf.corpora.formats.format import AGAINST, POSSIBLE, Evidence, Format, Writer
from spacy_bertcrf.corpora.json_values import looks_like_json
from spacy_bertcrf.corpora.malformed import AS_SPACE, EMPTY_TOKEN
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.corpora.sources import Source
from spacy_bertcrf.tagging.repair import read_tags
from spacy_bertcrf.tagging.tag_levels import levels
from spacy_bertcrf.tagging.tag_style import NumberedTags, TagStyle, look_like_tags

WRONG_COLUMNS = "wrong number of columns"
PHRASES = "labels of phrases"
NO_BREAKS = "no blank lines between sentences"
HEADINGS = "Lines of one word that begin with #, read as headings"
MARKUP = "Lines of markup or rules, read as breaks"
LABEL_LIKE_TAG = "label that looks like a tag"
MOSTLY_REPAIRED = "reading that explains the file badly"

ENDS = frozenset(".!?。！？…")

_SEEN = 20_000
_ROWS_KEPT = 200_000
_FEWEST_REPAIRS = 10
_NEW_DOCUMENT = "# newdoc"


class Sentence(NamedTuple):
    """The tokens between two breaks, a line each.

    line: the line of the first.
    tokens: the tokens.
    tags: the tags of each, as `read_tags` reads them: several where entities overlap; none of a
        token without annotation.
    follows: whether the sentence before is of the same text.
    """

    line: int
    tokens: list[str]
    tags: list[tuple[str, ...]]
    follows: bool


class Columns(Format):
    """A token and its tag a line."""

    name = "columns"
    description = "a token and its tag a line, blank lines between sentences"
    options = frozenset({"scheme", "token_column", "tag_column", "label", "labels"})

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By a column of tags beside one of tokens."""
        if looks_like_json(source):
            return Evidence("the file is JSON", AGAINST)
        if options.token_column is None and has_only_tags(islice(source.lines(), _SEEN)):
            return Evidence("all columns hold tags, and none words", AGAINST)
        try:
            layout = _layout(source, options)
        except (LayoutQuestion, NumberedTags) as err:
            return Evidence(f"columns, of which something has to be said: {err}", POSSIBLE)
        except ValueError as err:
            return Evidence(str(err), AGAINST)
        if layout is None:
            return Evidence("no line that holds anything", POSSIBLE)
        return Evidence(_columns(layout), POSSIBLE, {"tag scheme": layout.scheme})

    @property
    def writer(self) -> Writer | None:
        """Writes it as `write_columns` says."""
        return write_columns

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a sentence; tags that break their scheme are repaired, and reported."""
        try:
            layout = _layout(source, options)
        except ValueError as err:
            raise ValueError(f"{source.path}: {err}") from None
        if layout is None:
            return
        _note(layout, options, problems)
        running = None
        counts = _Counts()
        for sentence in read_sentences(source.lines(), layout, problems):
            line, tokens, _, follows = sentence
            tags, *inner = _levels(sentence, layout)
            spans, missing, repairs, running = read_tags(
                tags, layout.scheme, running if follows else None
            )
            for reading in [read_tags(level, layout.scheme) for level in inner]:
                spans, repairs = [*spans, *reading.spans], sorted([*repairs, *reading.repairs])
            for token, kind, what in repairs:
                problems.add(kind, line + token, what)
            counts.add(len(tokens), len(repairs), (span.label for span in spans))
            yield Record(
                line,
                tokens=tokens,
                entities=[Mention(*span) for span in spans],
                missing=[(token, token + 1) for token in missing],
                lines=range(line, line + len(tokens)),
                new_document=not follows,
            )
        counts.report(layout, problems)
        if not layout.has_breaks and counts.sentences > 1:
            what = "sentences end where a full stop, ! or ? is outside; --sentences joins them"
            problems.add(NO_BREAKS, 0, what)


def _levels(sentence: Sentence, layout: Layout) -> list[list[str | None]]:
    """The tags of a sentence, a level for each of those that overlap."""
    if any(len(tags) > 1 for tags in sentence.tags):
        first, *inner = levels([tags or ("O",) for tags in sentence.tags])
        by_level: list[list[str | None]] = [[*level] for level in inner]
        known = zip(first, sentence.tags, strict=True)
        return [[tag if tags else None for tag, tags in known], *by_level]
    tags = [tags[0] if tags else None for tags in sentence.tags]
    if layout.style.goes_on:
        tags = [tag or None for tag in layout.style.canonical_tags(tags)]
    return [tags]


class Msra(Columns):
    """Columns of Chinese characters."""

    name = "msra"
    description = "columns of Chinese characters, as MSRA's"
    lang = "zh"

    def recognise(self, source: Source, options: Options) -> None:
        """Never by itself: the same as columns, with the language given."""
        return


def read_sentences(
    lines: Iterable[str], layout: Layout, problems: ProblemLog
) -> Iterator[Sentence]:
    """Read the tokens and tags of a column file.

    A line with another number of columns keeps its token and loses its tag. An empty token was a
    space before some tool stripped it, and becomes one again. ``-DOCSTART-`` lines part texts, and
    so does ``# newdoc``; lines that are one element, such as ``<s>``, part sentences. Where nothing
    does, they end with a full stop that is outside. Lines that begin with # before a sentence are
    comments as `is_comment` tells them; a hashtag without a tag is a heading if nothing but a blank
    line follows, or most sentences have one, and else a token that lost its tag.

    lines: the lines of the file.
    layout: its columns.
    problems: log to add to.

    Returns the sentences, none of them empty.
    """
    rows: dict[str, _Row] = {}
    tokens: list[str] = []
    tags: list[tuple[str, ...]] = []
    first, has_header = 0, layout.has_header
    follows = text_begun = False
    for number, (line, after) in enumerate(pairwise(chain(lines, [""])), start=1):
        row = rows.get(line)
        if row is None:
            row = _row(line, layout)
            if len(rows) < _ROWS_KEPT:
                rows[line] = row
        token, of_token, fault, parts, is_markup = row
        if token is None:
            problems.count(MARKUP, int(is_markup))
            if tokens:
                yield Sentence(first, tokens, tags, follows)
                tokens, tags = [], []
                text_begun = True
            if parts:
                text_begun = False
            continue
        if not tokens:
            if has_header:
                has_header = False
                continue
            if line.startswith("#"):
                columns = split_columns(line)
                is_last = layout.has_headings or not after.strip(" \t")
                is_heading = is_last and is_untagged_hashtag(layout, columns, line)
                problems.count(HEADINGS, int(is_heading))
                if is_heading or is_comment(layout, columns, line):
                    text_begun = text_begun and not line.startswith(_NEW_DOCUMENT)
                    continue
            first, follows = number, text_begun
        if fault:
            problems.add(*fault[:1], number, fault[1])
        tokens.append(token)
        tags.append(of_token)
        if not layout.has_breaks and token in ENDS and of_token == ("O",):
            yield Sentence(first, tokens, tags, follows)
            tokens, tags = [], []
            text_begun = True
    if tokens:
        yield Sentence(first, tokens, tags, follows)


class _Row(NamedTuple):
    """What a line says.

    token: None for a break.
    tags: those of the token; none if it has none.
    fault: kind and description of what is wrong with it.
    parts_texts: for a break, whether another text begins.
    is_markup: for a break, whether it is an element of a document's build.
    """

    token: str | None
    tags: tuple[str, ...] = ()
    fault: tuple[str, str] | None = None
    parts_texts: bool = False
    is_markup: bool = False


def _row(line: str, layout: Layout) -> _Row:
    columns = split_columns(line)
    if not columns:
        return _Row(None)
    at = layout.token_at
    if any(map(is_document_start, (columns[0], *columns[at : at + 1]))):
        return _Row(None, parts_texts=True)
    if layout.is_markup(columns, line):
        return _Row(None, is_markup=True)
    if layout.fits(columns) or layout.has_more_tags(columns):
        token = columns[at]
        fault = _fault(token, columns[layout.tag_at])
        return _Row(token or " ", layout.tags(columns), fault)
    token = columns[at] if at < len(columns) else columns[0]
    what = f"{len(columns)} instead of {layout.width}: {token!r} is left without annotation"
    return _Row(token or " ", (), (WRONG_COLUMNS, what))


def _fault(token: str, tag: str) -> tuple[str, str] | None:
    """What is wrong in a line that has as many columns as others."""
    if not token:
        return EMPTY_TOKEN, AS_SPACE
    cleaned = clean_tag(tag)
    return None if cleaned == tag else (UNSEEN, f"{tag!r} is read as {cleaned!r}")


class _Counts:
    """What a reading has cost, to tell whether it explains the file."""

    def __init__(self) -> None:
        self.sentences = self.tokens = self.repairs = 0
        self.labels: set[str] = set()

    def add(self, tokens: int, repairs: int, labels: Iterable[str]) -> None:
        self.sentences += 1
        self.tokens += tokens
        self.repairs += repairs
        self.labels.update(labels)

    def report(self, layout: Layout, problems: ProblemLog) -> None:
        """Say what speaks against the reading as a whole."""
        for label in look_like_tags(self.labels):
            what = (
                f"{label!r}: as if the tags were of another scheme than {layout.scheme}, or of two "
                "levels; see --scheme and --tag-column"
            )
            problems.add(LABEL_LIKE_TAG, 0, what)
        if self.labels and self.labels <= CHUNKS:
            what = f"{', '.join(sorted(self.labels))}: the tags are of phrases, and no names"
            problems.add(PHRASES, 0, what)
        if self.repairs >= _FEWEST_REPAIRS and 2 * self.repairs > self.tokens:
            what = (
                f"{self.repairs:,} of {self.tokens:,} tags had to be repaired; check --scheme, "
                "--token-column and --tag-column"
            )
            problems.add(MOSTLY_REPAIRED, 0, what)


def _layout(source: Source, options: Options) -> Layout | None:
    """The layout by the first lines, or by all where these have no tag but O."""
    layout = find_layout(islice(source.lines(), _SEEN), options)
    if layout is None or not layout.has_entities:
        layout = find_layout(source.lines(), options)
    return layout


def _columns(layout: Layout) -> str:
    what = (
        f"tokens in column {layout.token_at + 1} and tags in column {layout.tag_at + 1} of "
        f"{layout.width}"
    )
    return ", ".join((what, *layout.remarks))


def _note(layout: Layout, options: Options, problems: ProblemLog) -> None:
    given = "" if options.scheme else " (detected; --scheme to change)"
    problems.note("Tag scheme", f"{layout.scheme}{given}")
    problems.note("Columns", _columns(layout))
    if layout.style != TagStyle():
        problems.note("Tags", str(layout.style))
