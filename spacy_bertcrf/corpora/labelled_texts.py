"""A text and its label a line, apart by a tab → Docs with categories (THUCNews and most corpora
of text classification).

Everything but the tab is part of the text or the label: quotes too, which no rule pairs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from spacy.language import Language
from spacy.tokens import Doc

from spacy_bertcrf.corpora.problems import ProblemLog

LAYOUTS = ("text-label", "label-text")

WRONG_COLUMNS = "line without one tab"
EMPTY_TEXT = "empty text"
EMPTY_LABEL = "empty label"
UNKNOWN_ID = "label is no class"
TOO_LONG = "text too long"

HEADER_WORDS = frozenset(
    """text text_a sentence content title review comment query news
    label labels class category categories target intent
    文本 内容 标题 句子 评论 新闻 标签 类别 分类""".split()  # noqa: SIM905  # one line a kind
)

_TAG = re.compile(r"O|[BIESMLUW]-\S+", re.IGNORECASE)
_SHORTEST_TEXT = 4


class LabelledText(NamedTuple):
    """One line. line: its number, from 1."""

    line: int
    text: str
    label: str


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

    RETURNS: the texts with the names of their labels, in file order.
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


def labelled_texts_to_docs(
    texts: Sequence[LabelledText],
    nlp: Language,
    problems: ProblemLog,
    classes: Sequence[str] | None = None,
) -> list[Doc]:
    """Make one Doc a text, tokenised as the pipeline will tokenise it at prediction time; its
    `cats` have all labels, 1 for its own and 0 for the others.

    texts: as `read_labelled_texts` gives them.
    nlp: pipeline whose tokenizer makes the Docs.
    problems: log to add to, for texts that are longer than spaCy takes.
    classes: all labels; if None, those of the texts, sorted.

    RETURNS: the Docs, in file order.
    """
    labels = sorted({text.label for text in texts}) if classes is None else classes
    docs = []
    for line, text, own in texts:
        if len(text) > nlp.max_length:
            what = f"{len(text):,} characters, and spaCy takes {nlp.max_length:,}: left out"
            problems.add(TOO_LONG, line, what)
            continue
        doc = nlp.make_doc(text)
        doc.cats = {label: float(label == own) for label in labels}
        docs.append(doc)
    return docs


def read_classes(path: Path, lines: Sequence[str]) -> list[str]:
    """Read the names of classes: that of class 0 in the first line, and so on.

    RETURNS: the names.
    RAISES: ValueError, if a line but the last is empty, if a name comes twice, and if there is
        none.
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

    RETURNS: one of LAYOUTS, by which side has fewer different values, if most lines have one tab,
        no line between them is blank, and one side is of texts rather than of tokens or tags;
        else None.
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
    tags = [[bool(_TAG.fullmatch(value.strip())) for value in side] for side in sides]
    if any(tags[1 - at_text]) or all(tags[at_text]):
        return None
    return LAYOUTS[at_text] if kinds[at_text][1] >= _SHORTEST_TEXT else None


def is_header(line: str) -> bool:
    """Whether a line has nothing but names of columns."""
    return all(column.strip().lower() in HEADER_WORDS for column in line.split("\t"))


def _quote(value: str) -> str:
    quoted = repr(value[:60])
    return quoted if len(value) <= 30 else quoted[:30] + "…" + quoted[-1]
