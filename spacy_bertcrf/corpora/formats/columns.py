"""Columns: one token a line with its tag, sentences apart by blank lines.

The format of the CoNLL-2003 shared task, of MSRA and of most Chinese corpora. Columns are apart by
tabs, or by ASCII spaces where a line has no tab; any other white space is part of a token. Which of
them are tokens and tags, and how tags are written, is found out by what they hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from spacy_bertcrf.corpora.column_layout import (
    CHUNKS,
    Layout,
    LayoutQuestion,
    find_layout,
    has_only_tags,
)
from spacy_bertcrf.corpora.column_sentences import Sentence, read_sentences
from spacy_bertcrf.corpora.formats.columns_writer import write_columns
from spacy_bertcrf.corpora.formats.format import AGAINST, POSSIBLE, Evidence, Format, Writer
from spacy_bertcrf.corpora.json_values import looks_like_json
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.corpora.sources import Source
from spacy_bertcrf.tagging.repair import read_tags
from spacy_bertcrf.tagging.tag_levels import levels
from spacy_bertcrf.tagging.tag_style import NumberedTags, TagStyle, look_like_tags

PHRASES = "labels of phrases"
NO_BREAKS = "no blank lines between sentences"
LABEL_LIKE_TAG = "label that looks like a tag"
MOSTLY_REPAIRED = "reading that explains the file badly"

_SEEN = 20_000
_FEWEST_REPAIRS = 10


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
