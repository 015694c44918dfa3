"""Texts as wordpieces, and the words that these belong to."""

from typing import Any

import numpy as np

# As BERT's tokenizer has them: the blocks of CJK ideographs.
HAN_BLOCKS = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)


class WordedPieces:
    """Makes the wordpieces of texts and says with which of them a word begins.

    Chinese words are those of jieba, as its port to Rust (rjieba) finds them; others those of the
    tokenizer, which parts at spaces and punctuation.

    tokenizer: a fast tokenizer of transformers.
    segments_chinese: look for the words of Chinese; otherwise each of its characters is one.
    """

    def __init__(self, tokenizer: Any, segments_chinese: bool = True):
        self.tokenizer = tokenizer
        self.segments_chinese = segments_chinese

    def __call__(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        """The ids of the wordpieces, (n_pieces,) int64, without special tokens; and whether each
        begins a word, (n_pieces,) bool.

        Raises ImportError for a text with Chinese if rjieba is not installed.
        """
        encoded = self.tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        ids = np.asarray(encoded["input_ids"], dtype=np.int64)
        if not len(ids):
            return ids, np.zeros(0, dtype=bool)
        words = np.asarray([-1 if word is None else word for word in encoded.word_ids()])
        same = words[1:] == words[:-1]
        code_points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        is_han = _is_han(code_points)
        if is_han.any():
            offsets = np.asarray(encoded["offset_mapping"], dtype=np.int64)
            first = np.minimum(offsets[:, 0], len(text) - 1)
            # Some tokenizers write a space at the front of a piece.
            first = np.minimum(first + (code_points[first] == ord(" ")), len(text) - 1)
            # A tokenizer that parts at spaces takes a Chinese sentence for a word.
            of_han = is_han[first]
            same &= ~(of_han[1:] | of_han[:-1])
            if self.segments_chinese:
                segments = segment(text)
                same |= segments[first[1:]] == segments[first[:-1]]
        return ids, np.append(True, ~same)


def segment(text: str) -> np.ndarray:
    """The number of the word that each character of a text with Chinese is in, (n_characters,).

    Raises ImportError if rjieba is not installed.
    """
    try:
        import rjieba
    except ImportError as err:
        raise ImportError(
            "Chinese words are found by rjieba. Install it: pip install 'spacy-bertcrf[pretrain]', "
            "or mask every wordpiece for itself (--masking pieces)."
        ) from err
    lengths = [len(word) for word in rjieba.cut(text)]
    return np.repeat(np.arange(len(lengths)), lengths)


def _is_han(code_points: np.ndarray) -> np.ndarray:
    found = np.zeros(len(code_points), dtype=bool)
    for first, last in HAN_BLOCKS:
        found |= (code_points >= first) & (code_points <= last)
    return found
