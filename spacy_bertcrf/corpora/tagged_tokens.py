"""Sentences of tokens with one tag each, of whatever format → records with entities.

What is outside, and in which scheme and notation the tags are, is found out once for a file.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.tagging.repair import check_scheme, detect_scheme, read_tags

OUTSIDE = "Outside tag"
SCHEME = "Tag scheme"

_SEEN = 5000
_OUTSIDE_WORDS = frozenset("o 0 _ - other others out outside none null nil na nan".split())  # noqa: SIM905  # words
_PREFIXED = re.compile(r"[BIESMLU][-_]\S", re.IGNORECASE)
_SMALL_PREFIX = re.compile(r"([biesmlu])(?=[-_]\S)")
_BARE_PREFIXES = frozenset("BIESMLU")


class TaggedSentence(NamedTuple):
    """A sentence, or a text.

    line: the line where it begins.
    tokens: its tokens.
    tags: the tag of each, as the file has it; None for one that has none.
    lines: the line of each token, where they have lines of their own.
    text, spaces, key, new_document: as in `Record`.
    """

    line: int
    tokens: Sequence[str]
    tags: Sequence[str | None]
    lines: Sequence[int] | None = None
    text: str | None = None
    spaces: Sequence[bool] | None = None
    key: str | None = None
    new_document: bool | None = None


class Notation(NamedTuple):
    """How a file writes its tags.

    scheme: one of ``tagging.repair.FILE_SCHEMES``.
    outside: the tag of tokens that are of no entity.
    small: whether the prefixes are small letters.
    label: the label of all entities, where the tags name none.
    """

    scheme: str
    outside: str
    small: bool = False
    label: str | None = None

    def normal(self, tag: str | None) -> str | None:
        """A tag as `tagging.repair` reads it: "O", "B-PER"; None for one that is empty."""
        tag = (tag or "").strip()
        if not tag:
            return None
        if tag == self.outside:
            return "O"
        if self.small:
            tag = _SMALL_PREFIX.sub(lambda match: match[1].upper(), tag, count=1)
        if self.label is not None and tag in _BARE_PREFIXES:
            return f"{tag}-{self.label}"
        return tag


def looks_like_tags(tags: Iterable[str]) -> bool:
    """Whether strings are tags of entities rather than words, parts of speech or categories: most
    are outside or have a prefix, or none is more frequent than outside."""
    counts = Counter(tag.strip() for tag in tags)
    counts.pop("", None)
    if not counts:
        return False
    prefixed = sum(count for tag, count in counts.items() if is_prefixed(tag))
    outside = max((n for tag, n in counts.items() if is_outside(tag)), default=0)
    return 2 * (prefixed + outside) > counts.total() or outside == max(counts.values())


def is_prefixed(tag: str) -> bool:
    """Whether a tag begins as those of the tag schemes do: "B-PER"."""
    return bool(_PREFIXED.match(tag))


def is_outside(tag: str) -> bool:
    """Whether a tag is one of those that files have for what is of no entity: "O", "OTHER"."""
    return tag.lower() in _OUTSIDE_WORDS


def find_notation(sentences: Iterable[Sequence[str | None]], options: Options) -> Notation:
    """Find out how a file writes its tags.

    sentences: the tags of its sentences.
    options: the scheme, and the label of entities, where the user gives them.

    Returns the notation. Raises ValueError if these do not look like tags, or if they name no
    label and the user gives none.
    """
    tags = [[tag for tag in (_strip(tag) for tag in sentence) if tag] for sentence in sentences]
    counts = Counter(chain.from_iterable(tags))
    outside = _outside(counts)
    rest = set(counts) - {outside}
    small = any(_SMALL_PREFIX.match(tag) for tag in rest) and not any(
        is_prefixed(tag) and tag[0].isupper() for tag in rest
    )
    label = None
    if rest and rest <= _BARE_PREFIXES and "B" in rest:
        label = options.label
        if label is None:
            shown = ", ".join(sorted(rest | {outside}))
            raise ValueError(
                f"the tags name no label ({shown}). Give that of all entities: --label"
            )
    notation = Notation("BIO", outside, small, label)
    if options.scheme is not None:
        return notation._replace(scheme=check_scheme(options.scheme))
    normal = [[notation.normal(tag) for tag in sentence] for sentence in tags]
    return notation._replace(scheme=detect_scheme(normal) if rest else "BIO")


def read_tagged(
    sentences: Iterable[TaggedSentence], options: Options, problems: ProblemLog
) -> Iterator[Record]:
    """Read the entities of tagged sentences; tags that break their scheme are repaired, and
    reported; what was found out about the tags is noted.

    sentences: the sentences of one file.
    options: what the user says of the tags.
    problems: log to add to.

    Returns a record a sentence. Raises ValueError if the tags cannot be tags of entities.
    """
    sentences = iter(sentences)
    first = list(islice(sentences, _SEEN))
    try:
        notation = find_notation((sentence.tags for sentence in first), options)
    except ValueError as err:
        raise ValueError(f"{problems.path}: {err}") from None
    given = "" if options.scheme else " (detected; --scheme to change)"
    problems.notes[SCHEME] = f"{notation.scheme}{given}"
    if notation.outside != "O":
        problems.notes[OUTSIDE] = f"{notation.outside!r}, for no tag is 'O'"
    for sentence in chain(first, sentences):
        yield _record(sentence, notation, problems)


def _record(sentence: TaggedSentence, notation: Notation, problems: ProblemLog) -> Record:
    tags = [notation.normal(tag) for tag in sentence.tags]
    spans, missing, repairs, _ = read_tags(tags, notation.scheme)
    for token, kind, what in repairs:
        line = sentence.lines[token] if sentence.lines else sentence.line
        where = "" if sentence.lines else f"token {token + 1}, {sentence.tokens[token]!r}: "
        problems.add(kind, line, where + what)
    return Record(
        sentence.line,
        text=sentence.text,
        tokens=sentence.tokens,
        spaces=sentence.spaces,
        entities=[Mention(*span) for span in spans],
        missing=[(token, token + 1) for token in missing],
        key=sentence.key,
        new_document=sentence.new_document,
        lines=sentence.lines,
    )


def _outside(counts: Counter[str]) -> str:
    if "O" in counts:
        return "O"
    words = [tag for tag in counts if is_outside(tag)]
    return max(words, key=lambda tag: counts[tag]) if words else "O"


def _strip(tag: str | None) -> str:
    return (tag or "").strip()
