"""What is known of tokens that were annotated for some labels alone."""

from collections.abc import Iterable, Mapping

import numpy as np
from spacy.training import Example

from spacy_bertcrf.tagging import ANNOTATED_LABELS, EntitySpan, TagSet


def annotated_labels(example: Example, same_tokens: bool) -> dict[str, np.ndarray]:
    """By label, the tokens of the predicted Doc of which it is known that they are in no entity
    with it but those that the reference has, (n_tokens,) bool.

    It is read from `reference.spans["annotated_labels"]`, whose spans each say that their tokens
    were annotated for their label. Where there is none, the tokens are as the Doc itself has them:
    outside of entities with any label, or without annotation.

    same_tokens: whether predicted and reference Doc have the same. Otherwise, nothing is known
        of the tokens of a gold entity that does not align.
    """
    reference = example.reference
    if ANNOTATED_LABELS not in reference.spans:
        return {}
    known: dict[str, np.ndarray] = {}
    for span in reference.spans[ANNOTATED_LABELS]:
        of_label = known.setdefault(span.label_, np.zeros(len(reference), dtype=bool))
        of_label[span.start : span.end] = True
    if same_tokens:
        return known
    for ent in reference.ents:
        if not example.get_aligned_spans_y2x([ent]):
            for of_label in known.values():
                of_label[ent.start : ent.end] = False
    return {label: _aligned(example, of_label) for label, of_label in known.items()}


def add_missing(
    missing: np.ndarray, annotated: Mapping[str, np.ndarray], spans: Iterable[EntitySpan]
) -> None:
    """Take tokens that were annotated for some labels alone as tokens without annotation, in
    place, but for those of gold entities: `Example.to_dict`, for one, calls all outside that have
    no annotation.

    missing: (n_tokens,) bool, the tokens without annotation.
    annotated: as from `annotated_labels`.
    spans: the gold entities.
    """
    for of_label in annotated.values():
        missing |= of_label
    if annotated:
        for span in spans:
            missing[span.start : span.end] = False


def rule_out_absent(
    allowed: np.ndarray,
    missing: np.ndarray,
    annotated: Mapping[str, np.ndarray],
    tag_set: TagSet,
) -> None:
    """Let tokens without annotation be in no entity with a label that they were annotated for,
    in place.

    allowed: (n_tokens, n_tags) bool, the tags that each token may have.
    missing: (n_tokens,) bool, the tokens without annotation.
    annotated: as from `annotated_labels`.
    """
    label_of = np.asarray([tag.partition("-")[2] for tag in tag_set.tags])
    for label, is_annotated in annotated.items():
        allowed[np.ix_(missing & is_annotated, label_of == label)] = False


def _aligned(example: Example, known: np.ndarray) -> np.ndarray:
    """What is known of the reference's tokens, on those of the predicted Doc."""
    aligned = np.zeros(len(example.predicted), dtype=bool)
    for i in range(len(aligned)):
        places = np.asarray(example.alignment.x2y[i])
        # A space that the reference does not have: as much is known of it as of what it follows.
        aligned[i] = known[places].all() if places.size else i > 0 and aligned[i - 1]
    return aligned
