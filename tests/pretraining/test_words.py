"""Words of wordpieces: a masked character beside its word's others is no riddle."""

import sys

import pytest

from spacy_bertcrf.pretraining.words import WordedPieces, segment


def words(tokenizer, text, **settings):
    """The wordpieces of each word."""
    ids, begins = WordedPieces(tokenizer, **settings)(text)
    found = []
    for piece, begin in zip(tokenizer.convert_ids_to_tokens(ids), begins, strict=True):
        if begin:
            found.append([])
        found[-1].append(piece)
    return found


def test_chinese_words_are_the_segmenters(tokenizer):
    """A character would be told by the other half of its word."""
    found = ["".join(word) for word in words(tokenizer, "我在北京大学读书。")]
    assert found == ["我", "在", "北京大学", "读书", "。"]


def test_other_words_are_the_tokenizers(tokenizer):
    """'##dow' is no riddle between 'win' and '##s'."""
    assert words(tokenizer, "the Windows, artist") == [
        *(["the"], ["win", "##dow", "##s"], ["[UNK]"], ["art", "##ist"])
    ]


def test_words_in_mixed_text_are_found(tokenizer):
    """Offsets of Latin words shift those of Chinese ones."""
    found = words(tokenizer, "我在WINDOWS玩游戏， party")
    assert found[2] == ["win", "##dow", "##s"]
    assert ["游", "戏"] in found or ["玩", "游", "戏"] in found
    assert found[-1] == ["par", "##ty"]


def test_chinese_characters_are_words_if_the_segmenter_is_not_wanted(tokenizer, monkeypatch):
    """`--masking pieces` works without the segmenter."""
    monkeypatch.setitem(sys.modules, "rjieba", None)
    assert words(tokenizer, "北京大学", segments_chinese=False) == [["北"], ["京"], ["大"], ["学"]]
    with pytest.raises(ImportError, match=r"spacy-bertcrf\[pretrain\]"):
        words(tokenizer, "北京大学")
    assert words(tokenizer, "the cat") == [["the"], ["cat"]]  # needs none


def test_a_text_without_wordpieces_has_no_words(tokenizer):
    """A line of control characters would stop the training."""
    ids, begins = WordedPieces(tokenizer)("\u200b \x01")
    assert len(ids) == len(begins) == 0


@pytest.mark.parametrize("text", ["北京 大学\t\n。", "𠮷野家,我abc1.5", "é北̀京", " "])
def test_every_character_is_in_a_segment(text):
    """One that the segmenter left out would shift all words behind it."""
    assert len(segment(text)) == len(text)


def test_a_tokenizer_that_parts_at_spaces_alone_does_not_hide_chinese_words():
    """XLM-R's takes a Chinese sentence for a word: it would be masked as a whole or never."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    pieces = [("<unk>", 0.0), *((char, -1.0) for char in "▁我在北京大学读书")]
    backend = Tokenizer(models.Unigram(pieces, unk_id=0))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>")
    found = ["".join(word).strip("▁") for word in words(tokenizer, "我在北京大学读书")]
    assert [word for word in found if word] == ["我", "在", "北京大学", "读书"]
