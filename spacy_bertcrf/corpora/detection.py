"""Decides which format a file is in, by what it shows."""

from __future__ import annotations

from typing import NamedTuple

from spacy_bertcrf.corpora.description import describe
from spacy_bertcrf.corpora.formats import all_formats
from spacy_bertcrf.corpora.formats.format import AGAINST, Evidence, Format
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.sources import Source
from spacy_bertcrf.corpora.unread_bytes import describe_bytes


class NearlyFits(ValueError):
    """No format fits a file, and what keeps it from one is known."""


class Choice(NamedTuple):
    """A format, and what speaks for it."""

    format: Format
    evidence: Evidence


def weigh(source: Source, options: Options) -> list[Choice]:
    """What speaks for each format and against it, the strongest first. Of formats that a file shows
    nothing of there is no word."""
    found = []
    for format in all_formats().values():
        if format.binary or source.is_text:
            evidence = format.recognise(source, options)
            if evidence is not None:
                found.append(Choice(format, evidence))
    return sorted(found, key=lambda choice: -choice.evidence.strength)


def choose(source: Source, options: Options) -> Choice:
    """Decide for the format whose evidence is strongest.

    Raises ValueError, with what the file holds and the choices, if no format fits it, which is
    NearlyFits if one nearly does, or two as well as each other; also if its bytes are in another
    encoding.
    """
    of_others = source.is_text and describe_bytes(source) is not None
    if source.is_text and not of_others:
        source.text  # noqa: B018  # an encoding that does not fit is the first thing to mend
    seen = [] if of_others else weigh(source, options)
    fit = [choice for choice in seen if choice.evidence.strength > AGAINST]
    if not fit:
        close = [c for c in seen if c.evidence.is_close]
        asked = [c for c in seen if c in close or options.given() & c.format.options]
        reasons = "".join(f" {c.format.name}: {c.evidence.what}." for c in asked)
        raise (NearlyFits if close else ValueError)(
            f"{source.path} is {describe(source)}: no format fits it.{reasons} Name one with "
            f"--format: {', '.join(all_formats())}. --explain shows what speaks against each."
        )
    best = [choice for choice in fit if choice.evidence.strength == fit[0].evidence.strength]
    if len(best) > 1:
        shown = "; ".join(f"{choice.format.name}: {choice.evidence.what}" for choice in best)
        names = " or ".join(choice.format.name for choice in best)
        raise ValueError(
            f"{source.path} is {describe(source)}, and {len(best)} formats fit it ({shown}). Name "
            f"the right one: --format {names}."
        )
    return best[0]
