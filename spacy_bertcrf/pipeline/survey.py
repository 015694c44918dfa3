"""What `initialize` reads from the corpus before it builds the model."""

import warnings
from collections.abc import Iterable
from typing import NamedTuple

from spacy.tokens import Doc
from spacy.training import Example

from spacy_bertcrf.pipeline.annotations import gold_annotation

MAX_TEXTS = 1000


class Survey(NamedTuple):
    """labels: of all gold entities, sorted.
    texts: the first thousand predicted Docs that have tokens.
    """

    labels: list[str]
    texts: list[Doc]


def survey(examples: Iterable[Example], component: str) -> Survey:
    """Look through all examples, once.

    Warns, in the name of the component, if gold entities do not align with its tokens.
    """
    labels: set[str] = set()
    texts: list[Doc] = []
    n_entities = n_misaligned = 0
    for example in examples:
        labels.update(ent.label_ for ent in example.reference.ents)
        n_entities += len(example.reference.ents)
        n_misaligned += gold_annotation(example).n_misaligned
        if len(example.predicted) and len(texts) < MAX_TEXTS:
            texts.append(example.predicted)
    if n_misaligned:
        warnings.warn(
            f"{n_misaligned} of {n_entities} gold entities do not align with the tokens of "
            f"the pipeline's tokenizer. '{component}' takes the annotation of their tokens "
            "as missing. Use the tokenizer that the corpus was made with to keep them.",
            stacklevel=3,
        )
    return Survey(sorted(labels), texts)
