"""A BertEncoder, and tokenizers of other kinds than BERT's, trained on the spot."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import Model
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors, trainers
from tokenizers.models import BPE, Unigram
from transformers import (
    AutoModel,
    AutoTokenizer,
    BertJapaneseTokenizer,
    PreTrainedTokenizerFast,
)

from spacy_bertcrf.models.bert.bert_encoder import BertEncoder

CORPUS = [
    "the cat sat on the mat and the dog sat on the cat",
    "王小明在北京大学工作。",
    "我2008年在广州玩CSOL,用Windows10。",
    "the windows of the cat 10 2008",
]
SPECIAL = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
SPECIAL |= {"cls_token": "<s>", "sep_token": "</s>"}


@pytest.fixture(scope="session")
def byte_level_tokenizer() -> PreTrainedTokenizerFast:
    """As RoBERTa's: a space belongs to the word behind it."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False
    )
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS * 3, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **SPECIAL)


@pytest.fixture(scope="session")
def unigram_tokenizer() -> PreTrainedTokenizerFast:
    """As XLM-RoBERTa's: every text begins as if a space came before it."""
    tokenizer = Tokenizer(Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]
    )
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    trainer = trainers.UnigramTrainer(
        vocab_size=120,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        unk_token="<unk>",
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS * 3, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **SPECIAL)


@pytest.fixture(scope="session")
def slow_tokenizer(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One that is slow in every version of transformers, with the vocabulary of `tiny_bert`."""
    ids = AutoTokenizer.from_pretrained(tiny_bert).get_vocab()
    path = tmp_path_factory.mktemp("slow") / "vocab.txt"
    path.write_text("".join(f"{piece}\n" for piece in sorted(ids, key=ids.get)), "utf-8")
    return BertJapaneseTokenizer(path, do_lower_case=False, word_tokenizer_type="basic")


@pytest.fixture(scope="session")
def bert_folder(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of three layers without dropout, 64 positions."""
    folder = tmp_path_factory.mktemp("bert3") / "bert"
    shutil.copytree(tiny_bert, folder)
    config = AutoModel.from_pretrained(tiny_bert).config
    config.update(
        {
            **{"num_hidden_layers": 3, "max_position_embeddings": 64, "initializer_range": 0.2},
            **{"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
        }
    )
    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert, model_max_length=64)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def encoder(bert_folder: Path) -> Callable[..., Model]:
    """Make a BertEncoder with its weights."""

    def make(**settings: Any) -> Model:
        model = BertEncoder(str(bert_folder), **settings)
        torch.manual_seed(0)
        model.initialize()
        return model

    return make


@pytest.fixture
def bert_docs() -> list[Doc]:
    """Texts of different lengths, with tokens that have several wordpieces, or none."""
    texts = [
        [*"王小明", "2008", "年", "\n", "Windows10", "\x07"],
        [*"张伟在上海大学"],
        [],
        ["x1y2z3"],
    ]
    return [Doc(Vocab(), words=words, spaces=[False] * len(words)) for words in texts]
