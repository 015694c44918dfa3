"""Under which keys the rows of a data set have their tokens and tags."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any, NamedTuple

from spacy_bertcrf.corpora.json_mentions import whole_number
from spacy_bertcrf.corpora.tagged_tokens import is_prefixed, looks_like_tags
from spacy_bertcrf.tagging.tag_style import find_style

Row = Mapping[str, Any]

TEXTS = ("text", "sentence", "sent", "context", "content", "raw_text", "source", "full_text")
SPACES = ("space_after", "spaces_after", "spaces", "whitespace", "ws", "trailing_whitespace")
N_SEEN = 500
_TOKENS = ("tokens", "words", "token", "word", "tokenized_text", "chars", "characters")
_OF_ENTITIES = ("ner", "bio", "iob", "entit")
_OF_TAGS = ("tag", "label")
_INNER = ("nested", "inner")
_NEVER = ("pos", "chunk", "lemma", "dep", "head", "srl", "morph", "srs", "token")
# Tags of the same entities by other labels, which are read where there are no others.
_GRAINS = ("fine", "coarse")
_FEW = 5
_CUTS = ("list", "words", "characters")


class RowLayout(NamedTuple):
    """Under which keys the rows have what.

    tokens: the key of the tokens, a list or a text.
    tags: the key of the tags, a list or a text.
    cut: how a text is cut into tokens: "list" (it is one), "words" or "characters".
    numbered: whether the tags are numbers.
    others: keys of further lists that may be tags, which are not read.
    inner: the keys of the tags of entities in entities, by their names.
    """

    tokens: str
    tags: str
    cut: str
    numbered: bool
    others: tuple[str, ...] = ()
    inner: tuple[str, ...] = ()

    def __str__(self) -> str:
        tags = "numbers of tags" if self.numbered else "tags"
        shown = " and ".join(map(repr, self.inner))
        inner = f", {shown} those of entities in entities" if self.inner else ""
        return f"{self.tokens!r} holds tokens and {self.tags!r} {tags}, one for each token{inner}"


def find_row_layout(rows: Iterable[Row]) -> RowLayout | None:
    """Find out where rows have tokens and tags; None if most have none."""
    rows = list(islice(rows, N_SEEN))
    fits: Counter[tuple[str, str, str]] = Counter()
    n_tokens: Counter[tuple[str, str, str]] = Counter()
    contents: dict[str, list[Any]] = {}
    for row in rows:
        for tokens, cut in _token_keys(row):
            for tags in _tag_keys(row, tokens, cut):
                fits[tokens, tags, cut] += 1
                n_tokens[tokens, tags, cut] += len(_flat(cut_up(row[tokens], cut)))
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
    alike = [key for key in others if kinds[key] == kinds[tags]]
    nested = [key for key in alike if _is_inner(key)]
    if len(nested) != 1 or _is_inner(tags):
        nested = []
    inner = (*nested, *(key for key in alike if level_suffix(key, tags)))
    rest = tuple(key for key in others if key not in inner)
    return RowLayout(tokens, tags, cut, kinds[tags] == "numbers", rest, inner)


def level_suffix(key: str, tags: str) -> str:
    """What a key of inner tags has behind that of the outer ones, or instead of its 1: "_2" of
    "ner_tags_2"; empty if it is none."""
    first = re.fullmatch(r"(.*\D)1", tags)
    match = re.fullmatch(re.escape(first[1] if first else tags) + r"(_?(?:level)?_?[2-9])", key)
    return match[1] if match else ""


def cut_up(value: Any, cut: str) -> Any:
    """A list as it is, the values of an object, a text in words or characters."""
    if isinstance(value, dict):
        return list(value.values())
    if not isinstance(value, str):
        return value
    return value.split() if cut == "words" else list(value)


def are_lists(value: Any) -> bool:
    """Whether a value is a list of lists."""
    return isinstance(value, list) and all(isinstance(part, list) for part in value)


def are_strings(value: Any) -> bool:
    """Whether a value is a list of strings."""
    return isinstance(value, list) and all(isinstance(part, str) for part in value)


def _token_keys(row: Row) -> Iterator[tuple[str, str]]:
    lower = {key.lower(): key for key in row}
    for name in (*_TOKENS, *TEXTS):
        key = lower.get(name, name)
        value = row.get(key)
        if isinstance(value, str) and value:
            yield from ((key, "words"), (key, "characters"))
        elif _flat(value) and are_strings(_flat(value)):
            yield key, "list"


def _tag_keys(row: Row, tokens: str, cut: str) -> Iterator[str]:
    expected = _shape(cut_up(row[tokens], cut))
    for key, value in row.items():
        if key in (tokens, *SPACES) or any(part in key.lower() for part in _NEVER):
            continue
        tags = cut_up(value, "words")
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


def _rank(key: str, kind: str | None) -> tuple[bool, int, bool, bool]:
    lower = key.lower()
    family = 0 if any(part in lower for part in _OF_ENTITIES) else 1
    is_grain = any(part in lower for part in _GRAINS)
    return is_grain, family, kind == "numbers", _is_inner(key)


def _flat(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [value]
    parts = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(parts, list):
        return []
    if are_lists(parts):
        return list(chain.from_iterable(parts))
    return parts


def _shape(value: Any) -> tuple[int, ...]:
    """The lengths of a list, or of the lists in it."""
    parts = list(value.values()) if isinstance(value, dict) else value
    return tuple(map(len, parts)) if are_lists(parts) and parts else (len(parts),)
