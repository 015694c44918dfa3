"""Dictionaries of entities: each label's surfaces, from a corpus or from a list."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import srsly
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training.corpus import FILE_TYPE, Corpus, walk_corpus
from spacy.vocab import Vocab

from spacy_bertcrf.training.augmenters.changed_example import Surface, surface_of

LISTS = (".json", ".jsonl")


def check_path(path: Path | None, allow_lists: bool) -> Path:
    """The path; raises ValueError if there is no corpus, or list of entities, at it."""
    formats = (FILE_TYPE, *LISTS) if allow_lists else (FILE_TYPE,)
    if path is None:
        raise ValueError("path is null. Give the training corpus: path = ${paths.train}")
    path = Path(path)
    if not path.exists():
        raise ValueError(
            f"There is nothing at path = '{path}'. Give a {' or '.join(formats)} file."
        )
    if not path.is_dir() and path.suffix not in formats:
        raise ValueError(f"path is '{path}'; it must be a {' or '.join(formats)} file.")
    return path


def corpus_docs(path: Path) -> Iterator[Doc]:
    """The Docs of a .spacy file, or of all in a folder."""
    return Corpus(path).read_docbin(Vocab(), walk_corpus(path, FILE_TYPE))


def read_mentions(path: Path, nlp: Language) -> dict[str, dict[str, Surface]]:
    """The different entities of each label, by their `letters`.

    path: a .spacy corpus, whose entities keep the tokens that they have there, and of which those
        with other spans inside are left out; or a list, whose entities are tokenised by the
        pipeline: .json with {label: [text, …]}, or .jsonl with the phrase patterns of spaCy's
        entity_ruler, {"label": label, "pattern": text} a line.

    Raises ValueError, with file and entry, for a list that is not such, and if there are none.
    """
    mentions: dict[str, dict[str, Surface]] = defaultdict(dict)
    if path.suffix in LISTS:
        for label, text in _listed(path):
            surface = surface_of(nlp.make_doc(text))
            mentions[label].setdefault(letters(surface), surface)
    else:
        for doc in corpus_docs(path):
            for ent in undivided(doc):
                surface = surface_of(ent)
                mentions[ent.label_].setdefault(letters(surface), surface)
    if not mentions:
        raise ValueError(f"There is no entity in '{path}' to replace others by.")
    return dict(mentions)


def undivided(doc: Doc) -> Iterator[Span]:
    """The entities that no span and no sentence divides: of the others, what is inside would be
    lost in another text."""
    divided = {token.i for token in doc if token.is_sent_start}
    for group in doc.spans.values():
        for span in group:
            divided.update((span.start, span.end))
    for ent in doc.ents:
        if divided.isdisjoint(range(ent.start + 1, ent.end)):
            yield ent


def letters(surface: Surface) -> str:
    """What is the same of two surfaces that differ only in spaces, or in how they are split.

    Of some Docs the spaces are unknown.
    """
    return "".join(surface.words)


def _listed(path: Path) -> Iterator[tuple[str, str]]:
    """(label, text) of each entry."""
    if path.suffix == ".jsonl":
        for number, entry in enumerate(srsly.read_jsonl(path), start=1):
            if not isinstance(entry, dict) or not {"label", "pattern"} <= entry.keys():
                raise ValueError(
                    f"{path}, entry {number}: it is {entry!r}, and must have a label and a pattern."
                )
            yield _checked(path, entry["label"], entry["pattern"])
        return
    content = srsly.read_json(path)
    if not isinstance(content, dict) or not all(isinstance(v, list) for v in content.values()):
        raise ValueError(f"{path}: it must be an object with a list of texts for each label.")
    for label, texts in content.items():
        for text in texts:
            yield _checked(path, label, text)


def _checked(path: Path, label: Any, text: Any) -> tuple[str, str]:
    if not isinstance(label, str) or not label:
        raise ValueError(f"{path}: the label of {text!r} is {label!r}; it must be a text.")
    if not isinstance(text, str) or not text or text != text.strip():
        raise ValueError(
            f"{path}: an entity of {label} is {text!r}; it must be a text without spaces around it."
        )
    return label, text
