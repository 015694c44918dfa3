"""Folders that are there whole or not at all, whenever the process or the machine stops."""

import ctypes
import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

DRAFT, OLD = ".tmp", ".old"

AT_FDCWD = -100
RENAME_EXCHANGE = 2


def write_folder(target: Path, fill: Callable[[Path], None]) -> None:
    """Write a folder; one that is there already is replaced when the new one is on the disk.

    fill: makes the folder that it is given, and the files in it.

    Raises OSError if it cannot be written; then the old one is as it was.
    """
    # A link is followed: moving a folder onto it would replace the link itself.
    target = Path(os.path.realpath(target))
    draft = _hidden(target, DRAFT)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(draft, ignore_errors=True)
    try:
        fill(draft)
        for path in (*draft.rglob("*"), draft):
            _sync(path)
        _put_in_place(draft, target)
        _sync(target.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def remove_folder(target: Path) -> None:
    """Remove a folder so that no part of it is ever there under its name."""
    if target.exists():
        old = _hidden(target, DRAFT)
        shutil.rmtree(old, ignore_errors=True)
        target.rename(old)
        shutil.rmtree(old)


def remove_leftovers(folder: Path, names: str) -> None:
    """Remove what a kill within `write_folder` or `remove_folder` has left in a folder.

    names: a pattern that the names of the folders fit which are written there. Others may have
        hidden files of their own.
    """
    for old in folder.glob(f".{names}{OLD}"):
        target = folder / old.name[1 : -len(OLD)]
        if not target.exists():
            old.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    for draft in folder.glob(f".{names}{DRAFT}"):
        shutil.rmtree(draft, ignore_errors=True)


def _put_in_place(draft: Path, target: Path) -> None:
    if not target.exists():
        draft.rename(target)
    elif not _exchanged(draft, target):
        old = _hidden(target, OLD)
        shutil.rmtree(old, ignore_errors=True)
        target.rename(old)
        draft.rename(target)
        shutil.rmtree(old, ignore_errors=True)


def _exchanged(draft: Path, target: Path) -> bool:
    """Let two folders change places at once, where the system and its file system can."""
    rename = _renameat2()
    if rename is None:
        return False
    paths = AT_FDCWD, os.fsencode(draft), AT_FDCWD, os.fsencode(target)
    return rename(*paths, RENAME_EXCHANGE) == 0


@cache
def _renameat2() -> Callable[..., int] | None:
    if os.name != "posix":
        return None
    return getattr(ctypes.CDLL(None), "renameat2", None)


def _hidden(target: Path, suffix: str) -> Path:
    return target.with_name(f".{target.name}{suffix}")


def _sync(path: Path) -> None:
    # Windows cannot open folders.
    if path.is_dir() and os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
