"""What `initialize` reads from the corpus before it builds the model."""

import warnings
from collections.abc import Iterable
from typing import NamedTuple

from spacy.tokens import Doc
from spacy.training import Example

from spacy_bertcrf.pipeline.annotations import gold_annotation

SAMPLE_SIZE = 10  # Docs


class Survey(NamedTuple):
    """labels: of all gold entities, sorted.
    sample: the first few predicted Docs that have tokens.
    """

    labels: list[str]
    sample: list[Doc]


def survey(examples: Iterable[Example], component: str) -> Survey:
    """Look through all examples, once.

    Warns, in the name of the component, if gold entities do not align with its tokens.
    """
    labels: set[str] = set()
    sample: list[Doc] = []
    n_entities = n_misaligned = 0
    for example in examples:
        labels.update(ent.label_ for ent in example.reference.ents)
        n_entities += len(example.reference.ents)
        n_misaligned += gold_annotation(example).n_misaligned
        if len(example.predicted) and len(sample) < SAMPLE_SIZE:
            sample.append(example.predicted)
    if n_misaligned:
        warnings.warn(
            f"{n_misaligned} of {n_entities} gold entities do not align with the tokens of "
            f"the pipeline's tokenizer. '{component}' takes the annotation of their tokens "
            "as missing. Use the tokenizer that the corpus was made with to keep them.",
            stacklevel=3,
        )
    return Survey(sorted(labels), sample)
