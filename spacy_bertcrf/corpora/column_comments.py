"""Tells comments of column files from tokens that begin with # too, such as #MeToo."""

from __future__ import annotations

import re
from collections.abc import Sequence

from spacy_bertcrf.corpora.column_layout import Layout

_KEY_AND_VALUE = re.compile(r"#+ *[\w.:-]+ = |# +[\w.:-]+ *=|# (newdoc|newpar)\b")
_DOCUMENT = re.compile(r"#(begin|end) document\b")
_TAG = re.compile(r"O|[BIESMLU]-.+", re.DOTALL)
_HASHTAG = re.compile(r"#\w[^\s:=]*")


def is_comment(layout: Layout, columns: Sequence[str], line: str) -> bool:
    """Whether a line before a sentence, that begins with #, is a comment: it has no tag, or is
    ``# key = value``. What begins as a hashtag does may be a token that lost its tag."""
    if _KEY_AND_VALUE.match(line):
        return True
    return not _is_tagged(layout, columns) and not is_untagged_hashtag(layout, columns, line)


def is_untagged_hashtag(layout: Layout, columns: Sequence[str], line: str) -> bool:
    """Whether a line is a hashtag without a tag, as far as one line shows: a heading may look so
    too."""
    if _is_tagged(layout, columns) or not _HASHTAG.fullmatch(columns[0]):
        return False
    is_cell = len(columns) < layout.width or "\t" in line
    return is_cell and not _DOCUMENT.match(line)


def _is_tagged(layout: Layout, columns: Sequence[str]) -> bool:
    """Whether a line has a tag where tags are, or last where it has a column too many or too
    few."""
    if layout.fits(columns):
        return layout.style.position == "nowhere" or bool(_TAG.fullmatch(layout.tag(columns)))
    is_far = len(columns) > layout.width + 1 or columns[0].endswith(":")
    if layout.names is not None or is_far:
        return False
    cells = {*columns[layout.tag_at : layout.tag_at + 1], columns[-1]} - {columns[0]}
    style = layout.style
    return any(cell in style.outside or style.split(cell) is not None for cell in cells)
