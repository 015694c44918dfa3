"""Wordpieces of Docs, and which of them belong to which token."""

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from spacy.attrs import IDX, LENGTH, ORTH, SPACY
from spacy.tokens import Doc

from spacy_bertcrf.models.bert.wordpiece_cache import WordpieceCache

ALIGNMENTS = ("token", "text")
MAX_CACHED_BYTES = 32_000_000
SENTENCEPIECE_SPACE = "\N{LOWER ONE EIGHTH BLOCK}"
PIECE = np.dtype(np.int32)


class Wordpieces(NamedTuple):
    """The wordpieces of a batch of Docs, without special tokens.

    ids: (n_pieces,) int64, those of all Docs one after the other.
    doc_lengths: (n_docs,) int64, wordpieces of each Doc.
    starts, ends: (n_tokens,) int64, the range in `ids` that belongs to each token of all Docs,
        end exclusive. Empty for a token without wordpieces; neighbours may share a piece.
    """

    ids: np.ndarray
    doc_lengths: np.ndarray
    starts: np.ndarray
    ends: np.ndarray


class WordpieceTokenizer:
    """Makes the wordpieces of Docs with a Hugging Face tokenizer.

    tokenizer: fast or slow.
    alignment: "token" tokenises every spaCy token for itself, "text" the whole text, with
        offsets that say which wordpiece belongs to which tokens.

    Any number of threads may use it at a time. The wordpieces of tokens are remembered, in
    MAX_CACHED_BYTES at most; those of tokens that are met first inside of `nlp.memory_zone()` are
    not, so that they leave nothing behind, as in spaCy's own vocabulary.

    Raises ValueError for another alignment, and for "text" with a slow tokenizer.
    """

    def __init__(self, tokenizer: Any, alignment: str):
        if alignment not in ALIGNMENTS:
            raise ValueError(f"alignment is '{alignment}'; it can be {' or '.join(ALIGNMENTS)}.")
        if alignment == "text" and not tokenizer.is_fast:
            raise ValueError(
                f"{type(tokenizer).__name__} is a slow tokenizer and does not say where in the "
                'text its wordpieces are. Set alignment = "token".'
            )
        self.tokenizer = tokenizer
        self.alignment = alignment
        self.prefix, self.suffix = _special_ids(tokenizer)
        self.pad_id: int = tokenizer.pad_token_id or 0
        # Sentencepiece writes "a" and " a" alike, with a mark; `_without_marker` tells them apart.
        is_marked = "".join(tokenizer.tokenize("a")).startswith(SENTENCEPIECE_SPACE)
        self._is_space_sensitive = is_marked or self._tokenize([" a"]) != self._tokenize(["a"])
        self._cache = WordpieceCache(MAX_CACHED_BYTES)

    def __call__(self, docs: Sequence[Doc]) -> Wordpieces:
        """The wordpieces of some Docs."""
        # Fast tokenizers fail on an empty list of texts.
        return (
            self._of_tokens(docs) if self.alignment == "token" or not docs else self._of_texts(docs)
        )

    def _of_tokens(self, docs: Sequence[Doc]) -> Wordpieces:
        keys = [self._keys(doc) for doc in docs]
        pieces = self._pieces(docs, keys)
        counts = np.fromiter(map(len, pieces), dtype=np.int64, count=len(pieces)) // PIECE.itemsize
        ids = np.frombuffer(b"".join(pieces), dtype=PIECE).astype(np.int64)
        bounds = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)])
        of_docs = bounds[np.cumsum([0, *map(len, keys)])]
        return Wordpieces(ids, np.diff(of_docs), bounds[:-1], bounds[1:])

    def _keys(self, doc: Doc) -> list[int]:
        """What the wordpieces of each token depend on: its text and, where the tokenizer heeds it,
        whether a space comes before it. spaCy's ids are hashes of the texts themselves, so an id
        has one meaning in all vocabularies, and keeps it when a vocabulary forgets it."""
        orths: list[int] = doc.to_array([ORTH]).tolist()
        if not self._is_space_sensitive:
            return orths
        spaces = doc.to_array([SPACY]).tolist()
        return [
            ~orth if is_spaced else orth
            for orth, is_spaced in zip(orths, [False, *spaces[:-1]], strict=False)
        ]

    def _pieces(self, docs: Sequence[Doc], keys: Sequence[list[int]]) -> list[bytes]:
        """The wordpieces of each token of all Docs, each distinct token being tokenised only
        once."""
        asked = list(chain.from_iterable(keys))
        found = self._cache.look_up(asked)
        missing = {key for key, pieces in zip(asked, found, strict=True) if pieces is None}
        made = self._make(docs, keys, missing)
        return [
            made[key] if pieces is None else pieces
            for key, pieces in zip(asked, found, strict=True)
        ]

    def _make(
        self, docs: Sequence[Doc], keys: Sequence[list[int]], missing: set[int]
    ) -> dict[int, bytes]:
        """The wordpieces of missing keys, of which those last that are met outside of memory
        zones."""
        if not missing:
            return {}
        words: dict[int, str] = {}
        lasting: set[int] = set()
        for doc, of_doc in zip(docs, keys, strict=True):
            new = missing.intersection(of_doc)
            words.update((key, _word(doc, key)) for key in new)
            vocab: Any = doc.vocab
            if not vocab.in_memory_zone:
                lasting |= new
        made: dict[int, bytes] = {}
        for (key, word), ids in zip(words.items(), self._tokenize([*words.values()]), strict=True):
            made[key] = np.asarray(self._without_marker(word, ids), dtype=PIECE).tobytes()
        self._cache.add({key: pieces for key, pieces in made.items() if key in lasting})
        return made

    def _without_marker(self, word: str, pieces: list[int]) -> list[int]:
        # Sentencepiece begins every text as if a space came before it. Where the mark of that is
        # a wordpiece of its own, a token that no space comes before is better off without it.
        if len(pieces) > 1 and not word.startswith(" "):
            first: str = self.tokenizer.convert_ids_to_tokens(pieces[0])
            if first == SENTENCEPIECE_SPACE:
                return pieces[1:]
        return pieces

    def _tokenize(self, texts: list[str]) -> list[list[int]]:
        encoded = self.tokenizer(
            texts, add_special_tokens=False, return_attention_mask=False, verbose=False
        )
        ids: list[list[int]] = encoded["input_ids"]
        return ids

    def _of_texts(self, docs: Sequence[Doc]) -> Wordpieces:
        encoded = self.tokenizer(
            [doc.text for doc in docs],
            add_special_tokens=False,
            return_attention_mask=False,
            return_offsets_mapping=True,
            verbose=False,
        )
        doc_lengths = np.asarray([len(ids) for ids in encoded["input_ids"]], dtype=np.int64)
        ids = np.fromiter(chain.from_iterable(encoded["input_ids"]), dtype=np.int64)
        starts, ends = [], []
        n_before = 0
        for doc, offsets in zip(docs, encoded["offset_mapping"], strict=True):
            first, last = _aligned(doc, np.asarray(offsets, dtype=np.int64).reshape(-1, 2))
            starts.append(n_before + first)
            ends.append(n_before + last)
            n_before += len(offsets)
        return Wordpieces(ids, doc_lengths, np.concatenate(starts), np.concatenate(ends))


def _word(doc: Doc, key: int) -> str:
    """The text that a key stands for, with the space before it if it heeds that."""
    text: str = doc.vocab.strings[key if key >= 0 else ~key]
    return text if key >= 0 else " " + text


def _aligned(doc: Doc, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each token the range of the wordpieces that have a character of it.

    offsets: (n_pieces, 2), the characters of each wordpiece, end exclusive.
    """
    begins, lengths = doc.to_array([IDX, LENGTH]).reshape(-1, 2).astype(np.int64).T
    # A wordpiece without characters says nothing of where it is; so it gets no token.
    offsets = np.maximum.accumulate(offsets, axis=0)
    first = np.searchsorted(offsets[:, 1], begins, side="right")
    last = np.searchsorted(offsets[:, 0], begins + lengths, side="left")
    return first, np.maximum(first, last)


def _special_ids(tokenizer: Any) -> tuple[list[int], list[int]]:
    """What the tokenizer puts before and after a text."""
    bare: list[int] = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole: list[int] = tokenizer("a")["input_ids"]
    for begin in range(len(whole) - len(bare) + 1):
        end = begin + len(bare)
        if whole[begin:end] == bare:
            return whole[:begin], whole[end:]
    raise ValueError(
        f"{type(tokenizer).__name__} makes other wordpieces of a text when it adds special tokens: "
        f"of 'a', {bare} without and {whole} with them. Use another tokenizer."
    )
