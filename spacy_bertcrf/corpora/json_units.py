"""What the offsets of entities in JSON count: the characters of a text, or its tokens."""

import re
from collections import Counter
from typing import Any, NamedTuple

from spacy_bertcrf.corpora.json_entities import entities_in, has_offsets
from spacy_bertcrf.corpora.json_keys import are_tokens
from spacy_bertcrf.corpora.language import is_unspaced
from spacy_bertcrf.corpora.records import Mention

CHARACTERS = "characters"
TOKENS = "tokens"


def choose_unit(
    objects: list[dict[str, Any]], texts: list[str], tokens: str | None, key: str
) -> tuple[str | None, str, str]:
    """The text that the entities are in, whether their offsets count its characters or its tokens,
    and how it is to be cut into these: by their surfaces, else by where they fit at all."""
    if not texts:
        return None, TOKENS, ""
    cuts = ("",) if tokens is not None else ("spaces", "words")
    fits = {(text, cut): _fits(objects, text, tokens, key, cut) for text in texts for cut in cuts}
    text = max(texts, key=lambda of: (fits[of, cuts[0]].characters, -texts.index(of)))
    cut = max(cuts, key=lambda of: fits[text, of].tokens)
    found = fits[text, cut]
    if tokens is not None and not found.long and found.tokens > found.characters:
        return text, TOKENS, ""
    if tokens is None and 2 * found.characters < found.total and found.tokens == found.total:
        return text, TOKENS, cut
    return text, CHARACTERS, ""


def cut_text(text: str, cut: str) -> list[str]:
    """A text in words: those parted by "spaces", or "words" and marks one by one."""
    return text.split() if cut == "spaces" else re.findall(r"\w+|[^\w\s]", text)


class _Fits(NamedTuple):
    """How many entities fit the characters of a text, and how many its tokens; how many end behind
    the last token; and how many there are."""

    characters: int = 0
    tokens: int = 0
    long: int = 0
    total: int = 0


def _fits(
    objects: list[dict[str, Any]], text: str, tokens: str | None, key: str, cut: str
) -> _Fits:
    counts: Counter[str] = Counter()
    for value in objects:
        own, words = value.get(text), value.get(tokens) if tokens is not None else None
        if not isinstance(own, str):
            continue
        flat = cut_text(own, cut) if cut else _flat(words)
        for one in entities_in(value.get(key), own):
            if not isinstance(one, Mention) or not has_offsets(one):
                continue
            start, end = one.start, one.end
            counts["total"] += 1
            counts["long"] += flat is not None and end > len(flat)
            if one.surface:
                piece = own[max(start - 1, 0) : end + 1]
                counts["characters"] += _solid(one.surface) in _solid(piece)
                counts["tokens"] += flat is not None and _is_of_tokens(one, flat)
            else:
                counts["characters"] += _is_word(own, start, end)
                counts["tokens"] += flat is not None and end <= len(flat)
    return _Fits(**counts)


def _is_of_tokens(entity: Mention, tokens: list[str]) -> bool:
    """Whether an entity's surface is that of its tokens, from 0 or 1, its end inclusive or not."""
    pieces = [
        tokens[max(entity.start - first, 0) : entity.end - first + inclusive]
        for first in (0, 1)
        for inclusive in (0, 1)
    ]
    return _solid(entity.surface or "") in [_solid("".join(piece)) for piece in pieces]


def _flat(tokens: Any) -> list[str] | None:
    if not are_tokens(tokens):
        return None
    return [w for of in tokens for w in of] if isinstance(tokens[0], list) else tokens


def _is_word(text: str, start: int, end: int) -> bool:
    """Whether a span begins and ends where words do, whichever way its end is counted."""

    def border(at: int) -> bool:
        around = text[at - 1 : at + 1] if 0 < at < len(text) else ""
        return not around.isalnum() or any(map(is_unspaced, around))

    inside = 0 <= start < len(text) and end <= len(text) and text[start:end].strip()
    return bool(inside) and border(start) and (border(end) or border(end + 1))


def _solid(text: str) -> str:
    return "".join(text.split())
