"""How offsets in tokens count: from 0 or 1, ends inclusive or not, in sentences or documents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from spacy_bertcrf.corpora.offsets import FEW_MISFITS, LEAST_FIT, OTHER_SURFACE, OUT_OF_RANGE, quote
from spacy_bertcrf.corpora.records import Mention

SENTENCES = "sentences"
DOCUMENTS = "documents"
# Of fewer entities a slip may be the reason.
_FEW = 0.05


class TokenCounting(NamedTuple):
    """One way to count tokens.

    first: the offset of the first token.
    inclusive: whether the end is the last token rather than the one after it.
    within: what is counted from the beginning: SENTENCES or DOCUMENTS.
    """

    first: int
    inclusive: bool
    within: str

    def __str__(self) -> str:
        end = "inclusive" if self.inclusive else "exclusive"
        within = ", through all sentences of a document" if self.within == DOCUMENTS else ""
        return f"tokens from {self.first}, ends {end}{within}"

    def place(self, mention: Mention, start: int, in_document: bool = False) -> Mention:
        """An entity with offsets from 0 in its sentence, or in the document, ends exclusive.

        mention: the entity as the file has it.
        start: where its sentence begins in the document.
        in_document: whether offsets in the document are wanted.
        """
        shift = self.first
        if self.within == DOCUMENTS and not in_document:
            shift += start
        elif self.within == SENTENCES and in_document:
            shift -= start
        add = self.inclusive - shift
        pieces = tuple((first - shift, last + add) for first, last in mention.pieces)
        return mention._replace(start=mention.start - shift, end=mention.end + add, pieces=pieces)


class TaggedPart(NamedTuple):
    """A sentence with its entities. start: how many tokens of its document are before it."""

    tokens: Sequence[str]
    entities: Sequence[Mention]
    start: int = 0


def starts_of(sentences: Iterable[Sequence[str]]) -> list[int]:
    """Where each sentence of a document begins, in tokens."""
    return [0, *accumulate(map(len, sentences))][:-1]


def decide_tokens(
    parts: Sequence[TaggedPart], own: TokenCounting, path: Path, ends: str | None = None
) -> tuple[TokenCounting, str]:
    """Find out how the offsets of a file count.

    parts: the sentences with entities, whose offsets are numbers.
    own: the rule of such files, which holds where nothing speaks against it.
    path: the file, for messages.
    ends: "inclusive" or "exclusive", where the user says it.

    Returns the counting and the evidence. Raises ValueError if most entities fit by none, or if two
    ways fit alike and the file's own rule does not fit.
    """
    within = [SENTENCES, DOCUMENTS] if any(part.start for part in parts) else [SENTENCES]
    ways = [
        TokenCounting(first, inclusive, of)
        for of in within
        for first in (0, 1)
        for inclusive in (False, True)
        if ends is None or inclusive == (ends == "inclusive")
    ]
    pairs = [(part, entity) for part in parts for entity in part.entities]
    surfaces = sum(entity.surface is not None for _, entity in pairs)
    scores = {way: sum(fault(way, *pair) is None for pair in pairs) for way in ways}
    best = max(scores.values(), default=0)
    if best < LEAST_FIT * len(pairs) and len(pairs) - best >= FEW_MISFITS:
        raise ValueError(
            f"{path}: of {len(pairs):,} entities only {best:,} lie within their tokens"
            f"{' and have the text that the file says' if surfaces else ''}, however they are "
            "counted. The tokens were changed after they were annotated: export both again."
        )
    if own in scores and 0 < best - scores[own] <= _FEW * len(pairs):
        return own, f"{own}: the rule of such files; so {scores[own]:,} of {len(pairs):,} fit"
    fit = [way for way in ways if scores[way] == best]
    if own in fit:
        seen = f"so {best:,} of {len(pairs):,} entities fit"
        rivals = [way for way in fit if way[1:] != own[1:] and way.first == own.first]
        if not rivals or ends is not None:
            return own, f"{own}: {seen}"
        return own, f"{own}: the rule of such files; {seen} (and as many otherwise: --ends)"
    # An offset of 0 tells the first token; without one, programs count from 0.
    chosen = min(fit, key=lambda way: (way.first, way.inclusive != own.inclusive, way.within))
    why = f"{chosen}: so {best:,} of {len(pairs):,} entities fit, and {scores.get(own, 0):,} by "
    return chosen, why + f"the rule of such files ({own})"


def fault(way: TokenCounting, part: TaggedPart, entity: Mention) -> tuple[str, str] | None:
    """What speaks against an entity by a counting: its kind, and the words; None if nothing."""
    placed = way.place(entity, part.start)
    if not 0 <= placed.start < placed.end <= len(part.tokens):
        return OUT_OF_RANGE, f"there are {len(part.tokens)} tokens"
    if entity.surface is None:
        return None
    spans = placed.pieces or ((placed.start, placed.end),)
    found = [token for start, end in spans for token in part.tokens[start:end]]
    if _solid(found) == _solid([entity.surface]):
        return None
    return OTHER_SURFACE, f"its tokens are {quote(' '.join(found))}"


def _solid(pieces: Sequence[str]) -> str:
    return "".join("".join(pieces).split()).lower()
