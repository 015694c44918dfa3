"""Files that are there whole or not at all, whenever the process or the machine stops."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

DRAFT = ".tmp"


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file to write in a with block; at its end it is on the disk and gets its name.

    Raises OSError, with the path, if it cannot be written.
    """
    # Another machine may have a process with the same number.
    draft = path.with_name(f".{path.name}.{uuid4().hex}{DRAFT}")
    try:
        with draft.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        # What fails in the middle of a file, as on a full disk, does not say in which.
        if error.filename is None and error.errno is not None:
            error.filename = str(path)
        raise
    finally:
        draft.unlink(missing_ok=True)


def remove_drafts(folder: Path) -> None:
    """Remove what a kill within `whole_file` has left in a folder."""
    for path in folder.iterdir():
        if is_draft(path):
            path.unlink(missing_ok=True)


def is_draft(path: Path) -> bool:
    """Whether a file is what a kill within `whole_file` has left."""
    return path.name.startswith(".") and path.name.endswith(DRAFT)
