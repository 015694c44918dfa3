"""A text and its label a line, apart by a tab (THUCNews and most corpora of text classification).

Everything but the tab is part of the text or the label: quotes too, which no rule pairs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from typing import ClassVar, NamedTuple

from spacy_bertcrf.corpora.clean_tags import clean_tag
from spacy_bertcrf.corpora.formats.format import AGAINST, LIKELY, Evidence, Format
from spacy_bertcrf.corpora.json_values import looks_like_json
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Record
from spacy_bertcrf.corpora.sources import Source
from spacy_bertcrf.corpora.tagged_tokens import are_tags, is_outside
from spacy_bertcrf.tagging.tag_style import find_style

LAYOUTS = ("text-label", "label-text")

WRONG_COLUMNS = "line without one tab"
EMPTY_TEXT = "empty text"
EMPTY_LABEL = "empty label"
UNKNOWN_ID = "label is no class"

HEADER_WORDS = frozenset(
    """text text_a sentence content title review comment query news
    label labels class category categories target intent
    文本 内容 标题 句子 评论 新闻 标签 类别 分类""".split()  # noqa: SIM905  # one line a kind
)

_TAG = re.compile(r"O|[BIESMLUW]-\S+", re.IGNORECASE)
_SHORTEST_TEXT = 4
_LONGEST_TOKEN = 12
_SEEN = 3000


class LabelledText(NamedTuple):
    """One line. line: its number, from 1."""

    line: int
    text: str
    label: str


class _LabelledTexts(Format):
    options = frozenset({"classes"})
    layout: ClassVar[str]

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        if looks_like_json(source):
            return None
        found = detect_layout(list(islice(source.lines(), _SEEN)))
        if found == self.layout:
            what = "most lines have one tab, with texts on one side and few labels on the other"
            return Evidence(what, LIKELY)
        if found is None and options.classes is not None and self.layout == LAYOUTS[0]:
            return Evidence("names of classes are given", LIKELY)
        return Evidence("no texts beside labels, apart by one tab", AGAINST)

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        lines = list(source.lines())
        for line, text, label in read_labelled_texts(lines, self.layout, problems, options.classes):
            yield Record(line, text=text, cats={label: 1.0})


class TextLabel(_LabelledTexts):
    """A text and its label a line."""

    name = layout = LAYOUTS[0]
    description = "a text and its label a line, apart by a tab"


class LabelText(_LabelledTexts):
    """A label and its text a line."""

    name = layout = LAYOUTS[1]
    description = "a label and its text a line, apart by a tab"


def read_labelled_texts(
    lines: Sequence[str],
    layout: str,
    problems: ProblemLog,
    classes: Sequence[str] | None = None,
) -> list[LabelledText]:
    """Read the texts and labels of a file; a line that cannot be read is left out.

    A first line that has nothing but names of columns, such as "label" and "text", is a header.

    lines: the lines of the file; blank ones are passed over.
    layout: one of LAYOUTS.
    problems: log to add to.
    classes: the names of the labels, which are then numbers in the file, from 0. If None, labels
        are their own names.

    Returns the texts with the names of their labels, in file order.
    """
    read = []
    first = next((n for n, line in enumerate(lines) if line.strip(" \t")), 0)
    for number, line in enumerate(lines, start=1):
        if not line.strip(" \t") or (number == first + 1 and is_header(line)):
            continue
        columns = line.split("\t")
        if len(columns) != 2:
            what = f"{len(columns) - 1} tabs: {_quote(line)} is left out"
            problems.add(WRONG_COLUMNS, number, what)
            continue
        text, label = columns if layout == "text-label" else reversed(columns)
        label = label.strip()
        if not text.strip():
            problems.add(EMPTY_TEXT, number, f"with the label {_quote(label)}: left out")
        elif not label:
            problems.add(EMPTY_LABEL, number, f"{_quote(text)} is left out")
        elif classes is None:
            read.append(LabelledText(number, text, label))
        elif label.isdecimal() and label.isascii() and int(label) < len(classes):
            read.append(LabelledText(number, text, classes[int(label)]))
        else:
            expected = f"expected a number from 0 to {len(classes) - 1}"
            problems.add(UNKNOWN_ID, number, f"{_quote(label)}, {expected}: left out")
    return read


def read_classes(path: Path, lines: Sequence[str]) -> list[str]:
    """Read the names of classes: that of class 0 in the first line, and so on.

    Returns the names. Raises ValueError if a line but the last is empty, if a name comes twice,
    and if there is none.
    """
    names = [line.strip() for line in lines]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise ValueError(f"{path} is empty. Write the name of a class in each line.")
    for number, name in enumerate(names, start=1):
        if not name:
            raise ValueError(
                f"{path}:{number} is empty, but a line's number is the number of its class. Name "
                "the class."
            )
        earlier = names.index(name) + 1
        if earlier < number:
            raise ValueError(f"{path}:{number}: {name!r} is the class of line {earlier} too.")
    return names


def detect_layout(lines: Sequence[str]) -> str | None:
    """Tell texts with labels from columns of tokens and tags.

    Returns one of LAYOUTS, by which side has fewer different values, if most lines have one tab,
    no line between them is blank, and one side is of texts rather than of tokens or tags; else
    None.
    """
    while lines and not lines[-1].strip(" \t"):
        lines = lines[:-1]
    pairs = [line.split("\t") for line in lines if line.count("\t") == 1]
    if 2 * len(pairs) <= len(lines) or not all(line.strip(" \t") for line in lines):
        return None
    sides = list(zip(*pairs[is_header("\t".join(pairs[0])) :], strict=True))
    if len(sides) != 2:
        return None
    # As many different labels as texts are in a file of a few lines alone; then length decides.
    kinds = [(len(set(side)), median(map(len, side))) for side in sides]
    at_text = 0 if kinds[0] >= kinds[1] else 1
    tags = [[bool(_TAG.fullmatch(clean_tag(value))) for value in side] for side in sides]
    if any(tags[1 - at_text]) or all(tags[at_text]) or _are_tags(sides[1 - at_text]):
        return None
    if any(all(value.lstrip()[:1] in ("[", "{") for value in side) for side in sides):
        return None
    if any(2 * sum(map(are_tags, side)) > len(side) for side in sides):
        return None
    most = Counter(sides[1 - at_text]).most_common(1)[0][0].strip()
    if is_outside(most) and not most.isdecimal() and kinds[at_text][1] < _LONGEST_TOKEN:
        return None
    return LAYOUTS[at_text] if kinds[at_text][1] >= _SHORTEST_TEXT else None


def _are_tags(values: Sequence[str]) -> bool:
    """Whether labels are the tags of tokens, in whatever way these are written."""
    try:
        style = find_style(Counter(values))
    except ValueError:
        return False
    return any(map(style.split, values))


def is_header(line: str) -> bool:
    """Whether a line has nothing but names of columns."""
    return all(column.strip().lower() in HEADER_WORDS for column in line.split("\t"))


def _quote(value: str) -> str:
    quoted = repr(value[:60])
    return quoted if len(value) <= 30 else quoted[:30] + "…" + quoted[-1]
