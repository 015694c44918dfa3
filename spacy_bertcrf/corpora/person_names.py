"""Joins the family and given names of persons where a corpus has them as two words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

Words = Sequence[tuple[str, bool]]

_FAMILY = 2
_GIVEN = 3
_SHARE = 0.2


def names_are_split(sentences: Iterable[Words]) -> bool:
    """Whether a corpus has family and given names as two words.

    sentences: words, each with whether it is of a person.

    Returns whether many words of persons are one character that another such word follows.
    """
    family = total = 0
    for words in sentences:
        for at, (word, is_person) in enumerate(words):
            total += is_person
            family += is_person and len(word) == 1 and _is_person(words, at + 1)
    return family > _SHARE * total


def join_names(words: Words, split: bool) -> Iterator[tuple[int, int]]:
    """Join the words that are one name.

    words: the words of a sentence, each with whether it is of a person.
    split: whether the corpus has family and given names as two words; otherwise only a single
        character is a family name.

    Returns the start and end of each name and of each other word, in words.
    """
    at = 0
    while at < len(words):
        end = at + 2 if _is_family(words, at, split) else at + 1
        yield at, end
        at = end


def _is_family(words: Words, at: int, split: bool) -> bool:
    """Whether a word is a family name with its given name behind it."""
    if not (_is_person(words, at) and _is_person(words, at + 1)):
        return False
    word, given = words[at][0], words[at + 1][0]
    if len(word) == 1:
        return len(given) <= (_GIVEN if split else 2)
    begins_another = len(given) == 1 and _is_person(words, at + 2)
    return split and len(word) <= _FAMILY and len(given) <= _GIVEN and not begins_another


def _is_person(words: Words, at: int) -> bool:
    return at < len(words) and words[at][1]
