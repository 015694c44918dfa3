"""Tells tags of entities from parts of speech and whatever else stands behind words, and from words
themselves."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from spacy_bertcrf.corpora.tagged_tokens import is_prefixed
from spacy_bertcrf.tagging.tag_style import TagStyle, find_style

_PLAIN_TAG = re.compile(r"O|[BIESMLU][-_]\S+")
_NEARLY_ALL = 0.9
_MOST_LABELS = 40
_WORDS_FOR_OUTSIDE = frozenset({"O", "o", "0", "OTHER", "Other", "other"})


def are_tags(tags: Counter[str]) -> bool:
    """Whether these are tags of entities: B- and I- of labels, in whatever way they are written, or
    labels of which most tokens have none."""
    try:
        style = find_style(tags)
    except ValueError:
        return False
    outside = sum(tags[tag] for tag in style.outside)
    rest = {tag: count for tag, count in tags.items() if tag not in style.outside}
    if not rest:
        # Nothing but O says little; it may be an O of something else.
        return outside > 0 and style == TagStyle()
    if any(map(is_prefixed, rest)) or style.position in ("before", "after", "alone"):
        parted = sum(count for tag, count in rest.items() if style.split(tag))
        return 2 * parted > sum(rest.values())
    known = any(tag in _WORDS_FOR_OUTSIDE for tag in style.outside & tags.keys())
    return known and len(rest) <= _MOST_LABELS and outside >= max(rest.values())


def are_only_tags(words: Iterable[str]) -> bool:
    """Whether what stands in the place of words is tags itself: the words are in another file, or
    nowhere, as in a list of tags."""
    counts = Counter(words)
    tags = {word: count for word, count in counts.items() if _PLAIN_TAG.fullmatch(word)}
    return any(map(is_prefixed, tags)) and sum(tags.values()) >= _NEARLY_ALL * counts.total()


def is_tag_list(rows: Iterable[Sequence[str]]) -> bool:
    """Whether the cells of lines are a list of tags: one a line, none twice, with nothing but
    numbers beside them."""
    listed = []
    for row in rows:
        tags = [cell for cell in row if _PLAIN_TAG.fullmatch(cell)]
        if len(tags) != 1 or not all(cell.isdecimal() for cell in row if cell != tags[0]):
            return False
        listed += tags
    return any(map(is_prefixed, listed)) and len(set(listed)) == len(listed)
