"""The files of a corpus: found in folders and by globs, decompressed, decoded, cut into lines."""

from __future__ import annotations

import bz2
import glob
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from spacy_bertcrf.corpora.lines import MARK, decode, sure_encoding, wide_mark

_PACKED: dict[bytes, tuple[str, Callable[[bytes], bytes]]] = {
    b"\x1f\x8b": ("gzip", gzip.decompress),
    b"BZh": ("bzip2", bz2.decompress),
    b"\xfd7zXZ\0": ("xz", lzma.decompress),
}
_PACKED_SUFFIX = re.compile(r"\.(gz|bz2|xz)$")
_BINARY = (
    *(b"ARROW1\0\0", b"SQLite format 3\0", b"PK\x03\x04"),
    *(b"\x78\x9c", b"\x78\xda", b"\x78\x01"),
)
_PARQUET = b"PAR1"  # at both ends; it is the name of a gene too
_INNER_MARK = re.compile(f"(?:\r\n|\r|\n){MARK}(?![\t ])")
_SEEN = 8192
_BLOCK = 1 << 20


class Source:
    """One file, or a folder that is one corpus.

    path: the file or folder; in messages.
    encoding: name of its encoding, if it is a text; "utf8" is what nobody said otherwise of, and
        gives way to what the bytes show beyond doubt.
    data: its bytes, where they are not read from `path`.
    is_named: whether the user named it, rather than its folder.
    seen: what was found out about it and is asked for again, until it is released.
    """

    def __init__(
        self,
        path: Path,
        encoding: str = "utf8",
        data: bytes | None = None,
        is_named: bool = True,
    ) -> None:
        self.path = path
        self.encoding = encoding
        self.is_named = is_named
        self._other_encoding: str | None = None
        self.seen: dict[str, Any] = {}
        if data is not None:
            self.data = data

    @property
    def name(self) -> str:
        """The file's name without ``.gz``, ``.bz2`` or ``.xz``."""
        return _PACKED_SUFFIX.sub("", self.path.name)

    @property
    def suffix(self) -> str:
        """What the name ends with, in small letters, but for ``.gz`` and the like: ".json"."""
        return Path(self.name).suffix.lower()

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder: then it has no bytes and no text."""
        return "data" not in self.__dict__ and self.path.is_dir()

    @property
    def is_in_memory(self) -> bool:
        """Whether its bytes are in memory, or have to be, for they are compressed."""
        return "data" in self.__dict__ or bool(_PACKED_SUFFIX.search(self.path.name))

    @cached_property
    def head(self) -> bytes:
        """The first bytes, decompressed; raises as `data` does."""
        if not self.is_in_memory:
            with self.path.open("rb") as file:
                first = file.read(_SEEN)
            if not first.startswith(tuple(_PACKED)):
                return first
        return self.data[:_SEEN]

    @cached_property
    def data(self) -> bytes:
        """The bytes, decompressed. Raises OSError if they cannot be read, ValueError if they are
        a broken gzip, bzip2 or xz file."""
        data = self.path.read_bytes()
        for mark, (name, decompress) in _PACKED.items():
            if data.startswith(mark):
                try:
                    return decompress(data)
                except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as err:
                    raise ValueError(f"{self.path} is a broken {name} file: {err}") from None
        return data

    @cached_property
    def is_text(self) -> bool:
        """Whether it looks like a text, in whatever encoding."""
        if self.is_folder or self.head.startswith(_BINARY):
            return False
        if self.head.startswith(_PARQUET) and self.data.endswith(_PARQUET):
            return False
        wide = "16" in self.encoding or "32" in self.encoding or wide_mark(self.head)
        return bool(wide) or b"\0" not in self.head

    @property
    def other_encoding(self) -> str | None:
        """The encoding that `text` is read in since the bytes show it beyond doubt, where they are
        not UTF-8 and nobody named one."""
        self.text  # noqa: B018  # finds it out
        return self._other_encoding

    @cached_property
    def text(self) -> str:
        """The text as the file has it, with its line ends, without a byte-order mark before it.
        Raises ValueError, with the line and the encoding to try, if the bytes are in another."""
        self._other_encoding = None
        try:
            text = self.data.decode(self.encoding)
        except (LookupError, UnicodeError):
            if self.encoding == "utf8":
                self._other_encoding = sure_encoding(self.data)
            text = decode(self.path, self.data, self._other_encoding or self.encoding)
        return text.removeprefix(MARK)

    def lines(self) -> Iterator[str]:
        """The lines without their ends, which are LF, CRLF or a lone CR, and nothing else. A
        byte-order mark before a line, where two files were joined, is left out; one that a tab or
        space follows is a token of its own."""
        marks = MARK in self.text
        for block in _blocks(self.text):
            for line in io.StringIO(block, newline=None):
                bare = line.removesuffix("\n")
                yield bare.removeprefix(MARK) if marks and bare[1:2] not in ("\t", " ") else bare

    def inner_marks(self) -> list[int]:
        """The lines, from 1, before which `lines` leaves out a byte-order mark."""
        return [
            len(re.findall(r"\r\n|\r|\n", self.text[: match.end()])) + 1
            for match in _INNER_MARK.finditer(self.text)
        ]

    def nul_lines(self) -> list[int]:
        """The lines, from 1, that have a NUL character."""
        if "\0" not in self.text:
            return []
        return [number for number, line in enumerate(self.lines(), start=1) if "\0" in line]

    def release(self) -> None:
        """Forget bytes and text that can be read again, and what was seen in them."""
        self.seen.clear()
        self.__dict__.pop("text", None)
        if self.path.is_file():
            self.__dict__.pop("data", None)


def _blocks(text: str) -> Iterator[str]:
    """A text in pieces that end with a line: StringIO takes four bytes a character."""
    at = 0
    while at < len(text):
        end = text.find("\n", at + _BLOCK) + 1 or len(text)
        yield text[at:end]
        at = end


def find_sources(
    inputs: Iterable[Path | str | Source],
    encoding: str = "utf8",
    of_folder: Callable[[Path], list[Path] | None] = lambda folder: None,
    main_file: Callable[[Path], Path] = lambda path: path,
    without: Path | None = None,
) -> list[Source]:
    """Find the files that a user named.

    inputs: files, folders and globs, or sources. Of a folder, all files in it and below it are
        taken, in the order of their names, but for hidden ones.
    encoding: encoding of those that are texts.
    of_folder: which files of a folder are a corpus's, where a format knows; else None.
    main_file: the file, or folder, to read in place of one that is read along with it.
    without: a file or folder that is not taken from folders and globs: the one to be written.

    Returns the sources, each file once. Raises ValueError if there is no such file, or none in a
    folder.
    """
    found: dict[Path, Source] = {}
    for given in inputs:
        if isinstance(given, Source):
            found[given.path] = given
            continue
        paths = _expand(Path(given))
        for path in paths:
            main = path if path.is_dir() else main_file(path)
            files = (of_folder(main) or files_in(main)) if main.is_dir() else [main]
            if not files:
                raise ValueError(f"The folder {path} holds no file.")
            for file in files:
                is_named = path == Path(given) and not path.is_dir()
                if is_named or without is None or without not in (file, *file.parents):
                    found.setdefault(file, Source(file, encoding, is_named=is_named))
    if not found:
        raise ValueError(f"There is no file to read but {without}, the one to be written.")
    return list(found.values())


def files_in(folder: Path) -> list[Path]:
    """The files in a folder and below it, in the order of their names, but for hidden ones."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _expand(given: Path) -> list[Path]:
    if given.exists():
        return [given]
    matches = sorted(Path(match) for match in glob.glob(str(given), recursive=True))
    if matches:
        return matches
    if glob.has_magic(str(given)):
        raise ValueError(f"No file matches {given}. Check the pattern and the working directory.")
    raise ValueError(f"There is no file {given}. Check the path and the working directory.")
