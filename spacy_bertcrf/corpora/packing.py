"""Docs as arrays of their tokens: a corpus of millions of tokens in the memory that it needs."""

from __future__ import annotations

import zlib
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import srsly
from spacy.attrs import ENT_IOB, ENT_TYPE, ORTH, SENT_START, SPACY
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

_COLUMNS = [ORTH, ENT_IOB, ENT_TYPE, SENT_START, SPACY]
_NO_SPANS = b"\x90"
_VERSION = "0.1"
_BLOCK = 1 << 16


class DocCounts(NamedTuple):
    """What one Doc holds: tokens, those whose entity is not known, entities by label."""

    tokens: int
    missing: int
    entities: Counter[str]
    cats: dict[str, float]


class PackedDocs:
    """Docs with their tokens, entities, categories, sentences and spans, packed.

    A token takes 20 bytes here and 32 in the DocBin that spaCy reads; it is compressed as it is
    written, and never whole in memory.

    vocab: the vocabulary of all Docs that are added.
    """

    def __init__(self, vocab: Vocab) -> None:
        self.vocab = vocab
        self.cats: list[dict[str, float]] = []
        self._orths = array("Q")
        self._types = array("Q")
        self._iobs = array("B")
        self._starts = array("b")
        self._spaces = array("B")
        self._ends = array("Q", [0])
        self._spans: list[bytes] = []
        self._unknown_spaces: list[bool] = []
        self._span_strings: set[str] = set()

    def __len__(self) -> int:
        return len(self._ends) - 1

    def add(self, doc: Doc) -> None:
        """Append a Doc."""
        tokens = doc.to_array(_COLUMNS).reshape(-1, len(_COLUMNS))
        self._orths.frombytes(tokens[:, 0].tobytes())
        self._iobs.frombytes(tokens[:, 1].astype(np.uint8).tobytes())
        self._types.frombytes(tokens[:, 2].tobytes())
        self._starts.frombytes(tokens[:, 3].astype(np.int8).tobytes())
        self._spaces.frombytes(tokens[:, 4].astype(np.uint8).tobytes())
        self._ends.append(len(self._orths))
        self._unknown_spaces.append(doc.has_unknown_spaces)
        self.cats.append(doc.cats)
        self._spans.append(doc.spans.to_bytes() if doc.spans else _NO_SPANS)
        for group in doc.spans.values():
            self._span_strings.update(span.label_ for span in group)

    def counts(self) -> Iterator[DocCounts]:
        """What each Doc holds."""
        iobs, types = np.frombuffer(self._iobs, np.uint8), np.frombuffer(self._types, np.uint64)
        for index in range(len(self)):
            part = slice(self._ends[index], self._ends[index + 1])
            begins = types[part][iobs[part] == 3]
            labels = Counter(self.vocab.strings[label] for label in begins.tolist())
            size = part.stop - part.start
            missing = int((iobs[part] == 0).sum())
            yield DocCounts(size, missing, labels, self.cats[index])

    def docs(self, indices: Iterable[int] | None = None) -> Iterator[Doc]:
        """Unpack Docs, all or those of some indices."""
        chosen = list(range(len(self)) if indices is None else indices)
        for start in range(0, len(chosen), 1000):
            content = b"".join(self._docbin(chosen[start : start + 1000]))
            yield from DocBin().from_bytes(content).get_docs(self.vocab)

    def write(self, file: BinaryIO, indices: Sequence[int] | None = None) -> None:
        """Write a DocBin, as spaCy reads it.

        file: the file to write to.
        indices: which Docs, in this order; if None, all.
        """
        for block in self._docbin(range(len(self)) if indices is None else indices):
            file.write(block)

    def _docbin(self, indices: Sequence[int]) -> Iterator[bytes]:
        """The bytes of `DocBin.to_bytes`, block by block."""
        compressor = zlib.compressobj()
        for block in self._message(indices):
            if compressed := compressor.compress(block):
                yield compressed
        yield compressor.flush()

    def _message(self, indices: Sequence[int]) -> Iterator[bytes]:
        ends = np.frombuffer(self._ends, np.uint64).astype(np.int64)
        chosen = np.asarray(indices, dtype=np.int64)
        starts, lengths = ends[:-1][chosen], np.diff(ends)[chosen]
        total = int(lengths.sum())
        attrs = [ORTH, ENT_IOB, ENT_TYPE]
        if any(block.any() for block in self._blocks(self._starts, np.int8, starts, lengths)):
            attrs.append(SENT_START)
        order = [ORTH, *sorted(attrs[1:])]
        yield bytes([0x80 | 9])  # a map of nine
        yield _packed("version") + _packed(_VERSION) + _packed("attrs") + _packed(order)
        yield _packed("tokens") + _bytes_header(total * len(order) * 8)
        yield from self._token_rows(order, starts, lengths)
        yield _packed("spaces") + _bytes_header(total)
        for block in self._blocks(self._spaces, np.uint8, starts, lengths):
            yield block.tobytes()
        yield _packed("lengths") + _packed(lengths.astype(np.int32).tobytes())
        yield _packed("strings") + _packed(self._strings(starts, lengths))
        yield _packed("cats") + _packed([self.cats[i] for i in indices])
        flags = [{"has_unknown_spaces": self._unknown_spaces[i]} for i in indices]
        yield _packed("flags") + _packed(flags)
        yield _packed("span_groups") + _packed([self._spans[i] for i in indices])

    def _token_rows(
        self, attrs: list[int], starts: np.ndarray, lengths: np.ndarray
    ) -> Iterator[bytes]:
        columns = {
            ORTH: (self._orths, np.uint64),
            ENT_IOB: (self._iobs, np.uint8),
            ENT_TYPE: (self._types, np.uint64),
            SENT_START: (self._starts, np.int8),
        }
        blocks = [self._blocks(*columns[attr], starts, lengths) for attr in attrs]
        for parts in zip(*blocks, strict=True):
            yield np.stack([part.astype(np.uint64) for part in parts], axis=1).tobytes()

    def _blocks(
        self, values: array[Any], dtype: Any, starts: np.ndarray, lengths: np.ndarray
    ) -> Iterator[np.ndarray]:
        """The values of the chosen Docs' tokens, in blocks."""
        whole = np.frombuffer(values, dtype)
        block: list[np.ndarray] = []
        size = 0
        for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
            block.append(whole[start : start + length])
            size += length
            if size >= _BLOCK:
                yield np.concatenate(block)
                block, size = [], 0
        if block:
            yield np.concatenate(block)

    def _strings(self, starts: np.ndarray, lengths: np.ndarray) -> list[str]:
        hashes: set[int] = set()
        for values in (self._orths, self._types):
            for block in self._blocks(values, np.uint64, starts, lengths):
                hashes.update(np.unique(block).tolist())
        return sorted({self.vocab.strings[key] for key in hashes} | self._span_strings | {""})


def _packed(value: Any) -> bytes:
    return srsly.msgpack_dumps(value)


def _bytes_header(size: int) -> bytes:
    """msgpack's header of a byte string, by its specification; written apart so that the bytes
    need not be in memory at once."""
    if size < 1 << 32:
        return b"\xc6" + size.to_bytes(4, "big")
    raise ValueError(
        f"The corpus has {size / 2**30:.1f} GiB of tokens, and a .spacy file holds 4. Convert it "
        "in parts: spaCy reads a folder of .spacy files as one corpus."
    )
