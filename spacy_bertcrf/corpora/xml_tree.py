"""XML as a tree whose elements know their lines, and its texts with the white space of readers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.entities import html5
from pathlib import Path
from xml.parsers import expat

# A line break and an indent are of the file's layout, and one space to its reader.
_LAYOUT = re.compile(r"[ \t]*(?:\r\n|\r|\n)[ \t]+(?:\s*[ \t])?|[ \t]{2,}")


@dataclass(slots=True)
class Element:
    """An element.

    name: its name, without a namespace's prefix.
    attributes: its attributes, names in small letters.
    line: its line, from 1.
    children: texts and elements, in their order.
    """

    name: str
    attributes: dict[str, str]
    line: int
    children: list[Element | str] = field(default_factory=list)

    @property
    def elements(self) -> list[Element]:
        """The elements among its children."""
        return [child for child in self.children if isinstance(child, Element)]

    @property
    def has_text(self) -> bool:
        """Whether there is text directly inside it."""
        return any(isinstance(child, str) and child.strip() for child in self.children)

    @property
    def text(self) -> str:
        """All text inside it."""
        return "".join(of if isinstance(of, str) else of.text for of in self.children)

    def walk(self) -> Iterator[Element]:
        """It and all elements inside it."""
        yield self
        for child in self.elements:
            yield from child.walk()


def parse_xml(text: str, path: Path) -> Element:
    """Parse XML; nothing outside the text is loaded.

    text: the text.
    path: the file, for messages.

    Returns its outermost element. Raises ValueError, with the line, if it is not well-formed.
    """
    root = Element("", {}, 0)
    stack = [root]
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True

    def start(name: str, attributes: dict[str, str]) -> None:
        named = {key.rsplit("}", 1)[-1].lower(): value for key, value in attributes.items()}
        element = Element(name.rsplit("}", 1)[-1], named, parser.CurrentLineNumber)
        stack[-1].children.append(element)
        stack.append(element)

    def end(name: str) -> None:
        stack.pop()

    def add(data: str) -> None:
        stack[-1].children.append(data)

    def skipped(name: str, is_parameter: bool) -> None:
        # Names of HTML's characters are of a DTD that is not loaded.
        if not is_parameter:
            add(html5.get(f"{name};", f"&{name};"))

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = add
    parser.SkippedEntityHandler = skipped
    try:
        parser.Parse(re.sub(r"""^\s*<\?xml[^>]*\?>""", "", text), True)
    except (expat.ExpatError, RecursionError) as err:
        raise ValueError(f"{path} is no well-formed XML: {err}.") from None
    return root.elements[0]


def without_layout(text: str) -> tuple[str, list[int]]:
    """Take the layout of the file out of a text: indents and the breaks before them become one
    space, and there is none at either end.

    Returns the text, and for each place in the old one, its end among them, that in the new.
    """
    pieces: list[str] = []
    places: list[int] = []
    at = length = 0
    left, right = len(text) - len(text.lstrip()), len(text.rstrip())
    for match in [*_LAYOUT.finditer(text, left, right), None]:
        end = match.start() if match else right
        kept = text[max(at, left) : end] if end > max(at, left) else ""
        places += [length] * (max(at, left) - len(places))
        places += range(length, length + len(kept))
        pieces.append(kept)
        length += len(kept)
        if match:
            places += [length] * (match.end() - match.start())
            pieces.append(" ")
            length += 1
            at = match.end()
    places += [length] * (len(text) + 1 - len(places))
    return "".join(pieces), places
