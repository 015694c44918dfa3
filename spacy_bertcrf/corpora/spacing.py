"""Tells tokens that are characters, with the spaces of the text among them, from words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice

from spacy_bertcrf.corpora.records import Record

_RECORDS_SEEN = 1000
_NEARLY_ALL = 0.95
_MANY = 0.25
_SPACE = " "


def with_own_spaces(records: Iterable[Record]) -> Iterator[Record]:
    """Where spaces are tokens of their own, as in KLUE's Korean, say of the others that none
    follows them: else the text would have one between any two characters.

    records: the records of one file; those that know their text or their spaces stay as they are.

    Returns the same records.
    """
    records = iter(records)
    first = list(islice(records, _RECORDS_SEEN))
    are_tokens = _spaces_are_tokens(first)
    for record in chain(first, records):
        if are_tokens and record.tokens is not None and record.text is None:
            record.spaces = record.spaces or [False] * len(record.tokens)
        yield record


def _spaces_are_tokens(records: Iterable[Record]) -> bool:
    """Whether there are spaces among tokens of one character, or as many as between words. A few
    among words are those that a tokenizer has kept where there were two."""
    n_tokens = n_characters = n_spaces = 0
    for record in records:
        tokens = record.tokens or ()
        n_tokens += len(tokens)
        n_characters += sum(len(token) == 1 for token in tokens)
        n_spaces += sum(token == _SPACE for token in tokens)
    are_characters = n_characters >= _NEARLY_ALL * n_tokens
    return n_spaces > 0 and (are_characters or n_spaces >= _MANY * n_tokens)
