"""A small BERT with random weights and a vocabulary of its own, made offline from a corpus."""

import string
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import NamedTuple

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CONTINUATION = "##"


class InitializedBert(NamedTuple):
    """What `init_bert` wrote: the folder, and the sizes of what is in it."""

    path: Path
    n_texts: int
    n_wordpieces: int
    n_parameters: int


def init_bert(
    output: Path,
    inputs: Sequence[Path],
    *,
    layers: int = 2,
    width: int = 128,
    heads: int = 4,
    vocab_size: int = 8000,
    min_frequency: int = 1,
    seed: int = 0,
    max_length: int = 512,
) -> InitializedBert:
    """Write a randomly initialised BERT in Hugging Face's format, with a fast cased tokenizer.

    The same arguments and inputs give the same bytes. The folder is written whole or not at
    all; a model that lies there already is replaced.

    output (Path): The folder to write: config.json, model.safetensors and the tokenizer's files.
    inputs (Sequence[Path]): Where the vocabulary comes from: `.spacy` files (DocBin), or UTF-8
        text of any other suffix.
    layers (int): Transformer layers.
    width (int): Hidden width; the feed-forward layers are four times as wide.
    heads (int): Attention heads; must divide the width.
    vocab_size (int): At most so many wordpieces, special tokens included.
    min_frequency (int): A character or wordpiece that the corpus has less often stays out.
    seed (int): Seed of the weights.
    max_length (int): The most wordpieces in one sequence, [CLS] and [SEP] included.
    RETURNS (InitializedBert): The folder, and the sizes of what was written.
    RAISES (ValueError): If a size is impossible, an input is missing, unreadable or has no
        text, or the output folder holds something other than a model.
    """
    _check_sizes(layers, width, heads, vocab_size, min_frequency, max_length)
    _check_output(output)
    texts = [text for text in read_texts(inputs) if text.strip()]
    if not texts:
        names = ", ".join(str(path) for path in inputs)
        raise ValueError(f"No text to build a vocabulary from in: {names or 'no input files'}.")
    wordpieces = build_vocabulary(texts, vocab_size=vocab_size, min_frequency=min_frequency)

    # Here and not at the top of the module: they take seconds, which a wrong argument or
    # `--help` should not cost.
    import torch
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=len(wordpieces),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        max_position_embeddings=max_length,
        pad_token_id=SPECIAL_TOKENS.index("[PAD]"),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BertModel(config)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as folder:
        written = Path(folder) / "model"
        model.save_pretrained(written)
        _save_tokenizer(written, wordpieces, max_length)
        if output.exists():
            output.rename(Path(folder) / "replaced")
        written.rename(output)
    return InitializedBert(output, len(texts), len(wordpieces), model.num_parameters())


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


def read_texts(paths: Iterable[Path]) -> Iterator[str]:
    """Yield the texts of `.spacy` files and the lines of UTF-8 text files.

    paths (Iterable[Path]): The files, told apart by their suffix.
    YIELDS (str): One text a Doc, or a line.
    RAISES (ValueError): If a file is missing or cannot be read as what its suffix says.
    """
    for path in paths:
        if not path.is_file():
            what = "is a folder, not a file" if path.is_dir() else "does not exist"
            raise ValueError(f"Input {path} {what}.")
        if path.suffix == ".spacy":
            yield from _read_docbin(path)
        elif path.suffix in (".json", ".jsonl"):
            raise ValueError(
                f"Input {path} is JSON, whose keys would get into the vocabulary: give the .spacy "
                "file that `python -m spacy bertcrf convert` makes of it."
            )
        else:
            try:
                with path.open(encoding="utf-8-sig") as lines:
                    yield from lines
            except UnicodeDecodeError as err:
                raise ValueError(f"Input {path} is not UTF-8 text: {err}.") from err


def _read_docbin(path: Path) -> Iterator[str]:
    from spacy.tokens import DocBin
    from spacy.vocab import Vocab

    try:
        docs = DocBin().from_disk(path)
    except (zlib.error, ValueError, KeyError, TypeError) as err:
        raise ValueError(f"Input {path} is not a DocBin (a .spacy file): {err}.") from err
    for doc in docs.get_docs(Vocab()):
        yield doc.text


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


def _save_tokenizer(folder: Path, wordpieces: Sequence[str], max_length: int) -> None:
    from transformers import BertTokenizerFast

    vocab_file = folder / "vocab.txt"
    vocab_file.write_text("".join(f"{piece}\n" for piece in wordpieces), "utf-8", newline="\n")
    tokenizer = BertTokenizerFast(
        vocab_file=str(vocab_file),
        do_lower_case=False,
        strip_accents=False,
        tokenize_chinese_chars=True,
        model_max_length=max_length,
    )
    tokenizer.save_pretrained(folder)


def _check_sizes(
    layers: int, width: int, heads: int, vocab_size: int, min_frequency: int, max_length: int
) -> None:
    least = {
        "layers": (layers, 1),
        "width": (width, 1),
        "heads": (heads, 1),
        "min_frequency": (min_frequency, 1),
        "vocab_size": (vocab_size, len(SPECIAL_TOKENS) + 1),
        "max_length": (max_length, 3),
    }
    for name, (value, minimum) in least.items():
        if value < minimum:
            raise ValueError(f"{name} must be at least {minimum}, not {value}.")
    if width % heads:
        raise ValueError(
            f"Each attention head has an equal part of the width: {heads} heads do not divide "
            f"a width of {width}."
        )


def _check_output(output: Path) -> None:
    if output.exists() and not output.is_dir():
        raise ValueError(f"Output {output} is a file; give the name of a folder.")
    if output.is_dir() and any(output.iterdir()) and not (output / "config.json").is_file():
        raise ValueError(
            f"Output folder {output} holds files and is no Hugging Face model, so it is not "
            "replaced; give an empty or new folder."
        )
