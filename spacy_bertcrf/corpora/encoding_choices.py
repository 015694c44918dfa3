"""The encodings that bytes may be in, where they leave it open, with what each makes of them."""

from __future__ import annotations

import re
import unicodedata

# Those of several bytes a character first, for they do not read what is in another by chance.
_CANDIDATES = (
    *("gb18030", "big5", "cp949", "shift_jis", "euc_jp"),
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "latin-1", "iso8859-2"),
)
_SHOWN = 16
_BYTES = 400
_SPACES = re.compile(r"\s+")
# What no text has, and an encoding makes of bytes that are none of its own.
_NO_TEXT = frozenset({"Cc", "Cn", "Co", "Cs"})


def encodings_of(data: bytes, position: int) -> list[str]:
    """The encodings that read all of the bytes as characters of texts, each with the text around a
    position: "big5 ('張 B-PER 三')". Those that read it alike are together."""
    found: dict[str, list[str]] = {}
    for name in _CANDIDATES:
        try:
            text = data.decode(name)
        except UnicodeError:
            continue
        foreign = {char for char in text if not char.isascii()}
        if any(unicodedata.category(char) in _NO_TEXT for char in foreign):
            continue
        found.setdefault(_sample(data, position, name), []).append(name)
    return [f"{' or '.join(names)} ({sample!r})" for sample, names in found.items()]


def _sample(data: bytes, position: int, encoding: str) -> str:
    """The beginning of the line with a position; no character of these encodings ends with a line
    end."""
    start = max(data.rfind(b"\n", 0, position), data.rfind(b"\r", 0, position)) + 1
    start = max(start, position - _SHOWN)
    text = data[start : start + _BYTES].decode(encoding, errors="ignore")
    return _SPACES.sub(" ", text).strip()[:_SHOWN]
