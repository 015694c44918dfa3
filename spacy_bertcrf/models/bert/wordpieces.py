"""Wordpieces of Docs, and which of them belong to which token."""

from collections.abc import Sequence
from itertools import chain, repeat
from typing import Any, NamedTuple

import numpy as np
from spacy.attrs import IDX, LENGTH, ORTH, SPACY
from spacy.tokens import Doc

ALIGNMENTS = ("token", "text")
MAX_CACHED_TOKENS = 500_000
SENTENCEPIECE_SPACE = "\N{LOWER ONE EIGHTH BLOCK}"


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
        self.prefix, self.suffix = _special_ids(tokenizer)
        self.pad_id: int = tokenizer.pad_token_id or 0
        self._by_token = alignment == "token"
        # Sentencepiece writes "a" and " a" alike, with a mark; `_without_marker` tells them apart.
        is_marked = "".join(tokenizer.tokenize("a")).startswith(SENTENCEPIECE_SPACE)
        self._is_space_sensitive = is_marked or self._tokenize([" a"]) != self._tokenize(["a"])
        self._cache: dict[tuple[int, int], list[int]] = {}

    def __call__(self, docs: Sequence[Doc]) -> Wordpieces:
        """The wordpieces of some Docs."""
        # Fast tokenizers fail on an empty list of texts.
        return self._of_tokens(docs) if self._by_token or not docs else self._of_texts(docs)

    def _of_tokens(self, docs: Sequence[Doc]) -> Wordpieces:
        per_token = [self._look_up(doc) for doc in docs]
        doc_lengths = [sum(map(len, of_doc)) for of_doc in per_token]
        pieces = list(chain.from_iterable(per_token))
        counts = np.fromiter(map(len, pieces), dtype=np.int64, count=len(pieces))
        ends = np.cumsum(counts)
        ids = np.fromiter(chain.from_iterable(pieces), dtype=np.int64, count=counts.sum())
        return Wordpieces(ids, np.asarray(doc_lengths, dtype=np.int64), ends - counts, ends)

    def _look_up(self, doc: Doc) -> list[list[int]]:
        """The wordpieces of each token, each distinct token being tokenised only once."""
        if not len(doc):
            return []
        orths, spaces = doc.to_array([ORTH, SPACY]).T.tolist()
        after_space = [0, *spaces[:-1]] if self._is_space_sensitive else repeat(0)
        keys = list(zip(orths, after_space, strict=False))
        missing = list(set(keys) - self._cache.keys())
        if missing:
            if len(self._cache) + len(missing) > MAX_CACHED_TOKENS:
                self._cache.clear()
                missing = list(set(keys))
            words = [" " * spaced + doc.vocab.strings[orth] for orth, spaced in missing]
            found = self._tokenize(words)
            for key, word, pieces in zip(missing, words, found, strict=True):
                self._cache[key] = self._without_marker(word, pieces)
        return [self._cache[key] for key in keys]

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
