"""Takes out of tags and labels what nobody sees in them, and would make others of them."""

from __future__ import annotations

import re
from functools import lru_cache

UNSEEN = "blanks or invisible characters in a label"

# Joiners are of a word's spelling in some scripts, but not at its ends.
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u2060\ufeff]+")
_ENDS = re.compile(r"^[\s\u200c\u200d]+|[\s\u200c\u200d]+$")
_PARTED = re.compile(r"([A-Za-z])\s*([-_])\s*(?=\S)")


@lru_cache(maxsize=10_000)
def clean_label(label: str) -> str:
    """A label without invisible characters, and without white space at its ends; as it is if it is
    nothing else."""
    return _ENDS.sub("", _INVISIBLE.sub("", label)) or label


@lru_cache(maxsize=10_000)
def clean_tag(tag: str) -> str:
    """A tag as `clean_label` cleans it, and without blanks beside what parts letter and label:
    "B- PER" is "B-PER"."""
    cleaned = clean_label(tag)
    match = _PARTED.match(cleaned)
    return f"{match[1]}{match[2]}{cleaned[match.end() :]}" if match else cleaned
