"""How each tag scheme writes an entity, token by token."""

from __future__ import annotations

from typing import NamedTuple

SCHEMES = ("BIO", "BIOES")


class Scheme(NamedTuple):
    """The tag prefix of a token by its place in the entity.

    BIO is also known as IOB2 (Tjong Kim Sang and Veenstra, 1999, "Representing Text Chunks");
    BIOES as IOBES, BMES or BILOU, which differ in letters only (Ratinov and Roth, 2009, "Design
    Challenges and Misconceptions in Named Entity Recognition").

    first: the first token of an entity of two or more.
    inner: a token with one of its entity on both sides.
    last: the last token of an entity of two or more.
    only: the token of an entity of one.
    """

    first: str
    inner: str
    last: str
    only: str

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Each prefix once, in the order in which tag ids are given."""
        return tuple(dict.fromkeys(self))

    @property
    def begin(self) -> frozenset[str]:
        """Prefixes that begin an entity."""
        return frozenset((self.first, self.only))

    @property
    def resume(self) -> frozenset[str]:
        """Prefixes that carry on the entity of the token before."""
        return frozenset((self.inner, self.last))

    @property
    def may_go_on(self) -> frozenset[str]:
        """Prefixes after which the same entity may go on."""
        return frozenset((self.first, self.inner))

    @property
    def may_stop(self) -> frozenset[str]:
        """Prefixes after which the entity may be over."""
        return frozenset((self.last, self.only))


def get_scheme(name: str) -> Scheme:
    """Look a scheme up by its name, one of SCHEMES.

    Raises ValueError if there is no such scheme.
    """
    if name == "BIO":
        return Scheme(first="B", inner="I", last="I", only="B")
    if name == "BIOES":
        return Scheme(first="B", inner="I", last="E", only="S")
    raise ValueError(f"There is no tag scheme {name!r}. Use one of: {', '.join(SCHEMES)}.")
