"""Decodes text files, and says where their bytes are wrong; reads their lines, whatever ends
them."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from pathlib import Path

from spacy_bertcrf.corpora.encoding_choices import encodings_of

MARK = "\ufeff"

_LINE_END = re.compile(r"\r\n|\r|\n")
# UTF-32's begins with UTF-16's.
_MARKS = {
    codecs.BOM_UTF8: "utf8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_COMMON_HAN = re.compile("[\u4e00-\u9fff\u3000-\u3017\uff01-\uff5e\u2014-\u2026]")
_DECLARED = re.compile(rb"""\s*<\?xml[^>]{0,100}?encoding\s*=\s*["']([A-Za-z][\w.-]*)["']""")
_UTF_8_CHAR = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
# Letters and signs of Western European languages; those of Polish, Czech or Turkish text, which
# Latin-1 reads as others, are not among them.
_WESTERN = re.compile("[À-ÏÑ-ÖØ-Üß-ïñ-öø-üÿŒœ\u00a0¡¿«»‹›“”„‘’‚–—…°ºª§€£·´`]")
_FREQUENT = frozenset(
    "的一是了不在有人国和中大为上个我以要他时来用们生到作地于出会可也你对就里如年发成民部经同现"
    "所自面行方说种过命度学者而多子后动去主法能得家那好下工之点开新本理定化分部全市月日公"
)
_MOST = 0.9
_NEARLY_ALL = 0.97
_FEW = 0.3
_MANY = 0.8
_SOME = 0.03
_ENOUGH_HAN = 20
# What Latin-1 makes of ő and ű; õ before e is Portuguese. And letters of languages that have both.
_LIKE_HUNGARIAN = re.compile("[ÕÛõû](?!e)")
_NOT_HUNGARIAN = "ãâêàèçîôäÃÂÊÀÈÇÎÔÄ"


def read_lines(path: Path, encoding: str = "utf8") -> list[str]:
    """Read a file's lines without their ends, which are LF, CRLF or a lone CR.

    Nothing else ends a line: U+2028, U+0085 and the like may stand inside a token. A byte-order
    mark at the start is dropped.

    path: the file.
    encoding: name of its encoding.

    Returns the lines; the first has number 1 in messages. Raises ValueError if there is no such
    file or encoding or the bytes are in another one, OSError if the file cannot be read.
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder. Name the file in it that is to be converted.")
    if not path.exists():
        raise ValueError(f"There is no file {path}. Check the path and the working directory.")
    lines = _LINE_END.split(decode(path, path.read_bytes(), encoding).removeprefix(MARK))
    return lines if lines[-1] else lines[:-1]


def decode(path: Path, data: bytes, encoding: str) -> str:
    """Decode a file's bytes.

    path: the file, for messages.
    data: its bytes.
    encoding: name of the encoding.

    Returns the text, with its line ends and byte-order marks. Raises ValueError if there is no
    such encoding or the bytes are in another one: with the line, and the encoding to try.
    """
    try:
        return data.decode(encoding)
    except LookupError:
        raise ValueError(
            f"There is no text encoding {encoding!r}. Common ones are utf8, gb18030, big5 and "
            f"utf-16."
        ) from None
    except UnicodeError as err:
        raise ValueError(_why_not(path, data, encoding, getattr(err, "start", 0))) from None


def sure_encoding(data: bytes) -> str | None:
    """The encoding of bytes that are no UTF-8, where they leave no doubt: that which an XML
    declaration or byte-order mark says; GB18030 that is common Chinese; Western European letters.
    None where it is open, and where most of it is UTF-8, of which some bytes are broken."""
    declared = _DECLARED.match(data)
    said = declared[1].decode("ascii") if declared else wide_mark(data)
    if said is not None:
        return said if _decodes(data, said) else None
    high = len(re.findall(rb"[\x80-\xff]", data))
    if sum(map(len, _UTF_8_CHAR.findall(data))) > _FEW * high:
        return None
    likely = _likely_encoding(data)
    if likely == "gb18030":
        return likely if high >= _ENOUGH_HAN else None
    return likely if likely in ("latin-1", "cp1252") else None


def wide_mark(data: bytes) -> str | None:
    """The encoding whose byte-order mark the bytes begin with: "utf-32" or "utf-16"; else None."""
    marked = next((name for mark, name in _MARKS.items() if data.startswith(mark)), None)
    return None if marked == "utf8" else marked


def _why_not(path: Path, data: bytes, encoding: str, position: int) -> str:
    line = len(re.findall(rb"\r\n|\r|\n", data[:position])) + 1
    found = data[position : position + 1].hex().upper() or "end of file"
    likely = _likely_encoding(data)
    if likely:
        mend = f"The whole file can be read with --encoding {likely}."
    elif _is_mostly_utf_8(data):
        mend = "Nearly all of the file is utf8: mend that byte."
    else:
        choices = encodings_of(data, position)
        named = f" Which it is in is not known; it may be {', '.join(choices)}." if choices else ""
        mend = f"Name its encoding with --encoding, or mend the byte.{named}"
    return f"{path}:{line}: byte {position} (0x{found}) is not {encoding}. {mend}"


def _likely_encoding(data: bytes) -> str | None:
    """The encoding that the bytes are most probably in; None where that is open."""
    marked = [name for mark, name in _MARKS.items() if data.startswith(mark)]
    fitting = next((name for name in (*marked, "utf8") if _decodes(data, name)), None)
    if fitting is not None:
        return fitting
    if _is_gbk(data):
        return "gb18030"
    high = len(re.findall(rb"[\xc0-\xff]", data))
    # Western European text has a few letters beyond ASCII; Russian or Greek has nearly all there.
    if high > _FEW * len(re.findall(rb"[A-Za-z]", data)):
        return None
    return next((name for name in ("latin-1", "cp1252") if _is_western(data, name)), None)


def _is_gbk(data: bytes) -> bool:
    """Whether GBK reads the bytes as Chinese with common characters. It reads nearly any bytes:
    Latin-1's "Müller" as "M黮ler", Russian in bytes of its own as rare characters."""
    try:
        text = data.decode("gb18030")
    except UnicodeError:
        return False
    foreign = [char for char in text if not char.isascii()]
    common = sum(bool(_COMMON_HAN.match(char)) and _is_common(char) for char in foreign)
    # Korean in bytes of its own are common characters too, but not those that Chinese is full of.
    frequent = sum(char in _FREQUENT for char in foreign)
    return common >= _MOST * len(foreign) and 10 * frequent >= len(foreign)


def _is_common(char: str) -> bool:
    """Whether a character is among GB2312's signs or the 3,755 characters of its first level."""
    try:
        return char.encode("gb2312")[0] < 0xD8
    except UnicodeError:
        return False


def _is_western(data: bytes, encoding: str) -> bool:
    """Whether an encoding reads the bytes as letters of Western European languages, without control
    characters. It reads Hungarian in bytes of its own so too, "Győr" as "Gyõr"."""
    if not _decodes(data, encoding):
        return False
    text = data.decode(encoding)
    letters = Counter(char for char in text if not char.isascii())
    known = sum(count for letter, count in letters.items() if _WESTERN.match(letter))
    if known < _NEARLY_ALL * letters.total() or re.search("[\x80-\x9f]", text):
        return False
    hungarian = len(_LIKE_HUNGARIAN.findall(text))
    others = sum(letters[letter] for letter in _NOT_HUNGARIAN)
    return hungarian < _SOME * letters.total() or 4 * others > hungarian


def _is_mostly_utf_8(data: bytes) -> bool:
    """Whether most bytes beyond ASCII are characters of UTF-8."""
    high = len(re.findall(rb"[\x80-\xff]", data))
    return sum(map(len, _UTF_8_CHAR.findall(data))) >= _MANY * high


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeError:
        return False
    return True
