"""Sentences whose tokens are objects or pairs in JSON, each with its tag, as rows of tokens and
tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spacy_bertcrf.corpora.json_entity_keys import plain
from spacy_bertcrf.corpora.row_layout import find_row_layout, level_suffix
from spacy_bertcrf.corpora.tagged_tokens import is_outside, is_prefixed

_WORDS = ("text", "word", "token", "form", "surface", "char", "originaltext")
_OF_ENTITIES = ("ner", "nertag", "nertags", "nerlabel", "ne", "bio", "iob", "biotag", "iobtag")
_TAGS = (*_OF_ENTITIES, "entity", "entitytype", "label", "tag")
_FEW_TAGS = 0.5
# What has a place in a text is an entity rather than a token.
_OFFSETS = {"start", "end", "offset", "begin", "startoffset", "endoffset"}

TOKENS, TAGS = "tokens", "ner_tags"


def as_row(value: Any) -> Mapping[str, Any] | None:
    """A value as a row with a list of tokens and one of tags: an object that has them already, or a
    list of tokens that are objects or pairs, or an object with such a list; else None."""
    if isinstance(value, dict):
        if find_row_layout([value]) is not None:
            return value
        for key, of in value.items():
            row = _of_list(of)
            if row is not None:
                rest = {name: other for name, other in value.items() if name != key}
                return {**rest, **row}
        return value
    return _of_list(value)


def _of_list(value: Any) -> dict[str, list[Any]] | None:
    if not isinstance(value, list) or not value:
        return None
    if all(isinstance(one, list) for one in value):
        return _of_pairs(value)
    if not all(isinstance(one, dict) for one in value):
        return None
    first = {plain(key): key for key in value[0]}
    word = next((first[key] for key in _WORDS if key in first), None)
    tag = next((first[key] for key in _TAGS if key in first and first[key] != word), None)
    if word is None or tag is None or not all(isinstance(one.get(word), str) for one in value):
        return None
    if plain(tag) not in _OF_ENTITIES and first.keys() & _OFFSETS:
        return None
    tags = [one.get(tag) for one in value]
    if not all(isinstance(one, str | None) for one in tags):
        return None
    if not _are_tags(tags, sure=plain(tag) in _OF_ENTITIES):
        return None
    others = {key: [one.get(key) for one in value] for key in value[0] if key not in (word, tag)}
    return {
        TOKENS: [one[word] for one in value],
        TAGS: tags,
        **{_row_key(key, tag): of for key, of in others.items() if _are_other_tags(of)},
    }


def _row_key(key: str, tag: str) -> str:
    """A key of tags as it is beside those of entities: "ner_tags_2" for an inner level."""
    suffix = level_suffix(key, tag)
    return TAGS + suffix if suffix else key


def _are_other_tags(tags: list[Any]) -> bool:
    """Whether the values under another key are tags too, or outside of all entities."""
    known = [tag for tag in tags if isinstance(tag, str)]
    return len(known) == len(tags) and all(is_prefixed(tag) or tag == "O" for tag in known)


def _of_pairs(value: list[list[Any]]) -> dict[str, list[Any]] | None:
    if not all(len(one) >= 2 and isinstance(one[0], str) for one in value):
        return None
    words, tags = [one[0] for one in value], [one[-1] for one in value]
    if not all(isinstance(tag, str) for tag in tags) or not _are_tags(tags):
        return None
    # Lists of tags are sentences of them, and no words with their tags.
    if all(is_prefixed(word) or is_outside(word) for word in words):
        return None
    return {TOKENS: words, TAGS: tags}


def _are_tags(tags: list[Any], sure: bool = False) -> bool:
    """Whether most tags of a sentence are outside of entities, or have a prefix; some of them,
    where their key says already what they are."""
    known = [tag for tag in tags if isinstance(tag, str)]
    fit = sum(is_prefixed(tag) or is_outside(tag) for tag in known)
    if sure:
        return fit > 0
    return fit > _FEW_TAGS * len(known) and not all(tag in ("-", "_") for tag in known)
