"""Texts with their entities marked between the words, a text or sentence a line.

- ``<PER>Anna</PER>``, and with attributes: ``<NE type="PER">``;
- MUC's ``<ENAMEX TYPE="PERSON">Anna</ENAMEX>``, ``TIMEX``, ``NUMEX`` (Chinchor, 1998), and
  OntoNotes' files of names, with ``<DOC …>`` lines around each document;
- OpenNLP's ``<START:person> Anna <END>``;
- BosonNLP's ``{{person_name: 施宇翔}}``;
- YEDDA's ``[@Anna#PER*]``.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, LIKELY, Evidence, Format
from spacy_bertcrf.corpora.inline_marks import (
    KINDS,
    Marks,
    Unbalanced,
    is_structure,
    label_of,
)
from spacy_bertcrf.corpora.json_values import looks_like_json
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Record
from spacy_bertcrf.corpora.sources import Source

UNBALANCED = "mark without its other half"
TRIMMED = "Marks with blanks inside, left out"
ESCAPES = "Escapes read as their characters"

_SEEN = 5000
_HEAD = 200_000
_MOST_LINES = 50
_FEW = 3
_MOST_WRAPPED = 0.9
_ESCAPE = re.compile(r"&(?:amp|lt|gt|quot|apos|#\d+|#x[\da-fA-F]+);")
_WRAPPED = re.compile(r"\s*<([A-Za-z][\w.:-]*)[^<>]*>(?:(?!</\1>).)*</\1>\s*")
_BLANKS = re.compile(r"\{\{[^\s{}:]+:(?: +|[^{}]*? +(?=\}\}))")
_XML = re.compile(r"\s*<(?:\?xml|!doctype|html|head|body)\b", re.IGNORECASE)


class Inline(Format):
    """Entities marked inside the text."""

    name = "inline"
    description = (
        "texts with marked entities: <PER>…</PER>, {{label:…}}, [PER …], […](PER), <…:PER>"
    )
    options = frozenset({"label"})

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By marks that open and close on a line, of few labels, which are no parts of HTML."""
        if looks_like_json(source) or _XML.match(source.text):
            return None
        barred = _barred(source)
        seen: Counter[Marks] = Counter()
        labels: dict[Marks, Counter[str | None]] = {}
        in_comments: Counter[Marks] = Counter()
        lines = wrapped = hashes = 0
        for line in islice(source.lines(), _SEEN):
            lines += bool(line.strip())
            wrapped += bool(_WRAPPED.fullmatch(line))
            is_hash = line.startswith("#")
            hashes += is_hash
            for kind in KINDS:
                if kind in barred:
                    continue
                matches = [m for m in kind.entity.finditer(line) if label_of(m) is not None]
                if matches:
                    seen[kind] += 1
                    in_comments[kind] += is_hash
                    labels.setdefault(kind, Counter()).update(map(label_of, matches))
        if not seen:
            return Evidence("no entities marked between the words", AGAINST)
        kind, count = max(seen.items(), key=lambda item: item[1])
        shown = ", ".join(label or "no label" for label, _ in labels[kind].most_common(5))
        if kind.is_markup and lines >= _FEW and wrapped > _MOST_WRAPPED * lines:
            return Evidence(f"nearly every line is one element ({shown} in it): XML", AGAINST)
        if in_comments[kind] == count and hashes < lines:
            return Evidence(f"marks ({shown}) in comments alone", AGAINST)
        if 10 * count < lines or len(labels[kind]) > labels[kind].total() // 2 + 3:
            return Evidence(f"marks ({shown}) in few lines, or of many labels", AGAINST)
        return Evidence(
            f"entities marked as {kind.example} ({shown})", CERTAIN if kind.is_sure else LIKELY
        )

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a line, or the lines that an entity runs over. Raises ValueError if there is
        no mark at all."""
        kind = _find_kind(source)
        escapes = _ESCAPE.search(source.text) is not None and kind.is_markup
        if escapes:
            problems.note(ESCAPES, "&amp;, &lt; and others")
        blanks = len(_BLANKS.findall(source.text)) if kind.entity.pattern[:2] == r"\{" else 0
        if blanks:
            problems.note(TRIMMED, f"{blanks:,}")
        new: bool | None = None
        for number, line in _units(source, kind):
            if kind.is_markup and is_structure(line):
                new = True if line.upper().startswith("<DOC") else new
                continue
            if not line.strip():
                continue
            try:
                text, entities = kind.read(line, _unescaped if escapes else str)
            except Unbalanced as err:
                last = number + line.count("\n")
                which = f"lines {number:,} to {last:,} are" if last > number else "the line is"
                problems.add(UNBALANCED, number, f"{err}; {which} left out")
                continue
            if any(not entity.label for entity in entities):
                if options.label is None:
                    raise ValueError(
                        f"{source.path}:{number}: the marks name no label. Give that of all "
                        "entities with --label."
                    )
                entities = [of._replace(label=of.label or options.label) for of in entities]
            if text.strip():
                yield Record(number, text=text, entities=entities, new_document=new)
                new = None if new is None else False


def _unescaped(text: str) -> str:
    """Python's own takes what is no escape for one: `&copy=2` in the address of a page."""
    return _ESCAPE.sub(lambda match: html.unescape(match[0]), text)


def _barred(source: Source) -> set[Marks]:
    head = source.text[:_HEAD]
    return {kind for kind in KINDS if kind.unless is not None and kind.unless.search(head)}


def _find_kind(source: Source) -> Marks:
    barred = _barred(source)
    counts: Counter[Marks] = Counter()
    for line in source.lines():
        for kind in KINDS:
            if kind not in barred:
                found = any(label_of(match) is not None for match in kind.entity.finditer(line))
                counts[kind] += found
    kind, count = max(counts.items(), key=lambda item: item[1])
    if not count:
        raise ValueError(
            f"{source.path}: no entity is marked between the words, as in <PER>Anna</PER>, "
            '<ENAMEX TYPE="PERSON">Anna</ENAMEX> or {{person:Anna}}.'
        )
    return kind


def _units(source: Source, kind: Marks) -> Iterator[tuple[int, str]]:
    """The lines, those that an entity runs over as one."""
    waiting: list[str] = []
    first = 0
    for number, line in enumerate(source.lines(), start=1):
        first = first if waiting else number
        waiting.append(line)
        if kind.is_open("\n".join(waiting)) and len(waiting) < _MOST_LINES:
            continue
        if len(waiting) == _MOST_LINES:
            # A mark that never closes spoils its own line alone.
            yield from enumerate(waiting, start=first)
        else:
            yield first, "\n".join(waiting)
        waiting = []
    yield from enumerate(waiting, start=first)
