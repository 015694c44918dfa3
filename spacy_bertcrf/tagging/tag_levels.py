"""Tags of entities that overlap: a token has several, "I-ORG|B-LOC"."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

_TAG = r"(?:O|[BIESMLUW][-_][^|;,]+)"
_SEVERAL = re.compile(rf"{_TAG}(?:[|;,]{_TAG})+")
_BEGINNINGS = "BSUW"
_GOING_ON = "BIM"


def tags_of(cell: str) -> list[str]:
    """The tags of a token as its file joins them, as in Straková et al. (2019,
    https://aclanthology.org/P19-1527): those that are outside of nothing, or else one."""
    if not _SEVERAL.fullmatch(cell):
        return [cell]
    return [tag for tag in re.split(r"[|;,]", cell) if tag != "O"] or ["O"]


def joined(outer: str, inner: str) -> str | None:
    """Two tags of a token as `tags_of` parts them; None if they are no two tags of entities."""
    cell = f"{outer}|{inner}"
    return cell if _SEVERAL.fullmatch(cell) else None


def each_tag(cells: Mapping[str, int]) -> Counter[str]:
    """How often each tag is there, of how often each cell is."""
    found: Counter[str] = Counter()
    for cell, count in cells.items():
        for tag in tags_of(cell):
            found[tag] += count
    return found


def levels(tokens: Iterable[Sequence[str]]) -> list[list[str]]:
    """Part the tags of a sentence to levels on which no two entities overlap, so that each entity
    is on one.

    tokens: the tags of each token, in the scheme's letters, in any order.

    Returns the tags of each level; if each token has one, that is the only level.
    """
    found: list[list[str]] = [[]]
    for at, tags in enumerate(tokens):
        free = list(range(len(found)))
        # What goes on does so first, and leaves to what begins the levels that are left.
        for tag in sorted(tags, key=lambda tag: tag[:1] in _BEGINNINGS):
            begins = tag[:1] in _BEGINNINGS
            going = [n for n in free if at and not begins and _goes_on(found[n][-1], tag)]
            if not going and not free:
                free.append(len(found))
                found.append(["O"] * at)
            level = (going or free)[0]
            free.remove(level)
            found[level].append(tag)
        for level in free:
            found[level].append("O")
    return found


def _goes_on(before: str, tag: str) -> bool:
    return before[:1] in _GOING_ON and before[1:] == tag[1:]
