"""The value that every room of the package hands on for an entity."""

from __future__ import annotations

from typing import NamedTuple

# The group of a Doc's spans that says which labels its tokens were annotated for, where these are
# not all: each span says so of its tokens and its label.
ANNOTATED_LABELS = "annotated_labels"


class EntitySpan(NamedTuple):
    """One labelled run of tokens; spans sort in reading order.

    start: index of the first token.
    end: index after the last token.
    label: the entity's label, e.g. ``"PER"``.
    """

    start: int
    end: int
    label: str
