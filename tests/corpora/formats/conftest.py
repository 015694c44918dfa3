"""Small files as tools export them, and what is read from them."""

import json
from pathlib import Path

import pytest

from spacy_bertcrf.corpora.detection import weigh
from spacy_bertcrf.corpora.formats.format import AGAINST
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.reading import read_corpus
from spacy_bertcrf.corpora.sources import Source


class Export:
    """What was read from a file."""

    def __init__(self, inputs, **options):
        self.corpus = read_corpus(inputs, **options)
        self.docs = self.corpus.docs
        self.format = self.corpus.format
        self.evidence = "; ".join(self.corpus.evidence)
        self.notes = self.corpus.problems.notes

    @property
    def offsets(self):
        """Start, end and label of each entity of each Doc, in characters."""
        return [[(e.start_char, e.end_char, e.label_) for e in doc.ents] for doc in self.docs]

    @property
    def entities(self):
        """Text and label of each entity of each Doc."""
        return [[(e.text, e.label_) for e in doc.ents] for doc in self.docs]

    @property
    def problems(self):
        """Kind and line of each problem."""
        return [(problem.kind, problem.line) for problem in self.corpus.problems]

    @property
    def unknown(self):
        """The tokens of each Doc of which nothing is known."""
        return [[token.text for token in doc if not token.ent_iob] for doc in self.docs]

    @property
    def annotated(self):
        """Whether anything is known of each Doc."""
        return [any(token.ent_iob for token in doc) for doc in self.docs]


def make_source(*values, as_list=False, indent=None, name="export.json"):
    """A file of JSON lines, of a JSON list, or of a text as it is."""
    if len(values) == 1 and isinstance(values[0], str):
        text = values[0]
    elif as_list:
        text = json.dumps(values, ensure_ascii=False, indent=indent)
    else:
        text = "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)
    return Source(Path(name), data=text.encode())


@pytest.fixture
def read():
    """Reads a file of values; further options are `read_corpus`'s."""

    def read_values(*values, as_list=False, indent=None, name="export.json", **options):
        source = make_source(*values, as_list=as_list, indent=indent, name=name)
        return Export(source, **options)

    return read_values


@pytest.fixture
def recognised():
    """Tells which formats a file of values could be in."""

    def weigh_values(*values, **layout):
        found = weigh(make_source(*values, **layout), Options())
        return {choice.format.name for choice in found if choice.evidence.strength > AGAINST}

    return weigh_values


@pytest.fixture
def read_path():
    """Reads files or folders."""
    return Export
