"""Two files of as many lines: a sentence's words in one, their tags in the other.

``seq.in`` with ``seq.out``, ``source.txt`` with ``target.txt``, ``train.words.txt`` with
``train.tags.txt``, ``sentences.txt`` with ``labels.txt``: as slot filling and MSRA's corpus are
handed around. Which of two files belong together their names tell, and their lines have to agree.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice, zip_longest
from pathlib import Path

from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, Evidence, Format
from spacy_bertcrf.corpora.json_values import looks_like_json
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Record
from spacy_bertcrf.corpora.sources import Source, files_in
from spacy_bertcrf.corpora.tagged_tokens import TaggedSentence, is_prefixed, read_tagged
from spacy_bertcrf.corpora.word_tags import are_tags

NOT_AS_MANY = "not as many tags as words"
TAGS_FILE = "Tags from"

_WORDS = ("words", "word", "tokens", "token", "sentences", "sentence", "sents", "texts", "text")
_TAGS = ("tags", "tag", "labels", "label", "ner", "slots", "slot", "bio", "iob")
_PAIRS = (
    *((words, tags) for words in _WORDS for tags in _TAGS),
    *(("in", "out"), ("source", "target"), ("src", "tgt"), ("input", "output")),
    *(("src", tags) for tags in _TAGS),
)
_PIECES = re.compile(r"([^A-Za-z]+)")
_SEEN = 100
_MOST = 0.9
_LARGEST = 1 << 28


class Parallel(Format):
    """A file of sentences and a file of their tags."""

    name = "parallel"
    description = "sentences in one file, their tags in another: seq.in and seq.out, words and tags"
    options = frozenset({"scheme", "label"})

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By a file beside it whose lines are tags, as many as it has words."""
        if source.is_folder or looks_like_json(source):
            return None
        beside = _tags_beside(source.path, source.encoding)
        if beside is not None:
            return Evidence(f"{beside.name} beside it has a tag for each of its words", CERTAIN)
        if fault := _fault_of(source.path, source.encoding):
            return Evidence(fault, AGAINST, is_close=True)
        if _has_only_tags(list(islice(source.lines(), _SEEN))):
            what = (
                "lines of tags without their words. Put the file of the words beside it, under "
                "such a name: words.txt for tags.txt, seq.in for seq.out, source for target"
            )
            return Evidence(what, AGAINST, is_close=True)
        return None

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a line. Raises ValueError if there is no file of tags for it, or it has
        another number of lines."""
        beside = _tags_beside(source.path, source.encoding)
        if beside is None and (fault := _fault_of(source.path, source.encoding)):
            raise ValueError(f"{source.path}: {fault}.")
        if beside is None:
            raise ValueError(
                f"{source.path}: no file beside it has a tag for each of its words. Expected such "
                "a name: tags.txt for words.txt, seq.out for seq.in, target for source."
            )
        problems.note(TAGS_FILE, str(beside))
        tags = Source(beside, source.encoding)
        return read_tagged(_sentences(source, tags, problems), options, problems)

    def main_file(self, path: Path) -> Path | None:
        """Of a file of tags, that of the words."""
        for words in _partners(path, _PAIRS, 1):
            if _tags_beside(words, "utf8") == path:
                return words
        return None

    def files(self, folder: Path) -> Sequence[Path] | None:
        """The files of words that have their tags beside them."""
        return [path for path in files_in(folder) if _tags_beside(path, "utf8")] or None


def _sentences(source: Source, tags: Source, problems: ProblemLog) -> Iterator[TaggedSentence]:
    lines = zip_longest(source.lines(), tags.lines())
    for number, (line, of) in enumerate(lines, start=1):
        tokens, found = (line or "").split(), (of or "").split()
        if not tokens:
            if found:
                what = f"{len(found)} in {tags.path.name}, and no words: left out"
                problems.add(NOT_AS_MANY, number, what)
            continue
        if len(tokens) != len(found):
            what = f"{len(tokens)} words, {len(found)} tags: left without annotation"
            problems.add(NOT_AS_MANY, number, what)
            yield TaggedSentence(number, tokens, [None] * len(tokens))
        else:
            yield TaggedSentence(number, tokens, found)


def _partners(path: Path, pairs: Sequence[tuple[str, str]], at: int) -> Iterator[Path]:
    """The files whose names are this one's with one word for another."""
    pieces = _PIECES.split(path.name)
    for index, piece in enumerate(pieces):
        for pair in pairs:
            if piece.lower() == pair[at]:
                other = pair[1 - at]
                made = other.capitalize() if piece[:1].isupper() else other
                found = path.with_name("".join([*pieces[:index], made, *pieces[index + 1 :]]))
                if found.is_file():
                    yield found


def _tags_beside(path: Path, encoding: str) -> Path | None:
    partners = list(_partners(path, _PAIRS, 0))
    return next((other for other in partners if _compare(path, other, encoding) == ""), None)


def _fault_of(path: Path, encoding: str) -> str | None:
    """Why the lines of a file and of that which its name tells do not belong together; None if
    there is none, or if they do."""
    pairs = [
        *((path, other) for other in _partners(path, _PAIRS, 0)),
        *((other, path) for other in _partners(path, _PAIRS, 1)),
    ]
    return next((fault for pair in pairs if (fault := _compare(*pair, encoding))), None)


@lru_cache(maxsize=64)
def _compare(path: Path, other: Path, encoding: str) -> str | None:
    """Hold the lines of words against those of the other file: None if these are no tags, or the
    words are tags too; else what is wrong, which is empty if each line is that of its number."""
    found = [Source(path, encoding), Source(other, encoding)]
    try:
        if any(of.path.stat().st_size > _LARGEST or not of.is_text for of in found):
            return None
        words, tags = (list(islice(of.lines(), _SEEN)) for of in found)
        if not _has_only_tags(tags) or _has_only_tags(words):
            return None
        sizes = [[len(line.split()) for line in of.lines()] for of in found]
    except (OSError, ValueError):
        return None
    counts = [len(of) for of in sizes]
    filled = [max((at for at, size in enumerate(of, start=1) if size), default=0) for of in sizes]
    pairs = enumerate(zip(*sizes, strict=False), start=1)
    apart = next((at for at, (one, of) in pairs if one != of), min(counts) + 1)
    # Blank lines at the end move nothing.
    if counts[0] != counts[1] and filled[0] != filled[1]:
        return (
            f"{path.name} has {filled[0]:,} lines and {other.name} {filled[1]:,}, so that tags "
            "would be of other sentences. Mend the one with a line too many or too few; line "
            f"{apart:,} is the first with another number of words than tags"
        )
    seen = [pair for pair in zip(*(of[:_SEEN] for of in sizes), strict=False) if any(pair)]
    agree = sum(one == of for one, of in seen)
    if agree < _MOST * len(seen):
        return (
            f"of the first {len(seen)} lines of {path.name} only {agree} have as many words as "
            f"{other.name} has tags, line {apart} not"
        )
    return "" if seen else None


def _has_only_tags(lines: Sequence[str]) -> bool:
    tags = Counter(tag for line in lines for tag in line.split())
    several = any(len(line.split()) > 1 for line in lines)
    return several and bool(tags) and any(map(is_prefixed, tags)) and are_tags(tags)
