"""Rows of a data set that hold a list of tokens and, under another key, a list of tags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

from spacy_bertcrf.corpora.class_names import Names, names_beside
from spacy_bertcrf.corpora.json_mentions import whole_number
from spacy_bertcrf.corpora.json_values import BAD_LINE
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Record
from spacy_bertcrf.corpora.tagged_tokens import (
    TaggedSentence,
    is_outside,
    is_prefixed,
    looks_like_tags,
    read_tagged,
)
from spacy_bertcrf.tagging.repair import UNKNOWN_TAG
from spacy_bertcrf.tagging.tag_levels import joined
from spacy_bertcrf.tagging.tag_style import find_style

OTHER_TAGS = "Other lists that are not read"
TAG_NAMES = "Names of the tags"

Row = Mapping[str, Any]

_TOKENS = ("tokens", "words", "token", "word", "tokenized_text", "chars", "characters")
_TEXTS = ("text", "sentence", "sent", "context", "content", "raw_text", "source", "full_text")
_OF_ENTITIES = ("ner", "bio", "iob", "entit")
_OF_TAGS = ("tag", "label")
_INNER = ("nested", "inner")
_NEVER = ("pos", "chunk", "lemma", "dep", "head", "fine", "coarse", "srl", "morph", "srs", "token")
_SPACES = ("space_after", "spaces_after", "spaces", "whitespace", "ws", "trailing_whitespace")
_DOCUMENTS = ("document_id", "doc_id", "doc_key", "docid", "document")
_KEYS = ("id", "guid", "sent_id", "sentence_id", "uid")
# The number that Hugging Face gives to pieces of which no loss is to be taken.
_IGNORED = -100
_SEEN = 500
_FEW = 5


class RowLayout(NamedTuple):
    """Under which keys the rows have what.

    tokens: the key of the tokens, a list or a text.
    tags: the key of the tags, a list or a text.
    cut: how a text is cut into tokens: "list" (it is one), "words" or "characters".
    numbered: whether the tags are numbers.
    others: keys of further lists that may be tags, which are not read.
    inner: the key of the tags of entities in entities, by its name.
    """

    tokens: str
    tags: str
    cut: str
    numbered: bool
    others: tuple[str, ...] = ()
    inner: str | None = None

    def __str__(self) -> str:
        tags = "numbers of tags" if self.numbered else "tags"
        inner = "" if self.inner is None else f", {self.inner!r} those of entities in entities"
        return f"{self.tokens!r} holds tokens and {self.tags!r} {tags}, one for each token{inner}"


def find_row_layout(rows: Iterable[Row]) -> RowLayout | None:
    """Find out where rows have tokens and tags; None if most have none."""
    rows = list(islice(rows, _SEEN))
    fits: Counter[tuple[str, str, str]] = Counter()
    n_tokens: Counter[tuple[str, str, str]] = Counter()
    contents: dict[str, list[Any]] = {}
    for row in rows:
        for tokens, cut in _token_keys(row):
            for tags in _tag_keys(row, tokens, cut):
                fits[tokens, tags, cut] += 1
                n_tokens[tokens, tags, cut] += len(_flat(_cut(row[tokens], cut)))
                contents.setdefault(tags, []).extend(_flat(row[tags]))
    # A word and its label are no sentence and its tags.
    fits = Counter(
        {
            fit: n
            for fit, n in fits.items()
            if 2 * n > len(rows) and (fit[2] == "list" or n_tokens[fit] > n)
        }
    )
    kinds = {tags: _kind(tags, contents[tags]) for _, tags, _ in fits}
    # A number for each word or character of a few texts may be there by chance.
    found = [
        (tokens, tags, cut)
        for tokens, tags, cut in fits
        if kinds[tags] == "names" or (kinds[tags] and (cut == "list" or len(rows) >= _FEW))
    ]
    if not found:
        return None
    ranked = sorted(found, key=lambda fit: (_CUTS.index(fit[2]), *_rank(fit[1], kinds[fit[1]])))
    tokens, tags, cut = ranked[0]
    others = dict.fromkeys(fit[1] for fit in ranked if fit[0] == tokens and fit[1] != tags)
    inner = [key for key in others if _is_inner(key) and kinds[key] == kinds[tags]]
    if len(inner) != 1 or _is_inner(tags):
        return RowLayout(tokens, tags, cut, kinds[tags] == "numbers", tuple(others))
    others.pop(inner[0])
    return RowLayout(tokens, tags, cut, kinds[tags] == "numbers", tuple(others), inner[0])


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
    first = list(islice(rows, _SEEN))
    layout = find_row_layout(row for _, row in first)
    if layout is None:
        if not first:
            return iter(())
        keys = ", ".join(dict.fromkeys(chain.from_iterable(row for _, row in first)))
        raise ValueError(
            f"{problems.path}: no list of tokens with a tag for each. The rows have: {keys}."
        )
    to_tag = _tag_reader(layout, layout.tags, options, problems, names or {})
    to_inner = to_tag
    if layout.inner is not None:
        try:
            to_inner = _tag_reader(layout, layout.inner, options, problems, names or {})
        except ValueError:  # numbers without names, which the outer ones need not be
            layout = layout._replace(others=(*layout.others, layout.inner), inner=None)
    if layout.others:
        problems.note(OTHER_TAGS, ", ".join(layout.others))
    sentences = _sentences(chain(first, rows), layout, to_tag, to_inner, problems)
    return read_tagged(sentences, options, problems)


def _tag_reader(
    layout: RowLayout,
    key: str,
    options: Options,
    problems: ProblemLog,
    names: Mapping[str, Sequence[str]],
) -> Callable[[Any, int], str | None]:
    if not layout.numbered:
        return lambda tag, line: tag if isinstance(tag, str) else None
    known = _names(key, options, problems, names)
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
    options: Options,
    problems: ProblemLog,
    names: Mapping[str, Sequence[str]],
) -> Names:
    if options.labels is not None:
        return Names(options.labels, "from --labels")
    if key in names:
        return Names(names[key], "from the file's features")
    beside = names_beside(problems.path, key)
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
    to_inner: Callable[[Any, int], str | None],
    problems: ProblemLog,
) -> Iterator[TaggedSentence]:
    document: Any = None
    for line, row in rows:
        of = next((row[key] for key in _DOCUMENTS if isinstance(row.get(key), str | int)), None)
        new, document = (None if of is None else of != document), of
        key = next((str(row[k]) for k in _KEYS if isinstance(row.get(k), str | int)), None)
        parts = _parts(row, layout)
        cut = _cut(row.get(layout.tokens), layout.cut)
        if new is None and cut and _are_lists(cut):
            new = True  # a row of several sentences is a document
        if not parts:
            problems.add(BAD_LINE, line, f"no {layout.tokens!r} with {layout.tags!r}: left out")
        for tokens, tags, spaces, inner in parts:
            if not _are_strings(tokens):
                problems.add(BAD_LINE, line, "a sentence whose tokens are no strings: left out")
                continue
            if not isinstance(tags, list) or len(tags) != len(tokens):
                count = len(tags) if isinstance(tags, list) else "no"
                what = f"{len(tokens)} tokens and {count} tags: left without annotation"
                problems.add(BAD_LINE, line, what)
                tags = [None] * len(tokens)
            names = [to_tag(tag, line) for tag in tags]
            if inner is not None and len(inner) == len(names):
                of_inner = [to_inner(tag, line) for tag in inner]
                names = _both(names, of_inner, line, problems)
            elif inner is not None:
                what = f"{len(tokens)} tokens and {len(inner)} inner tags, which are not read"
                problems.add(BAD_LINE, line, what)
            text = _text(row, layout) if len(parts) == 1 else None
            yield TaggedSentence(
                line, tokens, names, text=text, spaces=spaces, key=key, new_document=new
            )
            new = None if new is None else False


class _Part(NamedTuple):
    """A sentence of a row; tags and inner tags as they are there."""

    tokens: list[str]
    tags: Any
    spaces: list[bool] | None
    inner: list[Any] | None


def _parts(row: Row, layout: RowLayout) -> list[_Part]:
    tokens, tags = _cut(row.get(layout.tokens), layout.cut), row.get(layout.tags)
    inner = None if layout.inner is None else row.get(layout.inner)
    if isinstance(tags, str | dict):
        tags = _cut(tags, "words")
    if isinstance(inner, str | dict):
        inner = _cut(inner, "words")
    inner = inner if isinstance(inner, list) else None
    spaces = next((row[key] for key in _SPACES if isinstance(row.get(key), list)), None)
    if isinstance(tags, list) and _are_lists(tokens) and _are_lists(tags) and tokens:
        # Where the numbers of sentences differ, nobody knows whose tags are whose.
        of_each = [
            values
            if values and _are_lists(values) and len(values) == len(tokens)
            else [None] * len(tokens)
            for values in (tags, spaces, inner)
        ]
        return [
            _Part(part, part_tags, _booleans(part_spaces, len(part)), part_inner)
            for part, part_tags, part_spaces, part_inner in zip(tokens, *of_each, strict=True)
        ]
    if not _are_strings(tokens):
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


def _cut(value: Any, cut: str) -> Any:
    if isinstance(value, dict):
        return list(value.values())
    if not isinstance(value, str):
        return value
    return value.split() if cut == "words" else list(value)


def _text(row: Row, layout: RowLayout) -> str | None:
    keys = [
        key
        for key in row
        if key.lower() in _TEXTS and isinstance(row[key], str) and key != layout.tokens
    ]
    first = min(keys, key=lambda key: _TEXTS.index(key.lower()), default=None)
    return None if first is None else row[first]


def _booleans(spaces: Any, count: int) -> list[bool] | None:
    if not isinstance(spaces, list) or len(spaces) != count:
        return None
    return [bool(space) for space in spaces]


_CUTS = ("list", "words", "characters")


def _token_keys(row: Row) -> Iterator[tuple[str, str]]:
    lower = {key.lower(): key for key in row}
    for name in (*_TOKENS, *_TEXTS):
        key = lower.get(name, name)
        value = row.get(key)
        if isinstance(value, str) and value:
            yield from ((key, "words"), (key, "characters"))
        elif _flat(value) and _are_strings(_flat(value)):
            yield key, "list"


def _tag_keys(row: Row, tokens: str, cut: str) -> Iterator[str]:
    expected = _shape(_cut(row[tokens], cut))
    for key, value in row.items():
        if key in (tokens, *_SPACES) or any(part in key.lower() for part in _NEVER):
            continue
        tags = _cut(value, "words")
        if isinstance(tags, list | dict) and _shape(tags) == expected:
            yield key


def _kind(key: str, tags: list[Any]) -> str | None:
    """ "names" or "numbers", if a list holds tags; else None."""
    named = any(part in key.lower() for part in (*_OF_ENTITIES, *_OF_TAGS))
    pieces = [p for tag in tags for p in (tag.split() if isinstance(tag, str) else [tag])]
    if pieces and all(piece is None or whole_number(piece) is not None for piece in pieces):
        return "numbers" if named else None
    strings = [piece for piece in pieces if isinstance(piece, str)]
    if 2 * len(strings) <= len(pieces):
        return None
    if looks_like_tags(strings) and (named or any(map(is_prefixed, strings))):
        return "names"
    return "names" if named and _have_letters(strings) else None


def _have_letters(tags: list[str]) -> bool:
    """Whether tags have the letters of a scheme, in whatever place: "PER-B"."""
    try:
        return find_style(Counter(tags)).position in ("before", "after")
    except ValueError:
        return False


def _is_inner(key: str) -> bool:
    return any(part in key.lower() for part in _INNER)


def _rank(key: str, kind: str | None) -> tuple[int, bool, bool]:
    lower = key.lower()
    family = 0 if any(part in lower for part in _OF_ENTITIES) else 1
    return family, kind == "numbers", _is_inner(key)


def _flat(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [value]
    parts = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(parts, list):
        return []
    if _are_lists(parts):
        return list(chain.from_iterable(parts))
    return parts


def _shape(value: Any) -> tuple[int, ...]:
    """The lengths of a list, or of the lists in it."""
    parts = list(value.values()) if isinstance(value, dict) else value
    return tuple(map(len, parts)) if _are_lists(parts) and parts else (len(parts),)


def _are_lists(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(part, list) for part in value)


def _are_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(part, str) for part in value)
