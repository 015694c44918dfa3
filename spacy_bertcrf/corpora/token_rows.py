"""Rows of a data set that hold a list of tokens and, under another key, a list of tags."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

from spacy_bertcrf.corpora.class_names import Names, names_beside
from spacy_bertcrf.corpora.json_mentions import whole_number
from spacy_bertcrf.corpora.json_values import BAD_LINE
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Record
from spacy_bertcrf.corpora.row_layout import (
    N_SEEN,
    SPACES,
    TEXTS,
    Row,
    RowLayout,
    are_lists,
    are_strings,
    cut_up,
    find_row_layout,
)
from spacy_bertcrf.corpora.tagged_tokens import TaggedSentence, is_outside, read_tagged
from spacy_bertcrf.tagging.repair import UNKNOWN_TAG
from spacy_bertcrf.tagging.tag_levels import joined

OTHER_TAGS = "Other lists that are not read"
TAG_NAMES = "Names of the tags"

_DOCUMENTS = ("document_id", "doc_id", "doc_key", "docid", "document")
_KEYS = ("id", "guid", "sent_id", "sentence_id", "uid")
# The number that Hugging Face gives to pieces of which no loss is to be taken.
_IGNORED = -100


def read_rows(
    rows: Iterable[tuple[int, Row]],
    options: Options,
    problems: ProblemLog,
    names: Mapping[str, Sequence[str]] | None = None,
) -> Iterator[Record]:
    """Read rows of tokens and tags.

    rows: the rows with their lines or numbers.
    options: the names of numbered tags, the scheme, and the label where tags name none.
    problems: log to add to.
    names: the names of numbered tags that the file says, by their key.

    Returns a record a row, or a sentence of it. Raises ValueError if most rows have no tokens and
    tags, or if tags are numbers and nothing says what they mean.
    """
    rows = iter(rows)
    first = list(islice(rows, N_SEEN))
    layout = find_row_layout(row for _, row in first)
    if layout is None:
        if not first:
            return iter(())
        keys = ", ".join(dict.fromkeys(chain.from_iterable(row for _, row in first)))
        raise ValueError(
            f"{problems.path}: no list of tokens with a tag for each. The rows have: {keys}."
        )
    seen = [row for _, row in first]
    to_tag = _tag_reader(layout, layout.tags, seen, options, problems, names or {})
    to_inner = []
    for key in layout.inner:
        try:
            to_inner.append(_tag_reader(layout, key, seen, options, problems, names or {}))
        except ValueError:  # numbers without names, which the outer ones need not be
            inner = tuple(other for other in layout.inner if other != key)
            layout = layout._replace(others=(*layout.others, key), inner=inner)
    if layout.others:
        problems.note(OTHER_TAGS, ", ".join(layout.others))
    sentences = _sentences(chain(first, rows), layout, to_tag, to_inner, problems)
    return read_tagged(sentences, options, problems)


def _tag_reader(
    layout: RowLayout,
    key: str,
    rows: Sequence[Row],
    options: Options,
    problems: ProblemLog,
    names: Mapping[str, Sequence[str]],
) -> Callable[[Any, int], str | None]:
    if not layout.numbered:
        return lambda tag, line: tag if isinstance(tag, str) else None
    known = _names(key, rows, options, problems, names)
    problems.note(TAG_NAMES, f"{', '.join(known.names)} ({known.origin})")

    def to_name(tag: Any, line: int) -> str | None:
        number = whole_number(tag)
        if number is not None and 0 <= number < len(known.names):
            return known.names[number]
        if number != _IGNORED:
            what = f"{tag!r} for one of {len(known.names)} names: left without annotation"
            problems.add(UNKNOWN_TAG, line, what)
        return None

    return to_name


def _names(
    key: str,
    rows: Sequence[Row],
    options: Options,
    problems: ProblemLog,
    names: Mapping[str, Sequence[str]],
) -> Names:
    if options.labels is not None:
        return Names(options.labels, "from --labels")
    if key in names:
        return Names(names[key], "from the file's features")
    beside = names_beside(problems.path, key, rows)
    if beside is not None:
        return beside
    raise ValueError(
        f"{problems.path}: {key!r} holds numbers, and nothing says which tags they are. "
        "Give the tags' names, that of 0 first: --labels O,B-PER,I-PER,… or a file with one a line."
    )


def _sentences(
    rows: Iterable[tuple[int, Row]],
    layout: RowLayout,
    to_tag: Callable[[Any, int], str | None],
    to_inner: Sequence[Callable[[Any, int], str | None]],
    problems: ProblemLog,
) -> Iterator[TaggedSentence]:
    document: Any = None
    for line, row in rows:
        of = next((row[key] for key in _DOCUMENTS if isinstance(row.get(key), str | int)), None)
        new, document = (None if of is None else of != document), of
        key = next((str(row[k]) for k in _KEYS if isinstance(row.get(k), str | int)), None)
        parts = _parts(row, layout)
        cut = cut_up(row.get(layout.tokens), layout.cut)
        if new is None and cut and are_lists(cut):
            new = True  # a row of several sentences is a document
        if not parts:
            problems.add(BAD_LINE, line, f"no {layout.tokens!r} with {layout.tags!r}: left out")
        for tokens, tags, spaces, inner in parts:
            if not are_strings(tokens):
                problems.add(BAD_LINE, line, "a sentence whose tokens are no strings: left out")
                continue
            if not isinstance(tags, list) or len(tags) != len(tokens):
                count = len(tags) if isinstance(tags, list) else "no"
                what = f"{len(tokens)} tokens and {count} tags: left without annotation"
                problems.add(BAD_LINE, line, what)
                tags = [None] * len(tokens)
            names = [to_tag(tag, line) for tag in tags]
            for level, to_name in zip(inner, to_inner, strict=True):
                if level is not None and len(level) == len(names):
                    of_inner = [to_name(tag, line) for tag in level]
                    names = _both(names, of_inner, line, problems)
                elif level is not None:
                    what = f"{len(tokens)} tokens and {len(level)} inner tags, which are not read"
                    problems.add(BAD_LINE, line, what)
            text = _text(row, layout) if len(parts) == 1 else None
            yield TaggedSentence(
                line, tokens, names, text=text, spaces=spaces, key=key, new_document=new
            )
            new = None if new is None else False


class _Part(NamedTuple):
    """A sentence of a row; tags and those of each inner level as they are there."""

    tokens: list[str]
    tags: Any
    spaces: list[bool] | None
    inner: Sequence[list[Any] | None]


def _parts(row: Row, layout: RowLayout) -> list[_Part]:
    tokens, tags = cut_up(row.get(layout.tokens), layout.cut), row.get(layout.tags)
    if isinstance(tags, str | dict):
        tags = cut_up(tags, "words")
    levels = [cut_up(row.get(key), "words") for key in layout.inner]
    inner = [level if isinstance(level, list) else None for level in levels]
    spaces = next((row[key] for key in SPACES if isinstance(row.get(key), list)), None)
    if isinstance(tags, list) and are_lists(tokens) and are_lists(tags) and tokens:
        # Where the numbers of sentences differ, nobody knows whose tags are whose.
        of_each = [
            values
            if values and are_lists(values) and len(values) == len(tokens)
            else [None] * len(tokens)
            for values in (tags, spaces, *inner)
        ]
        return [
            _Part(part, part_tags, _booleans(part_spaces, len(part)), part_inner)
            for part, part_tags, part_spaces, *part_inner in zip(tokens, *of_each, strict=True)
        ]
    if not are_strings(tokens):
        return []
    return [_Part(tokens, tags, _booleans(spaces, len(tokens)), inner)]


def _both(
    outer: Sequence[str | None], inner: Sequence[str | None], line: int, problems: ProblemLog
) -> list[str | None]:
    """Both levels, as `tags_of` parts them; what has no outer tag has none."""
    found = [*outer]
    for at, (tag, within) in enumerate(zip(outer, inner, strict=True)):
        if tag is not None and within is not None and not is_outside(within):
            found[at] = joined(tag, within) or tag
            if found[at] == tag:
                problems.add(UNKNOWN_TAG, line, f"{within!r}, an inner one: left out")
    return found


def _text(row: Row, layout: RowLayout) -> str | None:
    keys = [
        key
        for key in row
        if key.lower() in TEXTS and isinstance(row[key], str) and key != layout.tokens
    ]
    first = min(keys, key=lambda key: TEXTS.index(key.lower()), default=None)
    return None if first is None else row[first]


def _booleans(spaces: Any, count: int) -> list[bool] | None:
    if not isinstance(spaces, list) or len(spaces) != count:
        return None
    return [bool(space) for space in spaces]
