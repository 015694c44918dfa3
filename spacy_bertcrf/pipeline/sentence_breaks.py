"""Sentence breaks that are set in a Doc: spaCy's `ner` lets no entity cross one."""

import warnings
from collections.abc import Callable, Iterable

import numpy as np
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_bertcrf.tagging import EntitySpan, TagSet


def sentence_breaks(doc: Doc) -> np.ndarray:
    """The tokens at which a sentence starts inside the Doc, (n_tokens,) bool: never its first."""
    starts = doc.to_array("SENT_START") == 1
    starts[:1] = False
    return starts


def rule_out_crossings(doc: Doc, allowed: np.ndarray, is_open: np.ndarray, tag_set: TagSet) -> None:
    """Let no entity go on over a sentence break, in place.

    allowed: (n_tokens, n_tags) bool, the tags that each token may have.
    is_open: (n_tokens,) bool, the tokens of which no entity is known. A known one may cross.
    """
    goes_on = ~tag_set.legal_start
    allowed[np.ix_(sentence_breaks(doc) & is_open, goes_on)] = False


def crossing(doc: Doc, spans: Iterable[EntitySpan]) -> list[EntitySpan]:
    """Those of the spans that a sentence break of the Doc lies inside."""
    breaks = sentence_breaks(doc)
    if not breaks.any():
        return []
    return [span for span in spans if breaks[span.start + 1 : span.end].any()]


def warn_of_crossing_gold(
    examples: Iterable[Example], component: str, spans_of: Callable[[Doc], Iterable[Span] | None]
) -> bool:
    """Warn, with the count and the first of them, if there are gold entities that cross sentence
    breaks of the predicted Docs, and are not predicted.

    spans_of: gives the entities of a Doc.

    Returns whether there are.
    """
    n_entities = 0
    found: list[str] = []
    for example in examples:
        doc = example.predicted
        reference = list(spans_of(example.reference) or ())
        n_entities += len(reference)
        if not sentence_breaks(doc).any():
            continue
        aligned = example.get_aligned_spans_y2x(reference, allow_overlap=True)
        gold, predicted = (
            [EntitySpan(span.start, span.end, span.label_) for span in spans]
            for spans in (aligned, spans_of(doc) or ())
        )
        for span in crossing(doc, gold):
            if span not in predicted:
                found.append(f"'{doc[span.start : span.end]}' ({span.label})")
    if found:
        warnings.warn(
            f"{len(found)} of {n_entities} gold entities cross a sentence break, such as "
            f"{found[0]}. '{component}' finds no entity that crosses a break that is set before "
            "it. If such breaks are wrong, mend them, or set cross_sentences = true in the "
            "component's config.",
            stacklevel=3,
        )
    return bool(found)
