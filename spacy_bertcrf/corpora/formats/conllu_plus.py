"""CoNLL-U Plus: ``# global.columns = ID FORM … MISC XY:NE`` in the first line names the columns.

The entities are in a column of that name (NE, NER, …) or in the one that holds such tags; where
there is none, it is read as CoNLL-U, with the entities in MISC.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

from spacy_bertcrf.corpora.column_sentences import WRONG_COLUMNS
from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, Evidence, Format
from spacy_bertcrf.corpora.json_values import looks_like_json
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Record
from spacy_bertcrf.corpora.sources import Source
from spacy_bertcrf.corpora.tagged_tokens import TaggedSentence, is_prefixed, read_tagged
from spacy_bertcrf.corpora.word_tags import are_tags

COLUMNS = "Columns"
MULTIWORD = "Multiword tokens and empty nodes, not read"

_NAMES = re.compile(r"#\s*global\.columns\s*=\s*(.+)")
_ENTITIES = re.compile(r"(?:^|[:_])(ne|ner|nes|named_?entit(?:y|ies)|entity|bio|iob)\b", re.I)
_WORD = re.compile(r"\d+")
_NUMBERED = re.compile(r"\d+(?::\S+)?|\S+:\d+")
_NO_WORD = re.compile(r"\d+[-.]\d+")
_SEEN = 2000


class _Layout(NamedTuple):
    """Where the columns are, from 0; None where there is none."""

    names: Sequence[str]
    number: int | None
    form: int
    tag: int
    misc: int | None

    def __str__(self) -> str:
        return f"words in {self.names[self.form]}, tags in {self.names[self.tag]}"


class ConllUPlus(Format):
    """CoNLL-U with columns of its own."""

    name = "conllu-plus"
    description = "CoNLL-U Plus: # global.columns names the columns, one of them of entities"
    options = frozenset({"scheme", "label"})

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By its first comment, and a column of tags."""
        if looks_like_json(source):
            return None
        names = _names(source)
        if names is None:
            return None
        layout = _find_layout(source, names)
        if layout is None:
            what = f"none of the columns {' '.join(names)} has tags of entities"
            return Evidence(what, AGAINST, is_close=True)
        return Evidence(f"# global.columns: {layout}", CERTAIN)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a sentence. Raises ValueError if no column has tags of entities."""
        names = _names(source) or []
        layout = _find_layout(source, names)
        if layout is None:
            raise ValueError(
                f"{source.path}: no column of {' '.join(names) or 'none'} has tags of entities. "
                "Expected '# global.columns = …' with FORM and a column such as NE."
            )
        problems.note(COLUMNS, str(layout))
        return read_tagged(_sentences(source, layout, problems), options, problems)


def _names(source: Source) -> list[str] | None:
    for line in islice(source.lines(), 20):
        if match := _NAMES.match(line):
            return match[1].split()
    return None


def _find_layout(source: Source, names: Sequence[str]) -> _Layout | None:
    at = {name.upper(): index for index, name in enumerate(names)}
    if "FORM" not in at:
        return None
    rows = [
        columns
        for line in islice(source.lines(), _SEEN)
        if not line.startswith("#") and len(columns := line.split("\t")) == len(names)
    ]
    known = {"ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC"}
    own = [index for name, index in at.items() if name not in known]
    fitting = [index for index in own if _are_tags(Counter(row[index] for row in rows))]
    named = [index for index in fitting if _ENTITIES.search(names[index])]
    prefixed = [i for i in fitting if any(is_prefixed(row[i]) for row in rows)]
    found = named or prefixed
    if not found:
        return None
    return _Layout(names, at.get("ID"), at["FORM"], found[0], at.get("MISC"))


def _are_tags(tags: Counter[str]) -> bool:
    # PARSEME numbers the expressions of a sentence: 1:LVC at the first word, 1 at the others.
    if any(_NUMBERED.fullmatch(tag) for tag in tags):
        return False
    return are_tags(Counter({"O" if tag in "_*" else tag: n for tag, n in tags.items()}))


def _sentences(source: Source, layout: _Layout, problems: ProblemLog) -> Iterator[TaggedSentence]:
    tokens: list[str] = []
    tags: list[str | None] = []
    lines: list[int] = []
    spaces: list[bool] = []
    text = key = None
    new: bool | None = None
    for number, line in enumerate(chain(source.lines(), [""]), start=1):
        columns = line.split("\t")
        if not line.strip():
            if tokens:
                by_text = text is not None and all(spaces)
                yield TaggedSentence(
                    lines[0],
                    tokens,
                    tags,
                    lines,
                    text=text if by_text else None,
                    spaces=spaces if layout.misc is not None and not by_text else None,
                    key=key,
                    new_document=new,
                )
                tokens, tags, lines, spaces, text, key = [], [], [], [], None, None
                new = None if new is None else False
        elif line.startswith("#") and len(columns) < len(layout.names):
            name, _, value = (piece.strip() for piece in line[1:].partition("="))
            text = value if name == "text" else text
            key = value if name == "sent_id" else key
            new = True if name.startswith("newdoc") else new
        elif layout.number is not None and _NO_WORD.fullmatch(columns[layout.number]):
            problems.count(MULTIWORD)
        elif len(columns) != len(layout.names) or not _is_word(columns, layout):
            what = f"{len(columns)} instead of {len(layout.names)}, or no number: left out"
            problems.add(WRONG_COLUMNS, number, what)
        else:
            tag = columns[layout.tag]
            tokens.append(columns[layout.form])
            tags.append("O" if tag in ("_", "*") else tag)
            lines.append(number)
            spaces.append(layout.misc is None or "SpaceAfter=No" not in columns[layout.misc])


def _is_word(columns: Sequence[str], layout: _Layout) -> bool:
    return layout.number is None or bool(_WORD.fullmatch(columns[layout.number]))
