"""Raw texts, streamed from files: a corpus may be larger than memory."""

import codecs
import glob
import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from spacy.tokens import DocBin
from spacy.vocab import Vocab

MAX_LINE_BYTES = 1 << 18
BLOCK = 1 << 20
JSON_SUFFIXES = (".json", ".jsonl")


class Texts:
    """The texts of some files; they are read again by every iteration.

    Of a UTF-8 text file each line is a text, of a `.spacy` file (DocBin) each Doc; either may be
    compressed by gzip (`.gz`). Lines without text are left out. Of a text file only a line is in
    memory, of a very long line a part; a DocBin is read as a whole.

    paths: the files.

    Iterating raises ValueError, with file and line, for what cannot be read.
    """

    def __init__(self, paths: Sequence[Path]):
        self.paths = list(paths)
        self._problems: dict[str, None] = {}

    @property
    def problems(self) -> list[str]:
        """What was odd, though it could be read, in the files that were iterated over."""
        return list(self._problems)

    def checksums(self) -> list[int]:
        """The CRC-32 of each file. Raises ValueError for one that cannot be read."""
        found = []
        for path in self.paths:
            check_file(path)
            checksum = 0
            with path.open("rb") as file:
                while block := file.read(BLOCK):
                    checksum = zlib.crc32(block, checksum)
            found.append(checksum)
        return found

    def __iter__(self) -> Iterator[str]:
        for path in self.paths:
            is_empty = True
            for text in self._read(path):
                if text.strip():
                    is_empty = False
                    yield text
            if is_empty:
                self._problems[f"{path} holds no text."] = None

    def _read(self, path: Path) -> Iterator[str]:
        check_file(path)
        if _kind(path) == ".spacy":
            yield from _read_docbin(path)
            return
        try:
            with _open(path) as file:
                yield from self._read_lines(path, file)
        except (EOFError, zlib.error, gzip.BadGzipFile) as err:
            raise ValueError(f"{path} is no whole gzip file: {err}.") from err

    def _read_lines(self, path: Path, file: BinaryIO) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8")()
        number, is_first_part = 1, True
        while data := file.readline(MAX_LINE_BYTES):
            is_whole = data.endswith(b"\n")
            if b"\0" in data:
                raise ValueError(f"{path}:{number}: a zero byte; this is no text file.")
            try:
                text = decoder.decode(data, final=is_whole)
            except UnicodeDecodeError as err:
                raise _not_utf8(path, number, err) from err
            if number == 1 and is_first_part:
                text = text.removeprefix("\ufeff")
            yield text.rstrip("\r\n")
            if not is_whole and is_first_part and len(data) == MAX_LINE_BYTES:
                what = (
                    f"{path}:{number}: a line of more than {MAX_LINE_BYTES:,} bytes, read in parts."
                )
                self._problems[what] = None
            number, is_first_part = (number + 1, True) if is_whole else (number, False)
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as err:
            raise _not_utf8(path, number, err) from err


def find_files(names: Sequence[str]) -> list[Path]:
    """The files that names and globs (`news/**/*.txt.gz`) stand for, each once.

    Raises ValueError if a name or glob stands for no file, or for one that holds no raw text.
    """
    found: dict[Path, None] = {}
    for name in names:
        if glob.has_magic(name) and not Path(name).exists():
            paths = list(map(Path, sorted(glob.glob(name, recursive=True))))
            paths = [path for path in paths if path.is_file()]
            if not paths:
                raise ValueError(f"No file matches {name}.")
        else:
            paths = [Path(name)]
        for path in paths:
            check_file(path)
            found[path] = None
    return list(found)


def check_file(path: Path) -> None:
    """Raise ValueError if a file is missing or, by its suffix, holds no raw text."""
    if not path.is_file():
        what = f"is a folder; give {path}/*" if path.is_dir() else "does not exist"
        raise ValueError(f"Input {path} {what}.")
    if _kind(path) in JSON_SUFFIXES:
        raise ValueError(
            f"Input {path} is JSON, whose keys would be read as text: give the .spacy file that "
            "`python -m spacy bertcrf convert` makes of it."
        )


def is_held_out(text: str, share: float) -> bool:
    """Whether a text belongs to the share that is not trained on.

    Its content decides, so that a text which occurs twice is not on both sides.
    """
    return zlib.crc32(text.encode("utf-8", "surrogatepass")) < share * 2**32


def _kind(path: Path) -> str:
    return path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix


def _open(path: Path) -> BinaryIO:
    # gzip's file is a BinaryIO in all but name.
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _read_docbin(path: Path) -> Iterator[str]:
    try:
        data = path.read_bytes()
        docs = DocBin().from_bytes(gzip.decompress(data) if path.suffix == ".gz" else data)
    except (zlib.error, gzip.BadGzipFile, EOFError, ValueError, KeyError, TypeError) as err:
        raise ValueError(f"Input {path} is not a DocBin (a .spacy file): {err}.") from err
    for doc in docs.get_docs(Vocab()):
        yield doc.text


def _not_utf8(path: Path, line: int, err: UnicodeDecodeError) -> ValueError:
    byte = err.object[err.start : err.start + 1].hex().upper()
    return ValueError(
        f"{path}:{line}: byte 0x{byte} is not UTF-8. Convert the file to UTF-8 (e.g. with iconv), "
        "or leave it out if it is no text."
    )
