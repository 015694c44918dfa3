"""A BERT with random weights and a vocabulary of its own, made offline from a corpus."""

import json
import string
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import Any, NamedTuple

from spacy_bertcrf.pretraining.model_folder import check_output, save_model
from spacy_bertcrf.pretraining.texts import Texts

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CONTINUATION = "##"
HEAD_WIDTH = 64


class Size(NamedTuple):
    """Of a BERT; the feed-forward layers are four times as wide.

    layers: transformer layers.
    width: hidden width.
    heads: attention heads, which divide the width; None: one for each 64 of the width.
    max_length: the most wordpieces in one sequence, [CLS] and [SEP] included.
    """

    layers: int
    width: int
    heads: int | None = None
    max_length: int = 512


# Turc et al. 2019, https://arxiv.org/abs/1908.08962
SIZES = {
    "tiny": Size(2, 128),
    "mini": Size(4, 256),
    "small": Size(4, 512),
    "medium": Size(8, 512),
    "base": Size(12, 768),
}


class InitializedBert(NamedTuple):
    """What `init_bert` wrote: the folder, and the sizes of what is in it."""

    path: Path
    n_wordpieces: int
    n_parameters: int


def init_bert(
    output: Path,
    inputs: Sequence[Path],
    *,
    size: Size = SIZES["tiny"],
    vocab_size: int = 8000,
    min_frequency: int = 1,
    seed: int = 0,
) -> InitializedBert:
    """Write a randomly initialised BERT in Hugging Face's format, with a fast cased tokenizer.

    The same arguments and inputs give the same bytes. The folder is written whole or not at
    all; a model that lies there already is replaced.

    output (Path): The folder to write: config.json, model.safetensors and the tokenizer's files.
    inputs (Sequence[Path]): Where the vocabulary comes from: `.spacy` files (DocBin), or UTF-8
        text of any other suffix, either compressed by gzip or not.
    size, vocab_size, min_frequency, seed: As of `new_bert`.
    RETURNS (InitializedBert): The folder, and the sizes of what was written.
    RAISES (ValueError): If a size is impossible, an input is missing, unreadable or has no
        text, or the output folder holds something other than a model.
    """
    check_output(output)
    model, tokenizer = new_bert(
        Texts(inputs), size, vocab_size=vocab_size, min_frequency=min_frequency, seed=seed
    )
    save_model(output, model, tokenizer)
    return InitializedBert(output, len(tokenizer), model.num_parameters())


def new_bert(
    texts: Iterable[str],
    size: Size,
    *,
    vocab_size: int = 8000,
    min_frequency: int = 1,
    seed: int = 0,
) -> tuple[Any, Any]:
    """A BERT with random weights and a head for masked-language modelling, and its tokenizer.

    texts (Iterable[str]): Where the vocabulary comes from.
    size (Size): Of the BERT.
    vocab_size (int): At most so many wordpieces, special tokens included.
    min_frequency (int): A character or wordpiece that the corpus has less often stays out.
    seed (int): Seed of the weights.
    RETURNS (tuple[BertForMaskedLM, BertTokenizerFast]): The BERT, and its tokenizer, which keeps
        case.
    RAISES (ValueError): If a size is impossible or there is no text.
    """
    size = checked(size)
    _check_least("min_frequency", min_frequency, 1)
    _check_least("vocab_size", vocab_size, len(SPECIAL_TOKENS) + 1)
    wordpieces = build_vocabulary(texts, vocab_size=vocab_size, min_frequency=min_frequency)

    # Here and not at the top of the module: they take seconds, which a wrong argument or
    # `--help` should not cost.
    import torch
    from transformers import BertConfig, BertForMaskedLM, BertModel

    config = BertConfig(
        vocab_size=len(wordpieces),
        hidden_size=size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        intermediate_size=4 * size.width,
        max_position_embeddings=size.max_length,
        pad_token_id=SPECIAL_TOKENS.index("[PAD]"),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = BertModel(config).state_dict()
        model = BertForMaskedLM(config)
    # Drawn first, so that its weights do not depend on what stands above it.
    model.bert.load_state_dict({key: encoder[key] for key in model.bert.state_dict()})
    return model, _tokenizer(wordpieces, size.max_length)


def checked(size: Size) -> Size:
    """The size with its number of heads. Raises ValueError if it is impossible."""
    for name, least in (("layers", 1), ("width", 1), ("max_length", 3)):
        _check_least(name, getattr(size, name), least)
    heads = max(1, size.width // HEAD_WIDTH) if size.heads is None else size.heads
    _check_least("heads", heads, 1)
    if size.width % heads:
        raise ValueError(
            f"Each attention head has an equal part of the width: {heads} heads do not divide "
            f"a width of {size.width}."
        )
    return size._replace(heads=heads)


def build_vocabulary(
    texts: Iterable[str], *, vocab_size: int = 8000, min_frequency: int = 1
) -> list[str]:
    """Choose the wordpieces of a corpus, as BERT's tokenizer splits it (case is kept).

    First the special tokens; then single characters, the most frequent first, each also as a
    `##` continuation where it stands in words (Chinese characters are words by themselves);
    then longer pieces, learned by WordPiece training. The letters and digits of ASCII are
    always in, so that no Latin word or number is unknown as a whole.

    texts (Iterable[str]): The corpus.
    vocab_size (int): At most so many wordpieces; the rarest give way.
    min_frequency (int): A character or wordpiece that occurs less often stays out.
    RETURNS (list[str]): The wordpieces in order of their ids.
    RAISES (ValueError): If there is no text.
    """
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer
    from tokenizers.trainers import WordPieceTrainer

    normalizer = BertNormalizer(lowercase=False, strip_accents=False)
    pre_tokenizer = BertPreTokenizer()
    words: Counter[str] = Counter()
    for text in texts:
        split = pre_tokenizer.pre_tokenize_str(normalizer.normalize_str(text))
        words.update(word for word, _ in split)
    if not words:
        raise ValueError("There is no text to build a vocabulary from.")
    alphabet = [*SPECIAL_TOKENS, *_characters(words, min_frequency)]
    if len(alphabet) >= vocab_size:
        return alphabet[:vocab_size]

    tokenizer = Tokenizer(WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizer
    trainer = WordPieceTrainer(
        vocab_size=vocab_size,
        # A longer piece seen once would be learned by heart; its characters say more.
        min_frequency=max(min_frequency, 2),
        # The trainer numbers the characters it finds itself in the order of a hash table, which
        # differs from run to run and breaks ties between merges differently: it finds none, and
        # gets ours as "special" tokens, whose order it keeps.
        limit_alphabet=0,
        special_tokens=alphabet,
        continuing_subword_prefix=CONTINUATION,
        show_progress=False,
    )
    joined = (repeat(word, count) for word, count in words.items() if len(word) > 1)
    tokenizer.train_from_iterator(chain.from_iterable(joined), trainer)
    ids = tokenizer.get_vocab()
    return sorted(ids, key=ids.__getitem__)


def _characters(words: Counter[str], min_frequency: int) -> list[str]:
    """Single characters and continuations of the words, by frequency and then code point."""
    counts: Counter[str] = Counter()
    joined: set[str] = set(string.ascii_letters + string.digits)
    for word, count in words.items():
        if len(word) > 1:
            joined.update(word)
        for char in word:
            counts[char] += count
    for char in string.ascii_letters + string.digits:
        counts[char] = max(counts[char], min_frequency)
    kept = [char for char, count in counts.items() if count >= min_frequency]
    kept.sort(key=lambda char: (-counts[char], char))
    return kept + [CONTINUATION + char for char in kept if char in joined]


def _tokenizer(wordpieces: Sequence[str], max_length: int) -> Any:
    from transformers import BertTokenizerFast

    with tempfile.TemporaryDirectory() as folder:
        vocab_file = Path(folder) / "vocab.txt"
        vocab_file.write_text("".join(f"{piece}\n" for piece in wordpieces), "utf-8", newline="\n")
        # Else transformers guesses the class by the name of the folder, and warns of its guess.
        settings = json.dumps({"tokenizer_class": "BertTokenizer"})
        (Path(folder) / "tokenizer_config.json").write_text(settings, "utf-8")
        # transformers 5 passes over a `vocab_file` that the class itself is given.
        return BertTokenizerFast.from_pretrained(
            folder,
            do_lower_case=False,
            strip_accents=False,
            tokenize_chinese_chars=True,
            model_max_length=max_length,
        )


def _check_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise ValueError(f"{name} must be at least {least}, not {value}.")
