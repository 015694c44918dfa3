"""Documents that JSON has in passages, in which entities count from the beginning of the document.

BigBio (Fries et al., 2022): ``"passages": [{"text": ["Title."], "offsets": [[0, 6]]}, …]`` beside
``"entities": [{"text": ["…"], "offsets": [[0, 4]], "type": "Gene"}]``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from spacy_bertcrf.corpora.json_entity_keys import plain

_TEXT = ".text"
_PASSAGES = ("passages", "paragraphs", "sections", "sentences")


def texts_of_passages(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The keys of an object under which passages are, as those of texts, and the whole texts."""
    for key, of in value.items():
        text = _whole(of) if plain(key) in _PASSAGES else None
        if text is not None:
            yield f"{key}{_TEXT}", text


def text_of_passages(value: dict[str, Any], key: str) -> str | None:
    """The whole text of passages under a key, as `texts_of_passages` has it; None if there are
    none."""
    return _whole(value.get(key.removesuffix(_TEXT))) if key.endswith(_TEXT) else None


def _whole(passages: Any) -> str | None:
    """The text of passages, each at its place; None if a value is no list of such, or if they do
    not follow one another."""
    if not isinstance(passages, list) or not passages:
        return None
    text = ""
    for passage in passages:
        if not isinstance(passage, dict):
            return None
        pieces, offsets = passage.get("text"), passage.get("offsets")
        if not isinstance(pieces, list) or not isinstance(offsets, list):
            return None
        if len(pieces) != len(offsets):
            return None
        for piece, place in zip(pieces, offsets, strict=True):
            if not isinstance(piece, str) or not isinstance(place, list) or len(place) != 2:
                return None
            start = place[0]
            if type(start) is not int or start < len(text) or place[1] != start + len(piece):
                return None
            # What is between passages is in none of them.
            text += "\n" * (start - len(text)) + piece
    return text
