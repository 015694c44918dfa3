"""How much of some texts a BERT's vocabulary does not know."""

import warnings
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from spacy.tokens import Doc

from spacy_bertcrf.models.bert.bert_shim import BertShim
from spacy_bertcrf.models.bert.wordpieces import WordpieceTokenizer

LARGEST_SHARE = 0.2
CHARACTERS_SHOWN = 10


class UnknownWordpieces(NamedTuple):
    """n_texts: how many texts were looked at.
    n_pieces: of all their wordpieces; n_unknown: of those that are [UNK].
    characters: how often each character that is not known by itself is in tokens with an unknown
        wordpiece, the commonest first; of all characters of these tokens if each is known by
        itself, as in words that are longer than the tokenizer takes.
    """

    n_texts: int
    n_pieces: int
    n_unknown: int
    characters: list[tuple[str, int]]

    @property
    def share(self) -> float:
        """Of the wordpieces, from 0 to 1."""
        return self.n_unknown / self.n_pieces if self.n_pieces else 0.0


def count_unknown(tokenizer: WordpieceTokenizer, docs: Sequence[Doc]) -> UnknownWordpieces:
    """The unknown wordpieces of some Docs."""
    wordpieces = tokenizer(docs)
    is_unknown = wordpieces.ids == _unknown_id(tokenizer)
    n_unknown = int(is_unknown.sum())
    if not n_unknown:
        return UnknownWordpieces(len(docs), len(is_unknown), 0, [])
    n_before = np.concatenate([[0], np.cumsum(is_unknown)])
    has_unknown = n_before[wordpieces.ends] > n_before[wordpieces.starts]
    tokens = chain.from_iterable(docs)
    characters = Counter(
        char
        for token, is_one in zip(tokens, has_unknown.tolist(), strict=True)
        if is_one
        for char in token.text
    )
    return UnknownWordpieces(
        len(docs), len(is_unknown), n_unknown, _unknown_alone(tokenizer, characters).most_common()
    )


def warn_of_unknown(shim: BertShim, docs: Sequence[Doc], component: str) -> None:
    """Warn if more than a fifth of the wordpieces of training texts are unknown.

    component: whose BERT it is.
    """
    found = count_unknown(shim.tokenizer, docs)
    if found.share <= LARGEST_SHARE:
        return
    shown = ", ".join(f"{char} ({n:,})" for char, n in found.characters[:CHARACTERS_SHOWN])
    unknown = shim.tokenizer.tokenizer.unk_token
    warnings.warn(
        f"Of the wordpieces of the first {found.n_texts:,} training texts, "
        f"{100 * found.share:.0f} % are {unknown} to the BERT of '{component}'. Its vocabulary "
        f"does not know {shown}. All that is unknown is alike to it, and hardly anything is "
        "learned from it. Take a BERT of the language and the writing of the texts (with capitals, "
        "a cased one).",
        stacklevel=2,
    )


def _unknown_id(tokenizer: WordpieceTokenizer) -> int:
    found: int | None = tokenizer.tokenizer.unk_token_id
    return -1 if found is None else found


def _unknown_alone(tokenizer: WordpieceTokenizer, characters: Counter[str]) -> Counter[str]:
    encoded = tokenizer.tokenizer([*characters], add_special_tokens=False)["input_ids"]
    unknown = _unknown_id(tokenizer)
    alone = {char for char, ids in zip(characters, encoded, strict=True) if unknown in ids}
    return Counter({c: n for c, n in characters.items() if not alone or c in alone})
