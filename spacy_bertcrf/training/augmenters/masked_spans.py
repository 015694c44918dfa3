"""`spacy-bertcrf.masked_spans.v1`: stretches of tokens hidden behind BERT's mask token."""

import random
from collections.abc import Callable, Iterator

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from spacy_bertcrf.models.bert.pretrained import load_tokenizer
from spacy_bertcrf.training.augmenters.changed_example import (
    Replacement,
    Surface,
    has_reference_tokens,
    replace_tokens,
)
from spacy_bertcrf.training.augmenters.drawing import check_draws, check_place, tokens_in, variants

BERT_MASK = "[MASK]"


def masked_spans(
    level: float,
    tokenizer: str | None = None,
    share: float = 0.15,
    max_length: int = 3,
    where: str = "all",
    copies: int = 0,
) -> Callable[[Language, Example], Iterator[Example]]:
    """Hide tokens, so that an entity has to be known by the rest of it and by its context.

    Each hidden token becomes one mask token, however many wordpieces it had: its vector comes
    from that one. Spans have lengths from 1 to `max_length`, all as likely, and end where
    an entity starts or ends; they are drawn until `share` of the tokens is hidden (spans as
    in SpanBERT, Joshi et al. 2020, https://arxiv.org/abs/1907.10529, whose lengths are geometric).
    In `spacy train` the changes are drawn once and are the same in all epochs, unless max_epochs
    is -1; so give `copies`.

    level: the share of documents that are changed, from 0 to 1.
    tokenizer: a Hugging Face tokenizer's name on the hub, or its folder; the encoder's. Null for
        "[MASK]", which is BERT's, and an unknown word to a pipeline without BERT.
    share: the share of the tokens that are hidden in such a document, from 0 to 1.
    max_length: of a span, in tokens.
    where: which tokens may be hidden: those in "entities", those "outside", or "all".
    copies: as in `entity_replacement`.

    Raises ValueError for settings out of range, and for a tokenizer that is not found or has no
    mask token.
    """
    check_draws(level, share, copies)
    check_place(where)
    if max_length < 1:
        raise ValueError(f"max_length is {max_length}; it must be at least 1.")
    mask = Surface((_mask_token(tokenizer),), ())

    def augment(nlp: Language, example: Example) -> Iterator[Example]:
        def change(original: Example) -> Example | None:
            predicted, reference = original.predicted, original.reference
            partners = _partners(original)
            may_be_hidden = tokens_in(reference, where) & (partners >= 0)
            hidden = _drawn(reference, may_be_hidden, share, max_length)
            if not hidden:
                return None
            # In both Docs, for a tokenizer of spaCy's would take the mask token apart.
            return Example(
                _masked(predicted, partners[hidden].tolist(), mask),
                _masked(reference, hidden, mask),
            )

        return variants(example, change, level, copies)

    return augment


def _masked(doc: Doc, hidden: list[int], mask: Surface) -> Doc:
    return replace_tokens(doc, [Replacement(i, i + 1, mask) for i in hidden])


def _mask_token(tokenizer: str | None) -> str:
    if tokenizer is None:
        return BERT_MASK
    mask: str | None = load_tokenizer(tokenizer, {}).mask_token
    if mask is None:
        raise ValueError(
            f"The tokenizer of '{tokenizer}' has no mask token. Give the one of a BERT that was "
            "trained with masks."
        )
    return mask


def _partners(example: Example) -> np.ndarray:
    """For each token of the reference the one token of the predicted Doc that is the same, or -1,
    (n_tokens,)."""
    n_tokens = len(example.reference)
    if has_reference_tokens(example):
        return np.arange(n_tokens)
    partners = np.full(n_tokens, -1)
    x2y, y2x = example.alignment.x2y, example.alignment.y2x
    for i in range(n_tokens):
        aligned = y2x[i]
        if len(aligned) == 1 and len(x2y[int(aligned[0])]) == 1:
            partners[i] = aligned[0]
    return partners


def _drawn(doc: Doc, may_be_hidden: np.ndarray, share: float, max_length: int) -> list[int]:
    """The tokens to hide, a whole number that is `share` of the possible ones on average."""
    expected = share * int(may_be_hidden.sum())
    n_left = int(expected) + (random.random() < expected % 1)
    starts_anew = _boundaries(doc)
    free = may_be_hidden.copy()
    order = np.flatnonzero(free).tolist()
    random.shuffle(order)
    hidden: list[int] = []
    for start in order:
        if not free[start]:
            continue
        length = random.randint(1, max_length)
        for i in range(start, min(start + length, len(doc))):
            if len(hidden) == n_left or not free[i] or (i > start and starts_anew[i]):
                break
            free[i] = False
            hidden.append(i)
        if len(hidden) == n_left:
            break
    return hidden


def _boundaries(doc: Doc) -> np.ndarray:
    """The tokens at which an entity, or what is outside of entities, starts, (n_tokens,) bool."""
    labels = doc.to_array("ENT_TYPE")
    return (doc.to_array("ENT_IOB") == 3) | np.append(True, labels[1:] != labels[:-1])
