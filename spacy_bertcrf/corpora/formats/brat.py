"""brat's standoff files (Stenetorp et al., 2012, "brat: a Web-based Tool for NLP-Assisted Text
Annotation"), and those of the BioNLP shared tasks.

Beside ``x.txt`` lies ``x.ann``, or ``x.a1`` with ``x.a2``: ``T1⇥PER 0 4⇥Anna`` is an entity of the
text's first four characters, ``T2⇥Site 0 4;15 19⇥left lung`` one in two pieces. The triggers of
events are such lines too, and are read as entities. Relations, events, attributes, normalisations,
equivalences and notes are counted and left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from spacy_bertcrf.corpora.counting import Counting, OffsetRule
from spacy_bertcrf.corpora.formats.brat_writer import write_brat
from spacy_bertcrf.corpora.formats.format import (
    AGAINST,
    CERTAIN,
    OTHERWISE,
    Evidence,
    Format,
    Writer,
)
from spacy_bertcrf.corpora.json_values import BAD_LINE
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.corpora.sources import Source, files_in

NO_TEXT = "annotation without its text"
NOT_ANNOTATED = "Texts without .ann"
TRIGGERS = "Triggers of events, read as entities"
LEFT_OUT = "Left out"

SUFFIXES = (".ann", ".a1", ".ann1")
_SECOND = (".a2", ".ann2")
_ENTITY = re.compile(
    r"(T\S*)[\t ]+(\S+)[\t ]+(\d+[\t ]+\d+(?:[\t ]*;[\t ]*\d+[\t ]+\d+)*)(?:[\t ]+(.*))?"
)
_OTHER = re.compile(r"([REAMNWFS#*])\S*[\t ]")
_EVENT = re.compile(r"E\S*[\t ]+\S+?:(T\S+)")
_NAMES = {
    "R": "relations",
    "E": "events",
    "A": "attributes",
    "M": "attributes",
    "N": "normalisations",
    "*": "equivalences",
    "#": "notes",
}
_SETTINGS = re.compile(r"(annotation|visual|tools|kb_shortcuts)\.conf")
_LINES_SEEN = 200


class Brat(Format):
    """Folders of .txt with .ann."""

    name = "brat"
    description = "brat's .ann (or BioNLP's .a1 and .a2) beside .txt, and folders of them"
    offsets = OffsetRule(Counting())
    pooled = True
    writes_folder = True

    @property
    def writer(self) -> Writer:
        """Writes it as `write_brat` says."""
        return write_brat

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By its name and its T lines; a text by the annotation that lies beside others."""
        if source.suffix == ".txt" and not source.is_named:
            among = any(map(_has_text, source.path.parent.iterdir()))
            return Evidence("a text among others that have .ann", OTHERWISE) if among else None
        if source.suffix not in SUFFIXES or not source.is_text:
            return None
        if not _text_of(source.path).is_file():
            return Evidence(f"no {_text_of(source.path).name} beside it", AGAINST)
        lines = [line for line in islice(source.lines(), _LINES_SEEN) if line.strip()]
        if lines and not any(_ENTITY.fullmatch(line) or _OTHER.match(line) for line in lines):
            return Evidence("no line like 'T1⇥PER 0 4⇥Anna'", AGAINST)
        return Evidence(f"{source.suffix} beside a .txt", CERTAIN)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a text. One without .ann is not annotated, one with an empty .ann has no
        entity."""
        if source.suffix == ".txt":
            problems.count(NOT_ANNOTATED)
            yield Record(1, text=source.text, key=source.path.stem)
            return
        text = _text_of(source.path)
        if not text.is_file():
            problems.add(NO_TEXT, 0, f"there is no {text.name} beside it; left out")
            return
        reader = _Annotation(problems)
        reader.read(source, problems)
        for suffix in _SECOND:
            second = source.path.with_suffix(suffix)
            if second.is_file():
                reader.read(Source(second, source.encoding), problems.of(second))
        # Offsets count the characters of the file, its line ends and byte-order mark as they are.
        content = Source(text, source.encoding).text
        record = Record(1, text=content, entities=reader.entities, key=text.stem)
        if reader.in_doubt:
            record.doubt_all()
        yield record
        reader.tell_what_is_left_out()

    def files(self, folder: Path) -> Sequence[Path] | None:
        """The annotations in a folder and below it, and the texts that have none."""
        files = files_in(folder)
        found = [path for path in files if _has_text(path)]
        if not found:
            return None
        annotated = {path.with_suffix("") for path in found}
        folders = {path.parent for path in found}
        bare = [
            path
            for path in files
            if path.suffix == ".txt"
            and path.parent in folders
            and path.with_suffix("") not in annotated
        ]
        return sorted([*_first_of_each(found), *bare])

    def is_beside(self, path: Path) -> bool:
        """The settings of brat's pages."""
        return bool(_SETTINGS.fullmatch(path.name))

    def main_file(self, path: Path) -> Path | None:
        """Of a text the annotation beside it, which has the lines that problems name."""
        if path.suffix not in (".txt", *_SECOND, *SUFFIXES):
            return None
        beside = [path.with_suffix(suffix) for suffix in SUFFIXES]
        return next((other for other in beside if other.is_file() and _is_brat(other)), None)


class _Annotation:
    """What the lines of a text's annotation say."""

    def __init__(self, problems: ProblemLog) -> None:
        self.problems = problems
        self.entities: list[Mention] = []
        self.ids: set[str] = set()
        self.triggers: set[str] = set()
        self.others: Counter[str] = Counter()
        self.in_doubt = False

    def read(self, source: Source, problems: ProblemLog) -> None:
        last: Mention | None = None
        for number, line in enumerate(source.lines(), start=1):
            if not line.strip():
                continue
            entity = _ENTITY.fullmatch(line)
            if entity is not None:
                last = self._add(number, *entity.groups())
            elif other := _OTHER.match(line):
                self.others[_NAMES.get(other[1], "other lines")] += 1
                if event := _EVENT.match(line):
                    self.triggers.add(event[1])
                last = None
            elif last is not None and not line.startswith("T"):
                # Some writers break a line where the text has a line break.
                joined = last._replace(surface=f"{last.surface or ''} {line}")
                self.entities[-1] = last = joined
            else:
                problems.add(BAD_LINE, number, f"{line[:60]!r} is no line of brat's; left out")
                self.in_doubt = self.in_doubt or line.startswith("T")

    def tell_what_is_left_out(self) -> None:
        """Count events' triggers and what is no entity."""
        for name, count in self.others.items():
            self.problems.count(f"{LEFT_OUT}: {name}", count)
        self.problems.count(TRIGGERS, len(self.triggers & self.ids))

    def _add(self, line: int, key: str, label: str, offsets: str, surface: str | None) -> Mention:
        pieces = [
            (int(start), int(end)) for start, end in (piece.split() for piece in offsets.split(";"))
        ]
        start, end = min(pieces)[0], max(end for _, end in pieces)
        text = surface.split("\t")[0] if surface else None
        several = tuple(pieces) if len(pieces) > 1 else ()
        mention = Mention(start, end, label, text or None, line, several)
        self.entities.append(mention)
        self.ids.add(key)
        return mention


def _first_of_each(paths: Sequence[Path]) -> list[Path]:
    """One annotation for each text, though it may have .ann and .a1."""
    first: dict[Path, Path] = {}
    for path in sorted(paths, key=lambda found: SUFFIXES.index(found.suffix)):
        first.setdefault(path.with_suffix(""), path)
    return list(first.values())


def _is_brat(path: Path) -> bool:
    evidence = Brat().recognise(Source(path), Options())
    return evidence is not None and evidence.strength > AGAINST


def _has_text(path: Path) -> bool:
    return path.suffix in SUFFIXES and _text_of(path).is_file()


def _text_of(annotation: Path) -> Path:
    return annotation.with_suffix(".txt")
