"""Docs that were annotated for some labels alone, such as those of a corpus of persons."""

from collections.abc import Sequence

import numpy as np
from spacy.tokens import Doc, Span

from spacy_bertcrf.tagging import ANNOTATED_LABELS

INCORRECT_SPANS = "incorrect_spans"
MARKS = (ANNOTATED_LABELS, INCORRECT_SPANS)


def mark_annotated(doc: Doc, labels: Sequence[str], spans_key: str | None = None) -> None:
    """Say in a Doc that it was annotated for some labels alone: whether its other tokens are in
    entities with other labels is not known.

    Tokens that were set outside become tokens without annotation, as they are for every reader
    that knows no more; and `doc.spans["annotated_labels"]` gets spans over them and the entities
    for each label, from which a `bertcrf` knows that they are in no other entity with this one.
    Of tokens that had no annotation before, nothing is known afterwards either. A Doc that is
    marked already keeps what it says, and its tokens count as annotated for these labels too. As
    spans, this stays with the Doc in .spacy files, in copies and through augmenters, and where Docs
    are joined each part keeps its own. Where a reader cuts a Doc into sentences (`max_length`,
    `gold_preproc`), spaCy drops the spans, and what is left is a Doc without annotation outside
    of its entities.

    labels: all that the annotators looked for, whether or not they found any here.
    spans_key: of a Doc without entity annotation, the group of spans that they made: all of its
        tokens were looked at if it has that group.

    Raises ValueError if there are no labels, and, with the text, for an entity or span that has
    another, and for a Doc that has no entity annotation, but spans, and no key is given.
    """
    if isinstance(labels, str) or not labels or not all(labels):
        raise ValueError(f"The labels that Docs were annotated for are names, got {labels!r}.")
    marked = doc.spans.get(ANNOTATED_LABELS, ())
    by_label: dict[str, np.ndarray] = {}
    for span in marked:
        of_label = by_label.setdefault(span.label_, np.zeros(len(doc), dtype=bool))
        of_label[span.start : span.end] = True
    known = np.asarray([bool(token.ent_iob_) for token in doc], dtype=bool)
    for of_label in by_label.values():
        known |= of_label
    found = list(doc.ents)
    if not known.any():
        spans = _only_spans(doc, spans_key)
        known[:] = spans is not None
        found += spans or ()
    for span in found:
        if span.label_ not in labels and span.label_ not in by_label:
            raise ValueError(
                f"'{span.text}' has the label '{span.label_}', and its text is said to be "
                f"annotated for {', '.join(labels)} alone: '{doc.text[:80]}'. Name this label too."
            )
    outside = [doc[token.i : token.i + 1] for token in doc if token.ent_iob_ == "O"]
    doc.set_ents([], missing=outside, default="unmodified")
    for label in labels:
        by_label[label] = by_label.get(label, False) | known
    stretches = [
        (start, end, n, label)
        for n, (label, of_label) in enumerate(by_label.items())
        for start, end in _runs(of_label)
    ]
    doc.spans[ANNOTATED_LABELS] = [
        Span(doc, start, end, label=label) for start, end, _, label in sorted(stretches)
    ]


def _only_spans(doc: Doc, spans_key: str | None) -> Sequence[Span] | None:
    """The spans of a Doc without entity annotation, or None if it has none of these either."""
    if spans_key is not None:
        return doc.spans.get(spans_key)
    others = [key for key, group in doc.spans.items() if key not in MARKS and len(group)]
    if others:
        raise ValueError(
            f"A text has no entities, but spans under {', '.join(others)}: '{doc.text[:80]}'. Say "
            "with spans_key which of them are what the annotators found."
        )
    return None


def _runs(known: np.ndarray) -> list[tuple[int, int]]:
    """The stretches, (start, end) with the end exclusive, that are true."""
    borders = np.flatnonzero(np.diff(known, prepend=False, append=False)).tolist()
    return list(zip(borders[::2], borders[1::2], strict=True))
