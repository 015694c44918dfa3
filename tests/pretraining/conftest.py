"""Tokenizers of a BERT, small and made on the spot."""

import pytest
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from transformers import BertTokenizerFast, PreTrainedTokenizerFast

WORDPIECES = [
    *("[PAD]", "[unused1]", "[unused2]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused3]"),
    *"我在北京大学工作读书电影玩游戏，。-",
    *("win", "##dow", "the", "art", "par", "##ty", "##art", "##ist", "cat"),
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
    return BertTokenizerFast.from_pretrained(path.parent, do_lower_case=True)


@pytest.fixture(scope="session")
def byte_level():
    """A tokenizer of another family, as RoBERTa's."""
    backend = Tokenizer(BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel()
    names = {"mask_token": "<mask>", "pad_token": "<pad>", "unk_token": "<unk>"}
    trainer = BpeTrainer(vocab_size=300, special_tokens=list(names.values()), show_progress=False)
    backend.train_from_iterator(["the cat sat"], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=backend, **names)
