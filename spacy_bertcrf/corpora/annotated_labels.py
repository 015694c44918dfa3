"""Docs that were annotated for some labels alone, such as those of a corpus of persons."""

from collections.abc import Sequence

from spacy.tokens import Doc, Span

from spacy_bertcrf.tagging import ANNOTATED_LABELS


def mark_annotated(doc: Doc, labels: Sequence[str]) -> None:
    """Say in a Doc that it was annotated for some labels alone: whether its other tokens are in
    entities with other labels is not known.

    Tokens that were set outside become tokens without annotation, as they are for every reader
    that knows no more; and `doc.spans["annotated_labels"]` gets spans over them and the entities
    for each label, from which a `bertcrf` knows that they are in no other entity with this one.
    Of tokens that had no annotation before, nothing is known afterwards either. As spans, this
    stays with the Doc in .spacy files, in copies and through augmenters, and where Docs are
    joined each part keeps its own. Where a reader cuts a Doc into sentences (`max_length`,
    `gold_preproc`), spaCy drops the spans, and what is left is a Doc without annotation outside
    of its entities.

    labels: all that the annotators looked for, whether or not they found any here.

    Raises ValueError if there are no labels, and, with the text, for an entity that has another.
    """
    if isinstance(labels, str) or not labels or not all(labels):
        raise ValueError(f"The labels that Docs were annotated for are names, got {labels!r}.")
    for ent in doc.ents:
        if ent.label_ not in labels:
            raise ValueError(
                f"'{ent.text}' has the label '{ent.label_}', and its text is said to be annotated "
                f"for {', '.join(labels)} alone: '{doc.text[:80]}'. Name this label too."
            )
    known = [token.i for token in doc if token.ent_iob_]
    outside = [doc[i : i + 1] for i in known if doc[i].ent_iob_ == "O"]
    doc.set_ents([], missing=outside, default="unmodified")
    doc.spans[ANNOTATED_LABELS] = [
        Span(doc, start, end, label=label)
        for start, end in _runs(known)
        for label in dict.fromkeys(labels)
    ]


def _runs(places: Sequence[int]) -> list[tuple[int, int]]:
    """The stretches, (start, end) with the end exclusive, of rising numbers that follow on one
    another."""
    starts = [i for n, i in enumerate(places) if n == 0 or places[n - 1] != i - 1]
    ends = [i + 1 for n, i in enumerate(places) if n + 1 == len(places) or places[n + 1] != i + 1]
    return list(zip(starts, ends, strict=True))
