"""Tells the language of a corpus where the user does not say it."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Their scripts write no spaces between words.
UNSPACED = ("bo", "ja", "km", "lo", "my", "th", "zh")

_HAN_OR_KANA = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


def is_unspaced(char: str) -> bool:
    """Whether a character is of Chinese or Japanese, where words are not parted by spaces."""
    return bool(_HAN_OR_KANA.match(char))


def guess_language(pieces: Iterable[str]) -> str:
    """Tell Chinese from languages that write spaces.

    pieces: tokens or texts.

    Returns "zh" if most of those with letters have Chinese ones (or kana), else "en".
    """
    east_asian = with_letters = 0
    for piece in pieces:
        east_asian += bool(_HAN_OR_KANA.search(piece))
        with_letters += any(map(str.isalpha, piece))
    return "zh" if 2 * east_asian > with_letters else "en"
