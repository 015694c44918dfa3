"""What is remembered of tokens: the right thing, in so many bytes, for any number of threads."""

import sys
from concurrent.futures import ThreadPoolExecutor
from sys import getsizeof
from typing import Any

import numpy as np
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.vocab import Vocab
from transformers import AutoTokenizer

from spacy_bertcrf.models.bert import wordpieces as wordpieces_module
from spacy_bertcrf.models.bert.wordpiece_cache import MAX_ENTRY_BYTES, WordpieceCache
from spacy_bertcrf.models.bert.wordpieces import WordpieceTokenizer


@pytest.fixture(scope="module")
def bert_tokenizer(tiny_bert) -> Any:
    return AutoTokenizer.from_pretrained(tiny_bert)


def urls(first: int, count: int, vocab: Vocab) -> Doc:
    return Doc(vocab, words=[f"https://x.cn/{n}" for n in range(first, first + count)])


def value_of(key: int) -> bytes:
    return key.to_bytes(8, "little") * (1 + key % 7)


@pytest.mark.slow
@given(st.lists(st.lists(st.integers(0, 400), min_size=1, max_size=60), max_size=40))
def test_what_is_found_is_right_and_bytes_are_bounded(batches):
    """Else a token would get another one's wordpieces, or a service would grow for ever."""
    cache = WordpieceCache(20_000)
    for keys in batches:
        found = cache.look_up(keys)
        assert all(v is None or v == value_of(k) for k, v in zip(keys, found, strict=True))
        cache.add({k: value_of(k) for k, v in zip(keys, found, strict=True) if v is None})
        assert cache.n_bytes <= 20_000


def test_what_is_asked_for_again_stays():
    """Else a stream of ids would drive out the words of the language."""
    cache = WordpieceCache(20_000)
    cache.add({0: b"old"})
    for key in range(1, 2000):
        cache.add({key: value_of(key)})
        assert cache.look_up([0]) == [b"old"]
    assert cache.look_up([1]) == [None]


def test_what_is_huge_is_not_kept():
    """One token of a million characters would drive out all others."""
    cache = WordpieceCache(20_000)
    cache.add({1: b"x" * (MAX_ENTRY_BYTES + 1), 2: b"x"})
    assert cache.look_up([1, 2]) == [None, b"x"]


@pytest.fixture
def quick_tokenizer(bert_tokenizer, monkeypatch) -> WordpieceTokenizer:
    """A wordpiece for each letter: the tokenizer itself would take most of the time."""
    tokenizer = WordpieceTokenizer(bert_tokenizer, "token")
    monkeypatch.setattr(tokenizer, "_tokenize", lambda urls: [[ord(c) for c in u] for u in urls])
    return tokenizer


@pytest.mark.slow
def test_200_000_new_urls_stay_within_the_bound(quick_tokenizer):
    """Of ever new ids and URLs a service would remember every one."""
    tokenizer = quick_tokenizer
    vocab = Vocab()
    for first in range(0, 200_000, 10_000):
        tokenizer([urls(first, 10_000, vocab)])
    cache = tokenizer._cache
    assert 10_000_000 < cache.n_bytes <= wordpieces_module.MAX_CACHED_BYTES
    kept = [cache._young.pieces, cache._old.pieces]
    held = sum(getsizeof(k) + getsizeof(v) for part in kept for k, v in part.items())
    assert cache.n_bytes == held + sum(map(getsizeof, kept)), "bytes are counted as Python does"


@pytest.mark.slow
def test_threads_that_drive_out_each_others_tokens_have_their_own(bert_tokenizer, monkeypatch):
    """Else one thread would take away what another is about to read: a KeyError, shown by spaCy as
    "Did you forget to call initialize()?"."""
    monkeypatch.setattr(wordpieces_module, "MAX_CACHED_BYTES", 20_000)
    vocab = Vocab()
    docs = [urls(first, 60, vocab) for first in range(0, 960, 30)]
    alone = [WordpieceTokenizer(bert_tokenizer, "token")([doc]).ids for doc in docs]
    shared = WordpieceTokenizer(bert_tokenizer, "token")

    def work(start: int) -> None:
        for i in range(start, start + 3 * len(docs)):
            found = shared([docs[i % len(docs)]]).ids
            assert np.array_equal(found, alone[i % len(docs)])

    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(work, range(16)))
    finally:
        sys.setswitchinterval(usual)


def test_a_memory_zone_leaves_nothing_behind(bert_tokenizer):
    """As in spaCy's vocabulary: what a service frees with `nlp.memory_zone()` is freed here too,
    and what is known from before stays known."""
    nlp = spacy.blank("en")
    tokenizer = WordpieceTokenizer(bert_tokenizer, "token")
    before_zone = tokenizer([nlp.make_doc("the cat")]).ids.tolist()
    n_bytes = tokenizer._cache.n_bytes
    with nlp.memory_zone():
        tokenizer([urls(0, 500, nlp.vocab)])
        assert tokenizer([nlp.make_doc("the cat")]).ids.tolist() == before_zone
    assert tokenizer._cache.n_bytes == n_bytes


@pytest.mark.slow
def test_200_000_new_urls_in_zones_leave_nothing_behind(quick_tokenizer):
    """Else a service that frees its texts as spaCy advises would grow all the same."""
    nlp = spacy.blank("en")
    n_bytes, n_strings = quick_tokenizer._cache.n_bytes, len(nlp.vocab.strings)
    for first in range(0, 200_000, 10_000):
        with nlp.memory_zone():
            quick_tokenizer([urls(first, 10_000, nlp.vocab)])
    assert quick_tokenizer._cache.n_bytes == n_bytes
    assert len(nlp.vocab.strings) == n_strings


def test_ids_that_a_zone_has_freed_mean_the_same_afterwards(bert_tokenizer):
    """Else a token would get the wordpieces of one that the vocabulary has forgotten."""
    nlp = spacy.blank("en")
    tokenizer = WordpieceTokenizer(bert_tokenizer, "token")
    for zone in range(4):
        words = [f"w{zone}", "shared", f"w{zone + 1}"]
        fresh = WordpieceTokenizer(bert_tokenizer, "token")
        with nlp.memory_zone():
            doc = Doc(nlp.vocab, words=words)
            assert tokenizer([doc]).ids.tolist() == fresh([doc]).ids.tolist()
        doc = Doc(nlp.vocab, words=words)
        assert tokenizer([doc]).ids.tolist() == fresh([doc]).ids.tolist()
