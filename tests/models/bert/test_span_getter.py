"""Windows: a token that no window holds is a token that BERT never sees."""

from itertools import pairwise

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_bertcrf.models.bert.span_getter import strided_spans

VOCAB = Vocab()
words = st.lists(st.text("ab漢字", min_size=1, max_size=12), max_size=60)


@pytest.mark.slow
@given(words, st.integers(1, 20), st.integers(1, 20), st.integers(1, 30))
def test_windows_cover_every_token_and_keep_to_the_limits(
    words: list[str], window: int, stride: int, max_characters: int
) -> None:
    doc = Doc(VOCAB, words=words)
    (spans,) = strided_spans(window, min(stride, window), max_characters)([doc])
    assert {token.i for span in spans for token in span} == set(range(len(doc)))
    for span in spans:
        assert len(span) <= window
        assert len(span) == 1 or len(span.text) <= max_characters
    for span, following in pairwise(spans):
        assert span.start < following.start <= span.end < following.end


def test_full_windows_are_a_stride_apart() -> None:
    """Chinese characters are read as with windows of tokens alone."""
    doc = spacy.blank("zh").make_doc("漢" * 300)
    (spans,) = strided_spans(window=128, stride=96)([doc])
    assert [(span.start, span.end) for span in spans] == [(0, 128), (96, 224), (192, 300)]


def test_a_window_never_has_more_wordpieces_than_bert_has_positions(tiny_bert) -> None:
    """Long words that the vocabulary knows in pieces only would be cut off."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    doc = Doc(VOCAB, words=["x1y2z3w4v5u6t7s8r9q0p1o2"] * 100)
    (spans,) = strided_spans()([doc])
    assert max(len(tokenizer(span.text)["input_ids"]) for span in spans) <= 512
    assert len(tokenizer(doc[:128].text)["input_ids"]) > 512


@pytest.mark.parametrize("settings", [(0, 0, 9), (8, 9, 9), (8, 0, 9), (8, 4, 0)])
def test_windows_that_could_skip_tokens_are_refused(settings: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="window="):
        strided_spans(*settings)
