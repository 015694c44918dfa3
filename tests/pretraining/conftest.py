"""Tokenizers of a BERT, small and made on the spot."""

import pytest
from transformers import BertTokenizerFast

WORDPIECES = [
    *("[PAD]", "[unused1]", "[unused2]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused3]"),
    *"我在北京大学工作读书电影玩游戏，。-",
    *("win", "##dow", "##s", "the", "art", "par", "##ty", "##art", "##ist", "cat"),
    *"abcdefghijklmnopqrstuvwxyz0123456789",
    *(f"##{char}" for char in "abcdefghijklmnopqrstuvwxyz0123456789"),
]


@pytest.fixture(scope="session")
def vocabulary():
    return WORDPIECES


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer") / "vocab.txt"
    path.write_text("\n".join(WORDPIECES) + "\n", encoding="utf-8")
    return BertTokenizerFast(vocab_file=str(path), do_lower_case=True)
