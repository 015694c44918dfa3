"""What a pipeline says of texts: entities, and on request the best readings and alternatives."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc

from spacy_bertcrf.annotation.annotator import Annotator, Failure, words_kept
from spacy_bertcrf.pipeline.alternatives import alternatives
from spacy_bertcrf.pipeline.entity_recognizer import CRFEntityRecognizer
from spacy_bertcrf.tagging import EntitySpan

N_ALTERNATIVES = 5
LEAST_PROBABLE = 0.001  # of an alternative that is worth a line

Answer = dict[str, Any]


class Question(NamedTuple):
    """A text, and what is asked of it.

    k_best: how many of its best readings; 0 for none.
    alternatives: whether other labels and borders of its entities are asked for.
    utf16: whether offsets are in UTF-16 units, as JavaScript counts, instead of characters.
    tokens: whether start and end of its tokens that are no white space are asked for.
    """

    text: str
    k_best: int = 0
    alternatives: bool = False
    utf16: bool = False
    tokens: bool = False


class Reader:
    """Answers questions with a pipeline, several at a time.

    nlp: its bertcrf components get a spans_key, if they have none, which changes no annotation.
    """

    def __init__(self, nlp: Language):
        self._nlp = nlp
        self._annotator = Annotator(nlp)
        self._recognizer = next(
            (name for name, pipe in nlp.pipeline if isinstance(pipe, CRFEntityRecognizer)), None
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the entities that the pipeline's components find."""
        labels = self._nlp.pipe_labels.values()
        return tuple(dict.fromkeys(label for of_pipe in labels for label in of_pipe))

    @property
    def has_readings(self) -> bool:
        """Whether the pipeline has a `bertcrf`, which knows other readings than its best."""
        return self._recognizer is not None

    def answer(self, questions: Sequence[Question]) -> list[Answer | Failure]:
        """An answer to each question: one that fails takes no other with it."""
        answers: list[Answer | Failure] = list(
            self._annotator.annotate([question.text for question in questions])
        )
        for i, question in enumerate(questions):
            answer = answers[i]
            if isinstance(answer, Failure):
                continue
            if question.k_best or question.alternatives:
                answers[i] = answer = self._with_readings(question, answer)
            if question.tokens and not isinstance(answer, Failure):
                answer["tokens"] = self._tokens(question.text)
            if question.utf16 and not isinstance(answer, Failure):
                _count_utf16(answer, question.text)
        return answers

    def _tokens(self, text: str) -> list[tuple[int, int]]:
        with self._nlp.memory_zone():
            return [
                (token.idx, token.idx + len(token))
                for token in self._nlp.make_doc(text)
                if not token.is_space
            ]

    def _with_readings(self, question: Question, answer: Answer) -> Answer | Failure:
        if self._recognizer is None:
            return Failure("the pipeline has no bertcrf, which alone knows other readings")
        try:
            with words_kept(self._nlp):
                return {**answer, **self._readings(question, answer, self._recognizer)}
        except Exception as error:
            return Failure(f"{type(error).__name__}: {error}")

    def _readings(self, question: Question, answer: Answer, name: str) -> Answer:
        recognizer = self._nlp.get_pipe(name)
        assert isinstance(recognizer, CRFEntityRecognizer)
        later = self._nlp.pipe_names[self._nlp.pipe_names.index(name) :]
        with self._nlp.select_pipes(disable=later):
            doc = self._nlp(question.text)
        found: Answer = {}
        if question.k_best:
            (readings,) = recognizer.k_best([doc], question.k_best)
            found["readings"] = [
                {
                    "probability": round(probability, 6),
                    "entities": [_entity(doc, *span) for span in spans],
                }
                for spans, probability in readings
            ]
        if question.alternatives:
            found["entities"] = [
                {**entity, "alternatives": _alternatives(recognizer, doc, entity)}
                for entity in answer["entities"]
            ]
        return found


def _entity(doc: Doc, start: int, end: int, label: str) -> Answer:
    span = doc[start:end]
    return {
        "start": span.start_char,
        "end": span.end_char,
        "text": span.text,
        "label": label,
    }


def _alternatives(recognizer: CRFEntityRecognizer, doc: Doc, entity: Answer) -> list[Answer]:
    """The same span with other labels, and neighbouring borders: the most probable."""
    span = doc.char_span(entity["start"], entity["end"])
    if span is None:
        return []
    found = alternatives(recognizer, doc, EntitySpan(span.start, span.end, entity["label"]))
    return [
        {**_entity(doc, *other.span), "score": round(other.probability, 6)}
        for other in found[:N_ALTERNATIVES]
        if other.probability >= LEAST_PROBABLE
    ]


def _count_utf16(answer: Any, text: str) -> None:
    """Turn the offsets of an answer from characters to UTF-16 units, in place."""
    if text.isascii():
        return
    sizes = np.fromiter(
        (1 + (ord(char) > 0xFFFF) for char in text), dtype=np.int64, count=len(text)
    )
    _convert(answer, np.concatenate([[0], np.cumsum(sizes)]).tolist())


def _convert(value: Any, offsets: Sequence[int]) -> None:
    if isinstance(value, dict):
        for key in ("start", "end"):
            if isinstance(value.get(key), int):
                value[key] = offsets[value[key]]
        for part in value.values():
            _convert(part, offsets)
    elif isinstance(value, list):
        for part in value:
            _convert(part, offsets)
