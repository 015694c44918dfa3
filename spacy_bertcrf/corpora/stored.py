"""A .spacy file with all that it stores, to be written again with other entities or in parts."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import spacy
from spacy.tokens import Doc, DocBin


class StoredDocs(NamedTuple):
    """The Docs of a .spacy file, and what it stores of them.

    attrs: the attributes of tokens, as a DocBin has them.
    has_user_data: whether it stores doc.user_data.
    """

    docs: list[Doc]
    attrs: Sequence[Any]
    has_user_data: bool

    def to_bytes(self, docs: Iterable[Doc]) -> bytes:
        """The content of a .spacy file with some of the Docs that stores as much of them."""
        # A DocBin sorts the attributes by their names, whatever it is given.
        stored = DocBin(store_user_data=self.has_user_data)
        stored.attrs = list(self.attrs)
        for doc in docs:
            stored.add(doc)
        return stored.to_bytes()


def read_stored(path: Path) -> StoredDocs:
    """Read a .spacy file.

    Raises ValueError if it is none.
    """
    if not path.is_file() or path.suffix != ".spacy":
        raise ValueError(f"{path} is no .spacy file. `bertcrf convert` makes them.")
    try:
        stored = DocBin().from_bytes(path.read_bytes())
        docs = list(stored.get_docs(spacy.blank("xx").vocab))
    except (zlib.error, ValueError, KeyError, TypeError) as err:
        raise ValueError(f"{path} is not a DocBin (a .spacy file): {err}.") from err
    has_user_data = any(data is not None for data in stored.user_data)
    return StoredDocs(docs, stored.attrs, has_user_data)
