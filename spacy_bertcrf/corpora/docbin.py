"""Writes Docs to .spacy files, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from spacy.tokens import Doc, DocBin


def write_docbins(files: Mapping[Path, Iterable[Doc]]) -> None:
    """Write a DocBin a file with tokens and entities.

    All of them are written beside their places first and moved there afterwards, so that a run
    that fails or is stopped leaves the files that were there as they were.

    files: the Docs of each file; folders are made as needed.

    RAISES: OSError, if a file cannot be written.
    """
    # A link is followed: moving a file onto it would replace the link itself.
    targets = {Path(os.path.realpath(path)): docs for path, docs in files.items()}
    written: dict[Path, Path] = {}
    try:
        for target, docs in targets.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
            written[draft] = target
            _write(draft, docs)
        for draft, target in written.items():
            draft.replace(target)
    finally:
        for draft in written:
            draft.unlink(missing_ok=True)


def _write(path: Path, docs: Iterable[Doc]) -> None:
    content = DocBin(attrs=["ENT_IOB", "ENT_TYPE"], docs=docs).to_bytes()
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
