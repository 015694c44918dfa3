"""`spacy-bertcrf.token_replacement.v1`: other tokens with the same tag, in the same places."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc, Token
from spacy.training import Example

from spacy_bertcrf.training.augmenters.changed_example import Replacement, Surface, retokenized
from spacy_bertcrf.training.augmenters.drawing import check_draws, check_place, tokens_in, variants
from spacy_bertcrf.training.augmenters.mentions import check_path, corpus_docs


class TokenDistribution(NamedTuple):
    """The tokens with a tag, and how often they, and those before them, are in the corpus."""

    words: list[str]
    cumulative_counts: list[int]


def token_replacement(
    path: Path | None, level: float, share: float = 0.15, where: str = "all", copies: int = 0
) -> Callable[[Language, Example], Iterator[Example]]:
    """Replace tokens by others that have the same BIO tag ("label-wise token replacement", Dai
    and Adel 2020, https://arxiv.org/abs/2010.11683).

    A token with the tag t becomes w with the probability count(w, t) / count(t), of the training
    corpus; so the tags stay as they are. Tokens without annotation and spaces are left alone. In
    `spacy train` the changes are drawn once and are the same in all epochs, unless max_epochs
    is -1; so give `copies`.

    path: the training corpus, a .spacy file or a folder with some; counted at first use.
    level: the share of documents that are changed, from 0 to 1.
    share: how likely each token of such a document is to be drawn anew, from 0 to 1.
    where: which tokens: those in "entities", those "outside", or "all".
    copies: as in `entity_replacement`.

    Raises ValueError for settings out of range, and for a path at which there is no such file.
    """
    check_draws(level, share, copies)
    check_place(where)
    checked_path = check_path(path, allow_lists=False)

    @cache
    def distributions() -> dict[str, TokenDistribution]:
        return token_distributions(corpus_docs(checked_path))

    def augment(nlp: Language, example: Example) -> Iterator[Example]:
        def change(original: Example) -> Example | None:
            replacements = []
            for i in np.flatnonzero(tokens_in(original.reference, where)).tolist():
                token = original.reference[i]
                distribution = distributions().get(bio_tag(token))
                if random.random() < share and distribution is not None:
                    word = _draw(distribution)
                    if word != token.text:
                        replacements.append(Replacement(i, i + 1, Surface((word,), ())))
            return retokenized(nlp, original, replacements) if replacements else None

        return variants(example, change, level, copies)

    return augment


def token_distributions(docs: Iterable[Doc]) -> dict[str, TokenDistribution]:
    """The distribution of the tokens with each BIO tag; spaces are not counted."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for doc in docs:
        for token in doc:
            tag = bio_tag(token)
            if tag and not token.is_space:
                counts[tag][token.text] += 1
    return {
        tag: TokenDistribution(list(of_tag), list(accumulate(of_tag.values())))
        for tag, of_tag in counts.items()
    }


def bio_tag(token: Token) -> str:
    """The tag ("B-label", "I-label" or "O"); nothing for a token without annotation."""
    if token.ent_type_:
        return f"{token.ent_iob_}-{token.ent_type_}"
    return "O" if token.ent_iob_ else ""


def _draw(distribution: TokenDistribution) -> str:
    words, cumulative_counts = distribution
    return random.choices(words, cum_weights=cumulative_counts)[0]
