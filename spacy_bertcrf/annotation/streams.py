"""The bytes of a file, whatever it is compressed by."""

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from spacy_bertcrf.annotation.inputs import InputFile

if TYPE_CHECKING:
    from types import ModuleType

CHUNK = 1 << 20


@contextmanager
def open_stream(file: InputFile, digest: Any = None) -> Iterator[BinaryIO]:
    """Open a file for a with block, and see it uncompressed.

    digest: a hash of hashlib's, updated by what is read of the file as it lies on the disk.

    Raises ValueError if the file is cut off, or not compressed as its suffix says, and ImportError
    if a .zst file is to be read without pyarrow.
    """
    with ExitStack() as opened, _whole(file):
        if file.compression and not file.path.stat().st_size:
            raise ValueError(f"{file.name} is empty, which no compressed file is: it was cut off.")
        stored: Any = opened.enter_context(file.path.open("rb", buffering=0))
        if digest is not None:
            stored = _Digested(stored, digest)
        stored = opened.enter_context(io.BufferedReader(stored, CHUNK))
        if file.compression == ".gz":
            stored = opened.enter_context(gzip.open(stored, "rb"))
        elif file.compression == ".zst":
            unpacked = import_pyarrow().input_stream(stored, compression="zstd")
            stored = opened.enter_context(io.BufferedReader(unpacked, CHUNK))
        yield cast(BinaryIO, stored)


def file_digest(file: InputFile) -> str:
    """The SHA-256 of a file."""
    digest = hashlib.sha256()
    with file.path.open("rb") as opened:
        while data := opened.read(CHUNK):
            digest.update(data)
    return digest.hexdigest()


def import_pyarrow() -> "ModuleType":
    """Raises ImportError, with the extra to install, if there is no pyarrow."""
    try:
        import pyarrow
    except ImportError as error:
        raise ImportError(
            "Parquet and .zst files are read and written by pyarrow. Install it: "
            "pip install 'spacy-bertcrf[parquet]'"
        ) from error
    return pyarrow


@contextmanager
def _whole(file: InputFile) -> Iterator[None]:
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{file.name} is no whole gzip file: {error}.") from error
    except OSError as error:
        # What the system refuses has a number, what pyarrow finds in the bytes has none.
        if file.compression != ".zst" or error.errno is not None:
            raise
        raise ValueError(f"{file.name} is no whole Zstandard file: {error}.") from error


class _Digested(io.RawIOBase):
    def __init__(self, raw: Any, digest: Any):
        self._raw, self._digest = raw, digest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        n: int = self._raw.readinto(buffer)
        self._digest.update(memoryview(buffer)[:n])
        return n
