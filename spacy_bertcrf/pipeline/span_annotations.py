"""What Docs say of their labelled spans, which may overlap."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Example

from spacy_bertcrf.models.types import SpanLimits, SpanTargets
from spacy_bertcrf.pipeline.annotated_labels import annotated_labels
from spacy_bertcrf.pipeline.annotations import (
    MISSING,
    SHOWN_CHARACTERS,
    check_labels,
    entity_spans,
    group_scores,
    incorrect_spans,
)
from spacy_bertcrf.pipeline.sentence_breaks import sentence_breaks
from spacy_bertcrf.tagging import EntitySpan


@dataclass(frozen=True)
class SpanAnnotation:
    """The gold spans of an example, on the tokens of its predicted Doc.

    spans: those that align with the tokens.
    missing: (n_tokens,) bool, the tokens of which nothing else is known.
    n_misaligned: how many gold spans do not align; of their tokens it is not known whether they
        are in others with their label.
    annotated: by label, (n_tokens,) bool, the missing tokens of which it is known for this label.
    misaligned: by label, (n_tokens,) bool, the tokens of the spans that do not align.
    """

    spans: list[EntitySpan]
    missing: np.ndarray
    n_misaligned: int = 0
    annotated: Mapping[str, np.ndarray] = field(default_factory=dict)
    misaligned: Mapping[str, np.ndarray] = field(default_factory=dict)

    def unknown(self, label: str) -> np.ndarray:
        """(n_tokens,) bool, the tokens of which it is not known whether other spans with the label
        cover them."""
        unknown = self.missing
        if label in self.annotated:
            unknown = unknown & ~self.annotated[label]
        if label in self.misaligned:
            unknown = unknown | self.misaligned[label]
        return unknown

    def is_known(self, span: EntitySpan) -> bool:
        """Whether the annotation says that the span is one of its label, or that it is none."""
        return span in self.spans or not self.unknown(span.label)[span.start : span.end].any()


def spans_of(doc: Doc, key: str) -> Sequence[Span] | None:
    """The annotated spans of a Doc: the group, or else its entities; None if it has neither.

    Raises ValueError, with the text, if a span has no token.
    """
    if key in doc.spans:
        spans = list(doc.spans[key])
        for span in spans:
            if span.start >= span.end:
                raise ValueError(
                    f"doc.spans['{key}'] has a span without a token, at token {span.start} "
                    f"({span.label_}), in the text '{doc.text[:SHOWN_CHARACTERS]}'. Take it out."
                )
        return spans
    return doc.ents if doc.has_annotation("ENT_IOB") else None


def span_annotation(example: Example, key: str) -> SpanAnnotation:
    """Read the spans of the reference Doc, `reference.spans[key]` or else its entities, for the
    tokens of the predicted one.

    Where some tokens of a Doc have no entity annotation and others have, nothing is known of the
    former but that spans which are there cover them; and so it is with tokens that were annotated
    for some labels alone.
    """
    predicted, reference = example.predicted, example.reference
    found = spans_of(reference, key)
    lacks = reference.to_array("ENT_IOB") == MISSING
    if lacks.all() and key in reference.spans:
        lacks[:] = False
    spans = [] if found is None else found
    is_same = np.array_equal(
        predicted.to_array(["ORTH", "SPACY"]), reference.to_array(["ORTH", "SPACY"])
    )
    annotated = annotated_labels(example, same_tokens=is_same)
    if is_same:
        missing = _with(lacks, annotated)
        return SpanAnnotation(_unique(entity_spans(spans)), missing, 0, annotated)
    aligned: list[EntitySpan] = []
    misaligned: dict[str, np.ndarray] = {}
    n_misaligned = 0
    for span in spans:
        on_predicted = example.get_aligned_spans_y2x([span], allow_overlap=True)
        aligned += entity_spans(on_predicted)
        if not on_predicted:
            n_misaligned += 1
            of_label = misaligned.setdefault(span.label_, np.zeros(len(predicted), dtype=bool))
            of_label[np.asarray(example.alignment.y2x[span.start : span.end], dtype=int)] = True
    missing = _with(_aligned(example, lacks), annotated)
    return SpanAnnotation(_unique(aligned), missing, n_misaligned, annotated, misaligned)


def span_targets(
    examples: Sequence[Example],
    key: str,
    labels: Sequence[str],
    inexpressible: Callable[[list[EntitySpan]], list[EntitySpan]],
    incorrect_spans_key: str | None = None,
    cross_sentences: bool = False,
) -> SpanTargets:
    """What is known of the spans of a batch.

    labels: those of the component.
    inexpressible: gives those of the spans of a text that its head cannot say beside the others.
        They are left out, and of tokens that they alone cover nothing is known for their label.
    incorrect_spans_key, cross_sentences: as in `tag_targets`.

    Raises ValueError, with the text, if a span has none of the labels, or is among those that are
    known to be wrong.
    """
    spans: list[list[EntitySpan]] = []
    unknown: list[np.ndarray] = []
    incorrect: list[list[EntitySpan]] = []
    for example in examples:
        gold = span_annotation(example, key)
        check_labels(gold.spans, example.predicted, labels)
        left_out = inexpressible(gold.spans)
        spans.append([span for span in gold.spans if span not in left_out])
        of_doc = np.stack([gold.unknown(label) for label in labels], axis=1)
        for span in left_out:
            of_doc[span.start : span.end, labels.index(span.label)] = True
        unknown.append(of_doc)
        incorrect.append(incorrect_spans(example, gold.spans, labels, incorrect_spans_key))
    is_unknown = np.concatenate(unknown)
    breaks = None
    if not cross_sentences:
        breaks = np.concatenate([sentence_breaks(example.predicted) for example in examples])
    return SpanTargets(
        spans,
        is_unknown if is_unknown.any() else None,
        incorrect if any(incorrect) else None,
        breaks if breaks is not None and breaks.any() else None,
    )


def span_limits(
    docs: Sequence[Doc], key: str, overwrite: bool, cross_sentences: bool
) -> SpanLimits | None:
    """What predicted spans keep to: those that a Doc has already are among them, a space does not
    start or end one, and none that is not there already crosses a sentence break. None where the
    Docs say nothing of it.

    overwrite: pay no heed to the spans that a Doc has already.
    cross_sentences: pay no heed to sentence breaks.
    """
    given = [[] if overwrite else entity_spans(doc.spans.get(key, ())) for doc in docs]
    known = [[span for span in of_doc if span.start < span.end] for of_doc in given]
    edges = np.concatenate([doc.to_array("IS_SPACE") == 0 for doc in docs])
    if cross_sentences:
        breaks = np.zeros(len(edges), dtype=bool)
    else:
        breaks = np.concatenate([sentence_breaks(doc) for doc in docs])
    if edges.all() and not breaks.any() and not any(known):
        return None
    return SpanLimits(known, edges, breaks)


def set_spans(
    doc: Doc, key: str, probabilities: Mapping[EntitySpan, float], overwrite: bool
) -> None:
    """Add predicted spans to doc.spans[key], with their probabilities in its attrs["scores"].

    Those that are there already stay as they are, ids and scores included; without a score they
    are certain.

    overwrite: put the predicted ones in the place of those that are there.
    """
    group = [] if overwrite else list(doc.spans.get(key, ()))
    there = entity_spans(group)
    given = group_scores(doc, key)
    rows = [(span, given.get(of, 1.0)) for span, of in zip(group, there, strict=True)]
    added = probabilities.keys() - set(there)
    rows += [(Span(doc, *span), probabilities[span]) for span in added]
    rows.sort(key=lambda row: (row[0].start, row[0].end, row[0].label_))
    doc.spans[key] = SpanGroup(
        doc,
        name=key,
        spans=[span for span, _ in rows],
        attrs={"scores": np.asarray([score for _, score in rows], dtype=np.float32)},
    )


def judged_spans(examples: Iterable[Example], key: str) -> list[Example]:
    """The examples for a scorer that knows of `doc.spans[key]` alone, where all is annotated:
    copies without the predicted spans that are neither right nor wrong, and with the entities of
    the reference Doc as its spans if it has no group of them. Others are as they are."""
    judged = []
    for example in examples:
        reference = example.reference
        gold = span_annotation(example, key)
        is_complete = not gold.missing.any() and not gold.misaligned
        if key in reference.spans and is_complete:
            judged.append(example)
            continue
        found = spans_of(reference, key)
        predicted, reference = example.predicted.copy(), reference.copy()
        if found is not None:
            reference.spans[key] = [Span(reference, *span) for span in entity_spans(found)]
        if key in predicted.spans:
            group = predicted.spans[key]
            predicted.spans[key] = [
                span
                for span, of in zip(group, entity_spans(group), strict=True)
                if gold.is_known(of)
            ]
        judged.append(Example(predicted, reference))
    return judged


def _aligned(example: Example, lacks: np.ndarray) -> np.ndarray:
    """The tokens of the predicted Doc on any of those that lack annotation."""
    missing = np.zeros(len(example.predicted), dtype=bool)
    for i in range(len(missing)):
        places = np.asarray(example.alignment.x2y[i], dtype=int)
        # A space that the reference does not have: as much is known of it as of what it follows.
        before = missing[i - 1] if i else lacks.all()
        missing[i] = lacks[places].any() if places.size else before
    return missing


def _with(missing: np.ndarray, annotated: Mapping[str, np.ndarray]) -> np.ndarray:
    """The missing tokens, and those that were annotated for some labels alone."""
    return np.logical_or.reduce([missing, *annotated.values()])


def _unique(spans: Iterable[EntitySpan]) -> list[EntitySpan]:
    return list(dict.fromkeys(spans))
