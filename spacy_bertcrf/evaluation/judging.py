"""A pipeline's predictions on a corpus, judged."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import minibatch

from spacy_bertcrf.evaluation.annotated import annotated_before
from spacy_bertcrf.evaluation.judged import CharSpan, JudgedText, entities, judgeable

N_READINGS = 3
MOST_TOKENS_TO_READ = 2000  # the readings of a longer text would differ in one place of it
BATCH_SIZE = 128

TokenSpan = tuple[int, int, str]


class Recognizer(Protocol):
    """A component that knows how probable entities are, as `bertcrf`."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of its entities."""

    def spans_probabilities(
        self, docs: Sequence[Doc], spans: Sequence[Sequence[TokenSpan]]
    ) -> list[np.ndarray]:
        """For each Doc, the probability of each of its spans, in tokens, end exclusive."""

    def k_best(self, docs: Iterable[Doc], k: int) -> list[list[tuple[list[TokenSpan], float]]]:
        """The k best readings of each Doc with their probabilities."""


def judge(
    nlp: Language, read: Callable[[], Sequence[Example]], spans_key: str | None = None
) -> Iterator[JudgedText]:
    """Let a pipeline predict the entities of documents, and judge them.

    read: gives the examples, fresh from the tokenizer.
    spans_key: judge the spans under this key, which may overlap, in place of the entities.

    Raises ValueError, with the text, if a document has no annotation of entities at all while it
    has tokens and no other document has one either.
    """
    examples = read()
    _check_gold(examples, spans_key)
    docs = ((example.predicted, example) for example in examples)
    for predicted, example in nlp.pipe(docs, as_tuples=True):
        found = entities(predicted, spans_key)
        judged = judgeable(found, example.reference, spans_key)
        yield JudgedText(
            predicted.text,
            entities(example.reference, spans_key),
            judged,
            n_unjudged=len(found) - len(judged),
        )


def add_probabilities(
    texts: Iterable[JudgedText],
    nlp: Language,
    component: str,
    read: Callable[[], Sequence[Example]],
) -> Iterator[JudgedText]:
    """The texts with the exact probabilities of their gold and predicted entities, and with the
    best readings of those that are not all right and have at most 2,000 tokens.

    component: the name of a Recognizer in the pipeline.
    read: gives the examples of the texts anew, in their order.

    An entity has no probability if it does not fit the tokens, or the component does not know its
    label.
    """
    recognizer: Recognizer = nlp.get_pipe(component)  # type: ignore[assignment]
    # Not all heads for spans know of a text as a whole.
    has_readings = getattr(recognizer, "has_readings", True)
    examples = annotated_before(nlp, component, read())
    for batch in minibatch(zip(texts, examples, strict=True), BATCH_SIZE):
        judged = [text for text, _ in batch]
        docs = [example.predicted for _, example in batch]
        asked = [
            _asked(text, doc, recognizer.labels) for text, doc in zip(judged, docs, strict=True)
        ]
        found = recognizer.spans_probabilities(docs, [list(of_doc.values()) for of_doc in asked])
        for i, (spans, values) in enumerate(zip(asked, found, strict=True)):
            judged[i] = replace(
                judged[i], probabilities=dict(zip(spans, values.tolist(), strict=True))
            )
        to_read = [
            i
            for i, text in enumerate(judged)
            if has_readings and not text.is_right and len(docs[i]) <= MOST_TOKENS_TO_READ
        ]
        best = recognizer.k_best([docs[i] for i in to_read], N_READINGS)
        for i, readings in zip(to_read, best, strict=True):
            judged[i] = replace(
                judged[i],
                readings=tuple(
                    (tuple(in_characters(docs[i], span) for span in spans), float(probability))
                    for spans, probability in readings
                ),
            )
        yield from judged


def in_characters(doc: Doc, span: TokenSpan) -> CharSpan:
    """A span of tokens as one of characters."""
    start, end, label = span
    last = doc[end - 1]
    return CharSpan(doc[start].idx, last.idx + len(last), label)


def _check_gold(examples: Sequence[Example], spans_key: str | None) -> None:
    if not any(len(example.reference) for example in examples):
        raise ValueError("The corpus has no document with a token, so there is nothing to judge.")
    if spans_key is not None:
        if not any(spans_key in example.reference.spans for example in examples):
            raise ValueError(
                f"No document of the corpus has doc.spans['{spans_key}']. Give a corpus with gold "
                "spans under this key (`bertcrf convert … --spans-key`)."
            )
        return
    if not any(example.reference.has_annotation("ENT_IOB") for example in examples):
        raise ValueError(
            "No document of the corpus is annotated: doc.ents was never set. Give a corpus with "
            "gold entities."
        )


def _asked(text: JudgedText, doc: Doc, labels: Sequence[str]) -> dict[CharSpan, TokenSpan]:
    asked: dict[CharSpan, TokenSpan] = {}
    for span in (*text.gold, *text.predicted):
        tokens = doc.char_span(span.start, span.end)
        if tokens is not None and span.label in labels:
            asked[span] = (tokens.start, tokens.end, span.label)
    return asked
