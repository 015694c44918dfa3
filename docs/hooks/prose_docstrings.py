"""A griffe extension: shows the `arg: what` lines of docstrings as a list of definitions."""

import re
from typing import Any

import griffe

# `name: …` or `one, other: …` at the margin; what belongs to it is indented.
ARGUMENTS = re.compile(r"^(\w+(?:, \w+)*): (.*)$")

# Asterisks in prose are patterns and products, no emphasis; those in backticks are left alone.
STAR = re.compile(r"\*(?=(?:[^`]*`[^`]*`)*[^`]*$)")


class ProseDocstrings(griffe.Extension):
    """Rewrites the docstrings of the functions and classes that the reference shows."""

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        _rewrite(func, {parameter.name.lstrip("*") for parameter in func.parameters})

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        # Fields of a NamedTuple or dataclass are explained like arguments.
        names = {name for name, member in cls.members.items() if member.is_attribute}
        init = cls.members.get("__init__")
        if isinstance(init, griffe.Function):
            names |= {parameter.name for parameter in init.parameters}
        _rewrite(cls, names)


def _rewrite(shown: griffe.Object, names: set[str]) -> None:
    if shown.docstring is not None:
        shown.docstring.value = with_definitions(shown.docstring.value, names)


def with_definitions(docstring: str, names: set[str]) -> str:
    """The docstring with Markdown definitions in place of the lines on the given arguments."""
    lines: list[str] = []
    is_open = False
    for line in docstring.splitlines():
        if not line.startswith("        "):
            line = STAR.sub(r"\\*", line)
        found = ARGUMENTS.match(line)
        if found and names.issuperset(found[1].split(", ")):
            terms = ", ".join(f"`{name}`" for name in found[1].split(", "))
            lines += ["", terms, f":   {found[2]}"]
            is_open = True
        else:
            is_open &= not line or line.startswith(" ")
            lines.append(line)
    return "\n".join(lines)
