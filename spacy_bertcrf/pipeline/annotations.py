"""What Docs say of their entities, as the tag sets of TagSet."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from spacy.tokens import Doc, Span
from spacy.training import Example

from ..models.types import TagTargets
from ..tagging import EntitySpan, TagSet

MISSING, OUTSIDE = 0, 2  # values of Token.ent_iob


@dataclass(frozen=True)
class GoldAnnotation:
    """The gold entities of an example, on the tokens of its predicted Doc.

    spans: the entities that align with the tokens.
    missing: (n_tokens,) bool, True where nothing is known.
    n_misaligned: how many gold entities do not align; their tokens are missing.
    """

    spans: list[EntitySpan]
    missing: np.ndarray
    n_misaligned: int


def gold_annotation(example: Example) -> GoldAnnotation:
    """Read the entities of the reference Doc, for the tokens of the predicted one."""
    predicted, reference = example.predicted, example.reference
    if np.array_equal(predicted.to_array(["ORTH", "SPACY"]), reference.to_array(["ORTH", "SPACY"])):
        missing = reference.to_array("ENT_IOB") == MISSING
        return GoldAnnotation(_entity_spans(reference.ents), missing, 0)
    if not reference.has_annotation("ENT_IOB"):
        return GoldAnnotation([], np.ones(len(predicted), dtype=bool), 0)
    ents, tags = example.get_aligned_ents_and_ner()
    missing = np.asarray([tag is None for tag in tags], dtype=bool)
    return GoldAnnotation(_entity_spans(ents), missing, len(reference.ents) - len(ents))


def tag_targets(examples: Iterable[Example], tag_set: TagSet) -> TagTargets:
    """The gold tags of a batch; where annotation is missing, all tags that fit.

    Raises ValueError if an entity has a label that is not in the tag set.
    """
    annotations = [gold_annotation(example) for example in examples]
    if not any(annotation.missing.any() for annotation in annotations):
        tags = [tag_set.encode(a.spans, len(a.missing)) for a in annotations]
        return TagTargets(np.concatenate(tags))
    allowed = [tag_set.allowed(a.spans, a.missing) for a in annotations]
    rows = np.concatenate(allowed)
    return TagTargets(rows.argmax(axis=1), rows)


def allowed_tags(docs: Sequence[Doc], tag_set: TagSet) -> np.ndarray | None:
    """The tags that prediction may choose from, (n_tokens, n_tags), or None if it may choose any.

    Entities, outside and blocked tokens that a Doc has already are kept; a space does not start
    or end an entity.
    """
    attributes = [doc.to_array(["ENT_IOB", "IS_SPACE"]) for doc in docs]
    if not any(array.any() for array in attributes):
        return None
    at_edge = np.asarray([tag[0] in "BES" for tag in tag_set.tags])
    rows = []
    for doc, array in zip(docs, attributes, strict=True):
        missing = array[:, 0] == MISSING
        allowed = tag_set.allowed(_entity_spans(doc.ents), missing)
        allowed[np.ix_(missing & (array[:, 1] == 1), at_edge)] = False
        rows.append(allowed)
    return np.concatenate(rows)


def set_entities(doc: Doc, spans: Iterable[EntitySpan]) -> None:
    """Add predicted entities to doc.ents; tokens of which nothing was known become outside.

    spans: those that the Doc has already are left as they are, ids and links included.
    """
    iob = doc.to_array("ENT_IOB")
    added = [Span(doc, *_trimmed(doc, span)) for span in spans if iob[span.start] == MISSING]
    if not iob.any():
        doc.set_ents(added)
        return
    outside = iob == MISSING
    for span in added:
        outside[span.start : span.end] = False
    doc.set_ents(
        added, outside=[doc[i : i + 1] for i in np.flatnonzero(outside)], default="unmodified"
    )


def _trimmed(doc: Doc, span: EntitySpan) -> EntitySpan:
    # In BIO the last token of an entity has no tag of its own that could be forbidden to spaces.
    end = span.end
    while doc[end - 1].is_space:
        end -= 1
    return span._replace(end=end)


def _entity_spans(ents: Iterable[Span]) -> list[EntitySpan]:
    return [EntitySpan(ent.start, ent.end, ent.label_) for ent in ents]
