"""Examples whose predicted Docs have been through a part of a pipeline."""

from collections.abc import Iterable, Iterator

from spacy.language import Language
from spacy.training import Example


def annotated_before(
    nlp: Language, component: str, examples: Iterable[Example]
) -> Iterator[Example]:
    """The examples as the component gets them: after all components before it.

    component: a name in the pipeline.
    examples: their predicted Docs are fresh from the tokenizer; these are annotated in place.
    """
    return _annotated(nlp, nlp.pipe_names[nlp.pipe_names.index(component) :], examples)


def annotated_through(
    nlp: Language, component: str, examples: Iterable[Example]
) -> Iterator[Example]:
    """The same, with the predictions of the component itself."""
    return _annotated(nlp, nlp.pipe_names[nlp.pipe_names.index(component) + 1 :], examples)


def _annotated(nlp: Language, without: list[str], examples: Iterable[Example]) -> Iterator[Example]:
    docs = ((example.predicted, example.reference) for example in examples)
    for predicted, reference in nlp.pipe(docs, as_tuples=True, disable=without):
        yield Example(predicted, reference)
