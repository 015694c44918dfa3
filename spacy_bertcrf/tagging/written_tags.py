"""Writes entity spans as tag strings, in any of the schemes of files."""

from __future__ import annotations

from collections.abc import Iterable

from spacy_bertcrf.tagging.repair import check_scheme

# First, inner, last and only token of an entity.
_LETTERS = {
    "BIO": ("B", "I", "I", "B"),
    "BIOES": ("B", "I", "E", "S"),
    "BMES": ("B", "M", "E", "S"),
    "BIOS": ("B", "I", "I", "S"),
    "BILOU": ("B", "I", "L", "U"),
}


def write_tags(spans: Iterable[tuple[int, int, str]], length: int, scheme: str) -> list[str]:
    """Write spans as tags.

    spans: (start, end, label) in token offsets, end exclusive, without overlaps, in reading order.
    length: the number of tokens.
    scheme: one of `repair.FILE_SCHEMES`. IO joins neighbours of one label.

    Returns a tag a token. Raises ValueError if there is no such scheme.
    """
    scheme = check_scheme(scheme)
    tags = ["O"] * length
    for start, end, label in spans:
        if scheme in ("IO", "IOB1"):
            tags[start:end] = [f"I-{label}"] * (end - start)
            if scheme == "IOB1" and start and tags[start - 1][2:] == label:
                tags[start] = f"B-{label}"
            continue
        first, inner, last, only = _LETTERS[scheme]
        size = end - start
        letters = [only] if size == 1 else [first, *[inner] * (size - 2), last]
        tags[start:end] = [f"{letter}-{label}" for letter in letters]
    return tags
