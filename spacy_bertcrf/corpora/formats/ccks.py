"""The clinical records of CCKS 2017 and 2018 (China Conference on Knowledge Graph and Semantic
Computing, task 2 and task 1).

Beside the text ``x.txtoriginal.txt`` lies ``x.txt``, a line an entity: ``咳嗽⇥3⇥4⇥症状和体征``, the
end being the last character's, or the one after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from spacy_bertcrf.corpora.counting import Counting, OffsetRule
from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, Evidence, Format
from spacy_bertcrf.corpora.json_values import BAD_LINE
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.corpora.sources import Source, files_in

NOT_ANNOTATED = "Texts without annotation"

TEXT_SUFFIX = "original.txt"  # behind the whole name of the annotation
_ENTITY = re.compile(r"(.*\S)[\t ]*\t(\d+)\t(\d+)\t\s*(\S.*?)\s*")
_LINES_SEEN = 200


class Ccks(Format):
    """Folders of texts, each with a table of its entities."""

    name = "ccks"
    description = "CCKS's clinical records: x.txt with entities beside x.txtoriginal.txt"
    lang = "zh"
    offsets = OffsetRule(Counting(inclusive=True))
    pooled = True

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By a text of that name, and lines with offsets."""
        if source.is_folder or not source.is_text:
            return None
        if _is_text(source.path):
            return Evidence("a text as CCKS names them, with no annotation beside it", CERTAIN)
        if not _text_of(source.path).is_file():
            return None
        lines = [line for line in islice(source.lines(), _LINES_SEEN) if line.strip()]
        if lines and not any(map(_ENTITY.fullmatch, lines)):
            return Evidence("no line like '咳嗽⇥3⇥4⇥症状'", AGAINST)
        return Evidence(f"{_text_of(source.path).name} beside it", CERTAIN)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a text."""
        if _is_text(source.path):
            problems.count(NOT_ANNOTATED)
            yield Record(1, text=source.text, key=source.name.removesuffix(f".txt{TEXT_SUFFIX}"))
            return
        path = _text_of(source.path)
        if not path.is_file():
            raise ValueError(f"There is no {path.name} beside {source.path}, which has its text.")
        entities, in_doubt = [], False
        for number, line in enumerate(source.lines(), start=1):
            if not line.strip():
                continue
            found = _ENTITY.fullmatch(line)
            if found is None:
                problems.add(BAD_LINE, number, f"{line[:60]!r} is no entity with offsets; left out")
                in_doubt = True
                continue
            surface, start, end, label = found.groups()
            entities.append(Mention(int(start), int(end), label, surface.strip(), number))
        text = Source(path, source.encoding).text
        record = Record(1, text=text, entities=entities, key=source.path.stem)
        if in_doubt:
            record.doubt_all()
        yield record

    def files(self, folder: Path) -> Sequence[Path] | None:
        """The annotations in a folder and below it, and the texts that have none."""
        texts = [path for path in files_in(folder) if _is_text(path)]
        mains = (self.main_file(path) or path for path in texts)
        return sorted(mains) or None

    def main_file(self, path: Path) -> Path | None:
        """Of a text the annotation beside it, which has the lines that problems name."""
        if _is_text(path):
            path = _annotation_of(path)
        return path if path.is_file() and _text_of(path).is_file() else None


def _is_text(path: Path) -> bool:
    return path.name.endswith(f".txt{TEXT_SUFFIX}")


def _text_of(annotation: Path) -> Path:
    return annotation.with_name(annotation.name + TEXT_SUFFIX)


def _annotation_of(text: Path) -> Path:
    return text.with_name(text.name.removesuffix(TEXT_SUFFIX))
