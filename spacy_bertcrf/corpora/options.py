"""What a user may say about a corpus instead of leaving it to be found out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Options:
    """Settings of formats. Each names those that it uses in `Format.options`; None is not given.

    lang: language code.
    scheme: tag scheme, one of ``tagging.repair.FILE_SCHEMES``.
    token_column, tag_column: columns from 1, or from -1 for the last.
    label: label of entities where the file names none.
    labels: names whose numbers, from 0, are the file's tags or labels.
    classes: names of the categories whose numbers, from 0, are the labels of texts.
    annotations: which of several annotations of a text counts: "first", "agreed" (what all say) or
        "union" (what any says).
    text_key: the key of the text, where a file has several that could be it.
    ends: whether the ends of entities are "inclusive" or "exclusive", where a file does not tell.
    locate: which places count of an entity that has no offsets and whose text is in several: "all"
        or "first".
    """

    lang: str | None = None
    scheme: str | None = None
    token_column: int | None = None
    tag_column: int | None = None
    label: str | None = None
    labels: Sequence[str] | None = None
    classes: Sequence[str] | None = None
    annotations: str | None = None
    text_key: str | None = None
    ends: str | None = None
    locate: str | None = None

    def given(self) -> set[str]:
        """The names of those that are given; the language is every format's."""
        return {
            field.name
            for field in fields(self)
            if field.name != "lang" and getattr(self, field.name) is not None
        }
