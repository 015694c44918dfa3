"""Gold annotations beside all that a pipeline finds likely in the same texts."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import minibatch

from spacy_bertcrf.evaluation.annotated import annotated_before
from spacy_bertcrf.evaluation.judged import JudgedText, entities, judgeable
from spacy_bertcrf.evaluation.judging import (
    BATCH_SIZE,
    MOST_TOKENS_TO_READ,
    N_READINGS,
    Recognizer,
    TokenSpan,
    in_characters,
)


def weigh(
    nlp: Language, component: str, read: Callable[[], Sequence[Example]]
) -> Iterator[JudgedText]:
    """The gold entities of texts with their exact probabilities given the text, and those of all
    other likely spans.

    component: the name of a Recognizer in the pipeline.
    read: gives the examples, fresh from the tokenizer.

    Likely are the entities of the best readings, and for each of these and each gold entity the
    same span with another label, and the same label with a border that is one token off. The
    predicted entities are those of the best reading of which the gold annotation says something.

    An entity that does not fit the tokens, or whose label the component does not know, has no
    probability.
    """
    recognizer: Recognizer = nlp.get_pipe(component)  # type: ignore[assignment]
    for batch in minibatch(annotated_before(nlp, component, read()), BATCH_SIZE):
        docs = [example.predicted for example in batch]
        readings = _readings(recognizer, docs)
        asked = [
            _likely(example, found, recognizer.labels)
            for example, found in zip(batch, readings, strict=True)
        ]
        values = recognizer.spans_probabilities(docs, asked)
        for example, found, spans, of_doc in zip(batch, readings, asked, values, strict=True):
            doc = example.predicted
            best = tuple(in_characters(doc, span) for span in found[0][0])
            judged = judgeable(best, example.reference)
            yield JudgedText(
                doc.text,
                entities(example.reference),
                judged,
                {
                    in_characters(doc, span): value
                    for span, value in zip(spans, of_doc.tolist(), strict=True)
                },
                tuple(
                    (tuple(in_characters(doc, span) for span in reading), float(probability))
                    for reading, probability in found
                ),
                len(best) - len(judged),
            )


def _readings(
    recognizer: Recognizer, docs: Sequence[Doc]
) -> list[list[tuple[list[TokenSpan], float]]]:
    readings: list[list[tuple[list[TokenSpan], float]]] = [[] for _ in docs]
    for n, is_long in ((N_READINGS, False), (1, True)):
        chosen = [i for i, doc in enumerate(docs) if (len(doc) > MOST_TOKENS_TO_READ) == is_long]
        for i, found in zip(chosen, recognizer.k_best([docs[i] for i in chosen], n), strict=True):
            readings[i] = found
    return readings


def _likely(
    example: Example, readings: Iterable[tuple[list[TokenSpan], float]], labels: Sequence[str]
) -> list[TokenSpan]:
    doc = example.predicted
    seeds: dict[TokenSpan, None] = {
        (span[0], span[1], span[2]): None for spans, _ in readings for span in spans
    }
    for gold in entities(example.reference):
        tokens = doc.char_span(gold.start, gold.end)
        if tokens is not None and gold.label in labels:
            seeds[tokens.start, tokens.end, gold.label] = None
    likely = dict(seeds)
    for start, end, label in seeds:
        likely |= dict.fromkeys((start, end, other) for other in labels)
        for moved in ((start - 1, end), (start + 1, end), (start, end - 1), (start, end + 1)):
            if 0 <= moved[0] < moved[1] <= len(doc):
                likely[moved[0], moved[1], label] = None
    return list(likely)
