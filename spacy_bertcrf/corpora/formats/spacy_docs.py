"""spaCy's own binary corpora (.spacy): tokens, entities, categories, sentences, missing and
incorrect spans."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import spacy
from spacy.tokens import Doc, DocBin, SpanGroup

from spacy_bertcrf.corpora.documents import INCORRECT_SPANS
from spacy_bertcrf.corpora.formats.format import CERTAIN, Evidence, Format
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Group, Mention, Record
from spacy_bertcrf.corpora.sources import Source
from spacy_bertcrf.tagging import EntitySpan

OTHER_LAYERS = "annotation that is not kept"


class SpacyDocs(Format):
    """A DocBin."""

    name = "spacy"
    description = "spaCy's binary .spacy files"
    binary = True

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By its name and compression."""
        if not source.is_folder and source.suffix == ".spacy" and source.data[:1] == b"\x78":
            return Evidence("a compressed file whose name ends in .spacy", CERTAIN)
        return None

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a Doc, its number in the place of a line, with all its groups of spans. Layers
        that are no entities, spans, categories or sentences are left out, and reported."""
        try:
            docs = DocBin().from_bytes(source.data)
        except (ValueError, KeyError, zlib.error) as err:
            raise ValueError(f"{source.path} is no .spacy file: {err}") from None
        for number, doc in enumerate(docs.get_docs(spacy.blank("xx").vocab), start=1):
            _report_others(doc, number, problems)
            yield _record(doc, number)


def _record(doc: Doc, number: int) -> Record:
    known = [token.i for token in doc if token.ent_iob]
    missing = [(token.i, token.i + 1) for token in doc if not token.ent_iob]
    entities = [Mention(ent.start, ent.end, ent.label_) for ent in doc.ents]
    starts = [token.i for token in doc if token.is_sent_start]
    rejected = doc.spans.get(INCORRECT_SPANS, ())
    return Record(
        number,
        tokens=[token.text for token in doc],
        spaces=[bool(token.whitespace_) for token in doc],
        entities=entities if known else None,
        missing=missing if known else [],
        rejected=[Mention(span.start, span.end, span.label_) for span in rejected],
        cats=doc.cats or None,
        sentences=starts if doc.has_annotation("SENT_START") else None,
        groups={key: _group(group) for key, group in doc.spans.items() if key != INCORRECT_SPANS},
    )


def _group(group: SpanGroup) -> Group:
    spans = [EntitySpan(span.start, span.end, span.label_) for span in group]
    return Group(spans, dict(group.attrs))


def _report_others(doc: Doc, number: int, problems: ProblemLog) -> None:
    layers = [layer for layer in ("TAG", "DEP", "LEMMA", "MORPH") if doc.has_annotation(layer)]
    if any(ent.kb_id or ent.ent_id for ent in doc.ents):
        layers.append("ids of entities")
    if layers:
        problems.add(OTHER_LAYERS, number, ", ".join(layers))
