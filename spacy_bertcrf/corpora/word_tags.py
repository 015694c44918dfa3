"""Tells tags of entities from parts of speech and whatever else stands behind words."""

from __future__ import annotations

from collections import Counter

from spacy_bertcrf.corpora.tagged_tokens import is_prefixed
from spacy_bertcrf.tagging.tag_style import TagStyle, find_style

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
