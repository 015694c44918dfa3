"""What `initialize` reads from the corpus before it builds the model."""

import warnings
from collections.abc import Iterable
from typing import NamedTuple

from spacy.tokens import Doc
from spacy.training import Example

from spacy_bertcrf.pipeline.gold import Gold

MAX_TEXTS = 1000


class Survey(NamedTuple):
    """labels: of all gold spans, sorted.
    texts: the first thousand predicted Docs that have tokens.
    groups: the names of the groups of spans that reference Docs have, sorted.
    """

    labels: list[str]
    texts: list[Doc]
    groups: list[str]


def survey(examples: Iterable[Example], component: str, gold: Gold) -> Survey:
    """Look through all examples, once.

    gold: where the gold spans of the component are.

    Warns, in the name of the component, if gold entities do not align with its tokens.
    """
    labels: set[str] = set()
    groups: set[str] = set()
    texts: list[Doc] = []
    n_entities = n_misaligned = 0
    for example in examples:
        spans = gold.of_doc(example.reference) or ()
        labels.update(span.label_ for span in spans)
        groups.update(example.reference.spans)
        n_entities += len(spans)
        n_misaligned += gold.of_example(example).n_misaligned
        if len(example.predicted) and len(texts) < MAX_TEXTS:
            texts.append(example.predicted)
    if n_misaligned:
        warnings.warn(
            f"{n_misaligned} of {n_entities} gold entities do not align with the tokens of "
            f"the pipeline's tokenizer. '{component}' takes the annotation of their tokens "
            "as missing. Use the tokenizer that the corpus was made with to keep them.",
            stacklevel=3,
        )
    return Survey(sorted(labels), texts, sorted(groups))
