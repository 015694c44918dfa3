"""What Docs say of their entities, as the tag sets of TagSet."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Example

from spacy_bertcrf.models.types import TagTargets
from spacy_bertcrf.pipeline.annotated_labels import add_missing, annotated_labels, rule_out_absent
from spacy_bertcrf.pipeline.sentence_breaks import rule_out_crossings
from spacy_bertcrf.tagging import ANNOTATED_LABELS, EntitySpan, TagSet

MISSING, OUTSIDE = 0, 2  # values of Token.ent_iob
CONSTRAINTS: list[int | str] = ["ENT_IOB", "IS_SPACE", "SENT_START"]
SHOWN_CHARACTERS = 80  # of a text, in an error message


class UnknownLabelError(ValueError):
    """For a gold entity with a label that the component does not know."""


@dataclass(frozen=True)
class GoldAnnotation:
    """The gold entities of an example, on the tokens of its predicted Doc.

    spans: the entities that align with the tokens.
    missing: (n_tokens,) bool, True where nothing is known.
    n_misaligned: how many gold entities do not align; their tokens are missing.
    annotated: by label, (n_tokens,) bool, the missing tokens of which it is known that they are
        in no entity with this label: those that were annotated for some labels alone.
    """

    spans: list[EntitySpan]
    missing: np.ndarray
    n_misaligned: int
    annotated: Mapping[str, np.ndarray]

    def is_known(self, span: EntitySpan) -> bool:
        """Whether the annotation says that the span is an entity with its label, or that it is
        none."""
        unknown = self.missing
        if span.label in self.annotated:
            unknown = unknown & ~self.annotated[span.label]
        return not unknown[span.start : span.end].any()


def gold_annotation(example: Example) -> GoldAnnotation:
    """Read the entities of the reference Doc, for the tokens of the predicted one."""
    predicted, reference = example.predicted, example.reference
    if np.array_equal(predicted.to_array(["ORTH", "SPACY"]), reference.to_array(["ORTH", "SPACY"])):
        missing = reference.to_array("ENT_IOB") == MISSING
        spans = entity_spans(reference.ents)
        annotated = annotated_labels(example, same_tokens=True)
        add_missing(missing, annotated, spans)
        return GoldAnnotation(spans, missing, 0, annotated)
    # Not `Example.get_aligned_ner`: it calls every space O, those inside a misaligned entity too.
    spans = entity_spans(example.get_aligned_spans_y2x(reference.ents))
    missing = np.asarray([iob != OUTSIDE for iob in example.get_aligned("ENT_IOB")], dtype=bool)
    for span in spans:
        missing[span.start : span.end] = False
    for i in np.flatnonzero(example.alignment.x2y.lengths == 0):
        # A space that the reference does not have: as much is known of it as of what it follows.
        missing[i] = i == 0 or missing[i - 1]
    annotated = annotated_labels(example, same_tokens=False)
    add_missing(missing, annotated, spans)
    return GoldAnnotation(spans, missing, len(reference.ents) - len(spans), annotated)


def judged_examples(examples: Iterable[Example]) -> list[Example]:
    """The examples, for a scorer that knows nothing of Docs that were annotated for some labels
    alone: of these, copies without the predicted entities that are neither right nor wrong, and
    fully annotated. The others are as they are."""
    judged = []
    for example in examples:
        if ANNOTATED_LABELS in example.reference.spans:
            gold = gold_annotation(example)
            predicted, reference = example.predicted.copy(), example.reference.copy()
            found = zip(predicted.ents, entity_spans(predicted.ents), strict=True)
            predicted.set_ents([ent for ent, span in found if gold.is_known(span)])
            reference.set_ents(list(reference.ents))
            example = Example(predicted, reference)
        judged.append(example)
    return judged


def incorrect_spans(
    example: Example, gold: Iterable[EntitySpan], labels: Sequence[str], key: str | None
) -> list[EntitySpan]:
    """The entities that an example is known not to have, on the tokens of its predicted Doc.

    gold: its gold entities.
    labels: entities with others are left out.
    key: where the reference Doc keeps them among its spans, or None for nowhere.

    Raises ValueError, with the text, if one is a gold entity.
    """
    if key is None or key not in example.reference.spans:
        return []
    # A span that does not fit the tokens, or has another label, cannot be predicted anyway.
    spans = example.get_aligned_spans_y2x(example.reference.spans[key], allow_overlap=True)
    incorrect = [span for span in entity_spans(spans) if span.label in labels]
    _check_contradictions(gold, incorrect, example.predicted)
    return incorrect


def tag_targets(
    examples: Iterable[Example],
    tag_set: TagSet,
    incorrect_spans_key: str | None = None,
    cross_sentences: bool = False,
) -> TagTargets:
    """The gold tags of a batch; where annotation is missing, all tags that fit: those of the
    labels that a token was not annotated for, if it was for some.

    incorrect_spans_key: where the reference Docs keep spans that are known to be wrong.
    cross_sentences: where annotation is missing, entities may cross the sentence breaks of the
        predicted Docs. A gold entity may in any case.

    Raises ValueError, with the text, if an entity has a label that is not in the tag set, or is
    among the spans that are wrong.
    """
    examples = list(examples)
    annotations, incorrect = [], []
    for example in examples:
        annotation = gold_annotation(example)
        check_labels(annotation.spans, example.predicted, tag_set.labels)
        annotations.append(annotation)
        incorrect.append(
            incorrect_spans(example, annotation.spans, tag_set.labels, incorrect_spans_key)
        )
    if not any(incorrect) and not any(annotation.missing.any() for annotation in annotations):
        tags = [tag_set.encode(a.spans, len(a.missing)) for a in annotations]
        return TagTargets(np.concatenate(tags))
    allowed = [tag_set.allowed(a.spans, a.missing) for a in annotations]
    for example, annotation, may_be in zip(examples, annotations, allowed, strict=True):
        rule_out_absent(may_be, annotation.missing, annotation.annotated, tag_set)
        if not cross_sentences:
            rule_out_crossings(example.predicted, may_be, annotation.missing, tag_set)
    rows = np.concatenate(allowed)
    return TagTargets(rows.argmax(axis=1), rows, incorrect if any(incorrect) else None)


def allowed_tags(
    docs: Sequence[Doc], tag_set: TagSet, overwrite: bool = False, cross_sentences: bool = False
) -> np.ndarray | None:
    """The tags that prediction may choose from, (n_tokens, n_tags), or None if it may choose any.

    What a Doc has already is kept: a token in an entity has the tag that says so (outside, if the
    label is not in the tag set), a blocked one is outside, and so is a token that is set outside,
    if nothing is said of others. A space does not start or end an entity, and none that is not
    there already crosses a sentence break.

    overwrite: pay no heed to the entities that a Doc has already.
    cross_sentences: pay no heed to sentence breaks.
    """
    if all(_may_have_any_tags(doc, overwrite, cross_sentences) for doc in docs):
        return None
    at_edge = np.asarray([tag[0] in "BES" for tag in tag_set.tags])
    rows = []
    for doc in docs:
        is_open = open_tokens(doc, overwrite)
        preset = [
            span
            for span in entity_spans(doc.ents)
            if span.label in tag_set.labels and not is_open[span.start]
        ]
        allowed = tag_set.allowed(preset, is_open)
        allowed[np.ix_(is_open & (doc.to_array("IS_SPACE") == 1), at_edge)] = False
        if not cross_sentences:
            rule_out_crossings(doc, allowed, is_open, tag_set)
        rows.append(allowed)
    return np.concatenate(rows)


def group_scores(doc: Doc, key: str) -> dict[EntitySpan, float]:
    """The scores of the spans of a group, where it has one for each."""
    if key not in doc.spans:
        return {}
    group = doc.spans[key]
    scores = np.asarray(group.attrs.get("scores", ()), dtype=np.float32)
    if scores.shape != (len(group),):
        return {}
    return dict(zip(entity_spans(group), scores.tolist(), strict=True))


def check_labels(spans: Iterable[EntitySpan], doc: Doc, labels: Sequence[str]) -> None:
    """Raise ValueError, with the text, if a gold span has none of the labels."""
    for span in spans:
        if span.label not in labels:
            raise UnknownLabelError(
                f"'{doc[span.start : span.end]}' has the label '{span.label}', which the "
                f"component does not know, in the text '{doc.text[:SHOWN_CHARACTERS]}'. Its labels "
                f"are: {', '.join(labels)}."
            )


def entity_spans(ents: Iterable[Span]) -> list[EntitySpan]:
    """The spans as (start, end, label)."""
    return [EntitySpan(ent.start, ent.end, ent.label_) for ent in ents]


def _may_have_any_tags(doc: Doc, overwrite: bool, cross_sentences: bool) -> bool:
    """Whether a Doc says nothing that its tags have to keep to."""
    iob, is_space, sent_start = np.asarray(doc.to_array(CONSTRAINTS)).T
    return not (
        is_space.any()
        or (
            not overwrite
            and len(iob)
            and (iob[0] not in (MISSING, OUTSIDE) or (iob != iob[0]).any())
        )
        or (not cross_sentences and (sent_start[1:] == 1).any())
    )


def set_entities(doc: Doc, spans: Iterable[EntitySpan], overwrite: bool = False) -> None:
    """Add predicted entities to doc.ents; the other tokens that were open become outside.

    spans: those that the Doc has already are left as they are, ids and links included.
    overwrite: put them in the place of all that the Doc has.
    """
    outside = open_tokens(doc, overwrite)
    added = [Span(doc, *trimmed(doc, span)) for span in spans if outside[span.start]]
    if outside.all():
        doc.set_ents(added)
        return
    for span in added:
        outside[span.start : span.end] = False
    doc.set_ents(
        added, outside=[doc[i : i + 1] for i in np.flatnonzero(outside)], default="unmodified"
    )


def set_span_group(doc: Doc, key: str, probabilities: Mapping[EntitySpan, float]) -> None:
    """Write doc.ents to doc.spans[key], with their probabilities as its attrs["scores"].

    probabilities: those of the predicted entities. The others were given: what scores the group
        has of them already, from a recogniser before this one, stay; else they are certain.
    """
    known = {**group_scores(doc, key), **probabilities}
    scores = [known.get(span, 1.0) for span in entity_spans(doc.ents)]
    attrs = {"scores": np.asarray(scores, dtype=np.float32)}
    doc.spans[key] = SpanGroup(doc, name=key, spans=doc.ents, attrs=attrs)


def open_tokens(doc: Doc, overwrite: bool = False) -> np.ndarray:
    """The tokens whose tags are to be predicted, (n_tokens,) bool; with `overwrite`, all.

    These are the tokens without annotation. Where all have some, those set outside are open, for
    it is no decision against an entity: an entity_ruler calls outside all that its rules miss.
    """
    if overwrite:
        return np.ones(len(doc), dtype=bool)
    iob = doc.to_array("ENT_IOB")
    missing = iob == MISSING
    return missing if missing.any() else iob == OUTSIDE


def trimmed(doc: Doc, span: EntitySpan) -> EntitySpan:
    """The span without spaces at its end.

    In BIO the last token of an entity has no tag of its own that could be forbidden to spaces.
    """
    end = span.end
    while doc[end - 1].is_space:
        end -= 1
    return span._replace(end=end)


def _check_contradictions(
    gold: Iterable[EntitySpan], incorrect: Iterable[EntitySpan], doc: Doc
) -> None:
    for span in set(gold).intersection(incorrect):
        raise ValueError(
            f"'{doc[span.start : span.end]}' ({span.label}) is both a gold entity and a span known "
            f"to be incorrect, in the text '{doc.text[:SHOWN_CHARACTERS]}'. Take it out of one."
        )
