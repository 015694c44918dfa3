"""Says what a file that is no text is, by its bytes, and how a text is had from it."""

from __future__ import annotations

import re

from spacy_bertcrf.corpora.sources import Source

_PICKLE = "a pickle, which is never loaded (save it as JSON)"
_MAGIC = {
    b"SQLite": "an SQLite database",
    b"%PDF-": "a PDF",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive (unpack it)",
    b"Rar!\x1a\x07": "a rar archive (unpack it)",
    b"\x28\xb5\x2f\xfd": "compressed with zstd (unpack it)",
    b"\x04\x22\x4d\x18": "compressed with lz4 (unpack it)",
    b"\x80\x02": _PICKLE,
    b"\x80\x03": _PICKLE,
    b"\x80\x04\x95": _PICKLE,
    b"\x80\x05\x95": _PICKLE,
    b"version https://git-lfs": "a pointer of Git LFS, in place of the file (git lfs pull)",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file (save it as CSV or text)",
}
_ZIP = b"PK\x03\x04"
# The folders in the zip archives of Office.
_OFFICE = {b"xl/": "an Excel table (save it as CSV)", b"word/": "a Word file (save it as text)"}
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffd]")
_TAR_AT, _TAR = 257, b"ustar"
_MOST = 0.9
_FEW = 0.05
_MANY = 0.1


def describe_bytes(source: Source) -> str | None:
    """Describe a file that begins as those of a known program do; None for any other."""
    if source.head.startswith(_ZIP):
        found = (what for name, what in _OFFICE.items() if name in source.data)
        return next(found, "a zip archive (unpack it)")
    if source.head[_TAR_AT:].startswith(_TAR):
        return "a tar archive (unpack it)"
    return next((what for mark, what in _MAGIC.items() if source.head.startswith(mark)), None)


def why_no_text(source: Source) -> str:
    """Describe a file that has bytes of no text: UTF-16 without a mark, or a text with a few."""
    head = source.head
    n_nul = head.count(0)
    even = head[::2].count(0)
    for count, name in ((n_nul - even, "utf-16-le"), (even, "utf-16-be")):
        if count >= _MOST * n_nul and count >= _MANY * len(head) and _is_text_in(head, name):
            return f"UTF-16 without its mark, as it looks (try --encoding {name})"
    if 0 < n_nul < _FEW * len(head):
        at = source.data.index(b"\0")
        line = len(re.findall(rb"\r\n|\r|\n", source.data[:at])) + 1
        return f"a text but for a NUL byte in line {line:,} (take it out)"
    return "a file that is no text"


def _is_text_in(head: bytes, encoding: str) -> bool:
    # The last character may be cut in two.
    text = head.decode(encoding, errors="replace").rstrip("\ufffd")
    return not _NO_TEXT.search(text)
