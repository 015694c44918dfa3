"""How the offsets of a file count: from 0 or 1, ends inclusive or not, in which unit.

Where a file has the surface of each entity beside its offsets, the surfaces decide, once for the
file. Where it has none, word borders may speak; where nothing does, the tool's own rule holds.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from spacy_bertcrf.corpora.counting import Counting, OffsetRule, place, same, to_code_points
from spacy_bertcrf.corpora.language import is_unspaced
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record

OTHER_SURFACE = "surface differs from the text"
OUT_OF_RANGE = "offsets out of range"

# A file of which fewer entities fit by any counting was not made from this text.
LEAST_FIT = 0.5
# Of fewer misfits nothing can be concluded about the file as a whole.
FEW_MISFITS = 5
# Of fewer entities a slip may be the reason.
_FEW = 0.05
# Word borders in texts that write no spaces: of fewer nothing can be concluded, nor where they are
# not so many times as many as by the tool's rule.
_FEW_BORDERS = 5
_CLEAR = 2


class Decision(NamedTuple):
    """What was decided for a file. why: the evidence, a sentence to print; empty where the tool's
    own rule holds and nothing was in doubt."""

    counting: Counting
    why: str


def decide(records: Sequence[Record], rule: OffsetRule, path: Path) -> Decision:
    """Find out how the offsets of a file count.

    records: what the file holds; those without a text do not count.
    rule: the tool's rule.
    path: the file, for messages.

    Returns the counting and its evidence. Raises ValueError if most surfaces fit by none, or most
    entities lie outside their texts: those were changed after they were annotated.
    """
    texts = [(record.text, mention) for record, mention in _mentions(records)]
    with_surface = [(text, mention) for text, mention in texts if mention.surface]
    if with_surface:
        return _by_surface(with_surface, rule, path)
    decision = _by_range(texts, rule) or _by_borders(texts, rule)
    _check_range(texts, decision.counting, path)
    return decision


def convert(record: Record, counting: Counting, problems: ProblemLog) -> None:
    """Change a record's offsets to code points from 0, ends exclusive; take out each entity that
    does not fit and note it, and mark the places where it may be as missing: all of the text, if
    nothing says where that is.

    record: the record, changed in place.
    counting: how its offsets count.
    problems: log to add to.
    """
    text = record.text
    if text is None or record.tokens is not None:
        return
    to_code_point = to_code_points(text, counting)
    kept = []
    for mention in record.entities or ():
        placed = place(mention, counting, to_code_point)
        fault = _fault(text, mention, placed)
        if fault is None:
            kept.append(placed or mention)
            continue
        kind, what = fault
        problems.add(kind, mention.line or record.line, f"{name(mention)}: {what}")
        places = list(_possible_places(text, mention, placed))
        record.missing += places
        if not places:
            record.doubt_all()
    if record.entities is not None:
        record.entities = kept
    doubtful = [place(mention, counting, to_code_point) for mention in record.doubtful]
    record.missing += [(mention.start, mention.end) for mention in doubtful if mention is not None]
    rejected = [(m, place(m, counting, to_code_point)) for m in record.rejected]
    record.rejected = [to for m, to in rejected if to is not None and not _fault(text, m, to)]


def name(mention: Mention) -> str:
    """An entity as messages call it."""
    surface = f" {quote(mention.surface)}" if mention.surface else ""
    return f"{mention.label}{surface} at [{mention.start}, {mention.end}]"


def quote(value: object) -> str:
    """A value in quotes, cut if it is long."""
    quoted = repr(value)
    return quoted if len(quoted) <= 40 else quoted[:38] + "…" + quoted[-1]


def _mentions(records: Iterable[Record]) -> Iterator[tuple[Record, Mention]]:
    for record in records:
        if record.text is not None and record.tokens is None:
            for mention in record.entities or ():
                yield record, mention


def _by_surface(
    mentions: list[tuple[str | None, Mention]], rule: OffsetRule, path: Path
) -> Decision:
    total = len(mentions)
    own = _count_fits(mentions, rule.own)
    if own == (total, total):
        return Decision(rule.own, f"{rule.own}: so all {total:,} surfaces fit")
    # Where each surface is there but for white space, another counting is better if all fit better.
    least = total if own[0] == total else 0
    others = {counting: _count_fits(mentions, counting, least) for counting in rule.with_surface}
    scores = {rule.own: own, **others}
    best = max(scores, key=lambda counting: scores[counting])
    fits = scores[best][0]
    if fits < LEAST_FIT * total and total - fits >= FEW_MISFITS:
        raise ValueError(
            f"{path}: of {total:,} entities only {fits:,} have the text that the file says, "
            "however the offsets are counted. The text was changed after it was annotated, or this "
            "is another text: export both again."
        )
    beside = "" if best == rule.own else f"; by the format's rule ({rule.own}) {own[0]:,} do"
    return Decision(best, f"{best}: so {fits:,} of {total:,} surfaces fit{beside}")


def _count_fits(
    mentions: Sequence[tuple[str | None, Mention]], counting: Counting, least: int = 0
) -> tuple[int, int]:
    """How many surfaces fit apart from white space, and how many to the letter; counted no further
    when fewer than `least` can."""
    loosely = exactly = 0
    mapped: str | None = None
    to_code_point: Callable[[int], int | None] = same
    for seen, (text, mention) in enumerate(mentions):
        if loosely + len(mentions) - seen < least:
            break
        if text is not mapped:
            to_code_point, mapped = to_code_points(text or "", counting), text
        placed = place(mention, counting, to_code_point)
        if placed is not None and placed.end <= len(text or ""):
            found = _text_of(text or "", placed)
            exactly += found == mention.surface
            loosely += _solid(found) == _solid(mention.surface or "")
    return loosely, exactly


def _check_range(
    mentions: list[tuple[str | None, Mention]], counting: Counting, path: Path
) -> None:
    spans = [(_span(text or "", mention, counting), text or "") for text, mention in mentions]
    outside = sum(span is None or not 0 <= span[0] <= span[1] <= len(text) for span, text in spans)
    if outside > LEAST_FIT * len(spans) and outside >= FEW_MISFITS:
        raise ValueError(
            f"{path}: of {len(spans):,} entities {outside:,} lie outside their texts. The texts "
            "were changed after they were annotated, or these are others: export both again."
        )


def _by_range(mentions: list[tuple[str | None, Mention]], rule: OffsetRule) -> Decision | None:
    """Whether ends are counted the other way than by the tool's rule, for else some entities would
    be empty, or run over the end of their text. None where that says nothing."""
    other = rule.own._replace(inclusive=not rule.own.inclusive)
    if not rule.other_ends or _n_outside(mentions, other):
        return None
    outside = _n_outside(mentions, rule.own)
    if not outside or outside < _FEW * len(mentions):
        return None
    if _n_on_borders(mentions, other) < _n_on_borders(mentions, rule.own):
        return None
    what = "run over the end of their texts" if rule.own.inclusive else "be empty"
    why = f"{other}: by the format's rule ({rule.own}) {outside:,} of {len(mentions):,} entities"
    return Decision(other, f"{why} would {what}")


def _n_outside(mentions: list[tuple[str | None, Mention]], counting: Counting) -> int:
    spans = [(_span(text or "", mention, counting), text or "") for text, mention in mentions]
    return sum(span is None or not 0 <= span[0] < span[1] <= len(text) for span, text in spans)


def _n_on_borders(mentions: list[tuple[str | None, Mention]], counting: Counting) -> int:
    return sum(_on_borders(text or "", mention, counting) for text, mention in mentions)


def _by_borders(mentions: list[tuple[str | None, Mention]], rule: OffsetRule) -> Decision:
    """Of those entities that lie elsewhere by another counting, where do both ends fall on the
    borders of words? Scripts that write no spaces have none, and do not speak."""
    others = [counting for counting in rule.without_surface if counting != rule.own]
    scores: dict[Counting, int] = {}
    asked = 0
    for counting in others:
        doubtful = [
            (text or "", mention)
            for text, mention in mentions
            if _span(text or "", mention, counting) != _span(text or "", mention, rule.own)
        ]
        if doubtful:
            asked = max(asked, len(doubtful))
            scores[counting] = sum(_on_borders(*pair, counting) for pair in doubtful)
            own = sum(_on_borders(*pair, rule.own) for pair in doubtful)
            scores[rule.own] = max(scores.get(rule.own, 0), own)
    if not scores:
        return Decision(rule.own, "")
    best = max(scores, key=lambda counting: (scores[counting], counting == rule.own))
    if best != rule.own and _are_unspaced(mentions):
        # There is punctuation around some entities, and by chance behind others.
        clear = max(_FEW_BORDERS, _CLEAR * scores[rule.own])
        best = best if scores[best] >= clear else rule.own
    shown = ", ".join(f"{score:,} as {_difference(of, scores)}" for of, score in scores.items())
    why = f"{best}: of {asked:,} entities in doubt, so many fall on word borders: {shown}"
    if scores[best] == scores[rule.own]:
        best = rule.own
        why = f"{best}: the tool's rule; word borders do not speak against it ({shown})"
        whole = next((of for of in others if not _n_inside(mentions, of)), None)
        inside = _n_inside(mentions, best) if whole is not None else 0
        if whole is not None and inside:
            why = (
                f"{whole}: by the format's rule ({best}) {inside:,} of {len(mentions):,} entities "
                "would begin or end inside a character"
            )
            best = whole
    return Decision(best, why)


def _are_unspaced(mentions: list[tuple[str | None, Mention]]) -> bool:
    """Whether the borders of words are seen in few of these texts only."""
    texts = {text for text, _ in mentions if text}
    return 2 * sum(any(map(is_unspaced, text)) for text in texts) > len(texts)


def _n_inside(mentions: list[tuple[str | None, Mention]], counting: Counting) -> int:
    return sum(_span(text or "", mention, counting) is None for text, mention in mentions)


def _difference(counting: Counting, others: Iterable[Counting]) -> str:
    """What tells a counting from others, in short."""
    of_units = len({other._replace(unit="") for other in others}) == 1
    return counting.unit if of_units else str(counting)


def _on_borders(text: str, mention: Mention, counting: Counting) -> bool:
    span = _span(text, mention, counting)
    if span is None or not 0 <= span[0] < span[1] <= len(text):
        return False
    start, end = span
    solid = not (text[start].isspace() or text[end - 1].isspace())
    return solid and _is_border(text, start) and _is_border(text, end)


def _is_border(text: str, at: int) -> bool:
    """Whether a word may begin or end here. A mark belongs to the character that it stands on."""
    if at in (0, len(text)):
        return True
    before = at - 1
    while before and _is_mark(text[before]):
        before -= 1
    return not (_is_mark(text[at]) or (text[before].isalnum() and text[at].isalnum()))


def _is_mark(char: str) -> bool:
    return unicodedata.category(char).startswith("M")


def _span(text: str, mention: Mention, counting: Counting) -> tuple[int, int] | None:
    placed = place(mention, counting, to_code_points(text, counting))
    return placed and (placed.start, placed.end)


def _text_of(text: str, placed: Mention) -> str:
    spans = placed.pieces or ((placed.start, placed.end),)
    return " ".join(text[start:end] if start >= 0 else "" for start, end in spans)


def _solid(text: str) -> str:
    return "".join(text.split())


def _fault(text: str, mention: Mention, placed: Mention | None) -> tuple[str, str] | None:
    if placed is None:
        return OUT_OF_RANGE, "an offset inside a character"
    if not 0 <= placed.start < placed.end <= len(text):
        return OUT_OF_RANGE, f"the text has {len(text)} characters"
    found = _text_of(text, placed)
    if mention.surface is None or found == mention.surface:
        return None
    if _solid(found) == _solid(mention.surface) and _solid(found):
        return None
    return OTHER_SURFACE, f"the text has {quote(found)} there"


def _possible_places(
    text: str, mention: Mention, placed: Mention | None
) -> Iterator[tuple[int, int]]:
    """Where an entity may be whose surface and offsets disagree."""
    span = placed or mention
    if span.end > 0 and span.start < len(text):
        yield max(span.start, 0), min(max(span.end, span.start + 1), len(text))
    at = text.find(mention.surface) if mention.surface else -1
    while at >= 0 and mention.surface:
        yield at, at + len(mention.surface)
        at = text.find(mention.surface, at + len(mention.surface))
