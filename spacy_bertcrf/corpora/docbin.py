"""Writes .spacy files, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from spacy.tokens import Doc, DocBin

from spacy_bertcrf.corpora.packing import PackedDocs

Content = Iterable[Doc] | tuple[PackedDocs, Sequence[int]]


def write_docbins(files: Mapping[Path, Content]) -> None:
    """Write .spacy files with tokens and entities.

    All of them are written beside their places first and moved there afterwards, so that a run
    that fails or is stopped leaves the files that were there as they were.

    files: the Docs of each file, or packed Docs and which of them; folders are made as needed.

    Raises OSError if a file cannot be written.
    """
    # A link is followed: moving a file onto it would replace the link itself.
    targets = {Path(os.path.realpath(path)): docs for path, docs in files.items()}
    written: dict[Path, Path] = {}
    try:
        for target, docs in targets.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
            written[draft] = target
            with draft.open("wb") as file:
                _write(file, docs)
                file.flush()
                os.fsync(file.fileno())
        for draft, target in written.items():
            draft.replace(target)
    finally:
        for draft in written:
            draft.unlink(missing_ok=True)


def _write(file: BinaryIO, content: Content) -> None:
    if isinstance(content, tuple):
        packed, indices = content
        packed.write(file, indices)
    else:
        file.write(DocBin(attrs=["ENT_IOB", "ENT_TYPE"], docs=content).to_bytes())
