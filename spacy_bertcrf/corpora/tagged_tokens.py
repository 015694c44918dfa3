"""Sentences of tokens with one tag each, of whatever format → records with entities.

In which scheme and style the tags are is found out once for a file.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

from spacy_bertcrf.corpora.clean_tags import UNSEEN, clean_tag
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.tagging.repair import check_scheme, detect_scheme, read_tags
from spacy_bertcrf.tagging.tag_levels import each_tag, levels, tags_of
from spacy_bertcrf.tagging.tag_style import TagStyle, find_style

SCHEME = "Tag scheme"
STYLE = "Tags"

_SEEN = 5000
_OUTSIDE_WORDS = frozenset("o 0 _ - other others out outside none null nil na nan".split())  # noqa: SIM905  # words
_PREFIXED = re.compile(r"[BIESMLU][-_]\S", re.IGNORECASE)


class TaggedSentence(NamedTuple):
    """A sentence, or a text.

    line: the line where it begins.
    tokens: its tokens.
    tags: the tag of each, as the file has it, or several, joined ("I-ORG|B-LOC"); None for one that
        has none.
    lines: the line of each token, where they have lines of their own.
    text, spaces, key, new_document: as in `Record`.
    """

    line: int
    tokens: Sequence[str]
    tags: Sequence[str | None]
    lines: Sequence[int] | None = None
    text: str | None = None
    spaces: Sequence[bool] | None = None
    key: str | int | None = None
    new_document: bool | None = None


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


def are_tags(text: str) -> bool:
    """Whether a text is the tags of several tokens: "O O B-PER"."""
    words = text.split()
    return len(words) > 1 and all(word == "O" or is_prefixed(word) for word in words)


def is_outside(tag: str) -> bool:
    """Whether a tag is one of those that files have for what is of no entity: "O", "OTHER"."""
    return tag.lower() in _OUTSIDE_WORDS


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
    scheme = check_scheme(options.scheme) if options.scheme else None
    counts = each_tag(Counter(chain.from_iterable(map(_stripped, first))))
    counts.pop("", None)
    try:
        style = find_style(counts, scheme)
    except ValueError as err:
        raise ValueError(f"{problems.path}: {err}") from None
    if style.position == "alone" and options.label is None:
        raise ValueError(
            f"{problems.path}: the tags name no label ({', '.join(sorted(counts))}). Give that of "
            "all entities with --label."
        )
    if scheme is None:
        canonical = chain.from_iterable(_levels(s, style, options) for s in first)
        entities = counts.keys() - style.outside
        scheme = detect_scheme(canonical) if entities else "BIO"
    given = "" if options.scheme else " (detected; --scheme to change)"
    problems.note(SCHEME, f"{scheme}{given}")
    if style != TagStyle() and (style.position != "nowhere" or style.outside != {"O"}):
        problems.note(STYLE, str(style))
    for sentence in chain(first, sentences):
        yield _record(sentence, _levels(sentence, style, options), scheme, problems)


def _levels(sentence: TaggedSentence, style: TagStyle, options: Options) -> list[list[str]]:
    """The tags as `read_tags` reads them, a level for each of those that overlap."""
    cells = _stripped(sentence)
    tokens = [tags_of(cell) for cell in cells]
    if all(len(tags) == 1 for tags in tokens):
        return [style.canonical_tags(cells, options.label)]
    return levels([style.canonical(tag, options.label) for tag in tags] for tags in tokens)


def _record(
    sentence: TaggedSentence, by_level: Sequence[Sequence[str]], scheme: str, problems: ProblemLog
) -> Record:
    readings = [read_tags([tag or None for tag in tags], scheme) for tags in by_level]
    # Of two labels for the same tokens the one that the file has first stays first.
    spans = sorted(chain.from_iterable(r.spans for r in readings), key=lambda span: span.start)
    missing = sorted({token for reading in readings for token in reading.missing})
    repairs = sorted(chain.from_iterable(r.repairs for r in readings))
    unseen = [
        (at, UNSEEN, f"{tag!r} is read as {cleaned!r}")
        for at, tag in enumerate(sentence.tags)
        if tag and (cleaned := clean_tag(tag)) != tag.strip()
    ]
    for token, kind, what in [*unseen, *repairs]:
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


def _stripped(sentence: TaggedSentence) -> list[str]:
    return [clean_tag(tag) if tag else "" for tag in sentence.tags]
