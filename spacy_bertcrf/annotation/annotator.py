"""A pipeline that annotates texts, come what may."""

import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple, TypeAlias

from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup

from spacy_bertcrf.annotation.attempts import Attempt
from spacy_bertcrf.layers.half_precision_casts import Casts, casts_kept
from spacy_bertcrf.pipeline.entity_recognizer import CRFEntityRecognizer
from spacy_bertcrf.pipeline.onnx_recognizer import OnnxEntityRecognizer

SCORES_KEY = "spacy-bertcrf.annotate"
MAX_BATCH_CHARACTERS = 1_000_000
KEPT_WORDS = 20_000
_LOST = "CUDA error: "  # too little memory is another error, of which a process recovers

Annotation: TypeAlias = dict[str, Any]


class Failure(NamedTuple):
    """A text that the pipeline cannot annotate."""

    reason: str


class DeviceLost(RuntimeError):
    """Raised where a GPU has failed in a way that lasts as long as the process: every text would
    fail from now on."""


class Annotator:
    """Annotates texts as `nlp.pipe` does, with the scores of entities.

    nlp: its bertcrf components get a spans_key, if they have none, which changes no annotation. It
        is not trained meanwhile: weights in half precision are kept from batch to batch.
    batch_size: most texts that go through the pipeline together; if None, the pipeline's.
    """

    def __init__(self, nlp: Language, batch_size: int | None = None):
        self._nlp = nlp
        self._batch_size = nlp.batch_size if batch_size is None else batch_size
        self._score_keys = keep_scores(nlp)
        self._casts = Casts()

    def annotate(
        self, texts: Sequence[str], attempt: Attempt | None = None
    ) -> Generator[Annotation | Failure, None, None]:
        """The annotations of texts, in their order.

        attempt: told of what is being read, and asked for what must be read with care.
        """
        with words_kept(self._nlp):
            for first, end in batches(texts, self._batch_size):
                if attempt is not None and attempt.is_suspect(first, end):
                    yield from self._one_by_one(texts, first, end, attempt)
                    continue
                if attempt is not None:
                    attempt.reads(first, end)
                yield from self._together(texts[first:end])

    def _together(self, texts: Sequence[str]) -> list[Annotation | Failure]:
        try:
            return list(self._annotations(texts))
        except Exception:
            return [self._alone(text) for text in texts]

    def _alone(self, text: str) -> Annotation | Failure:
        try:
            (annotation,) = self._annotations([text])
        except Exception as error:
            if _LOST in str(error):
                raise DeviceLost(
                    f"The GPU cannot be used any more: {error}. The same command goes on, and "
                    "reads the texts of this batch one by one."
                ) from error
            return Failure(f"{type(error).__name__}: {error}")
        return annotation

    def _one_by_one(
        self, texts: Sequence[str], first: int, end: int, attempt: Attempt
    ) -> Iterator[Annotation | Failure]:
        for i in range(first, end):
            blame = attempt.blame(i)
            if blame is not None:
                yield Failure(blame)
                continue
            attempt.reads(i, i + 1)
            yield self._alone(texts[i])

    def _annotations(self, texts: Sequence[str]) -> list[Annotation]:
        with casts_kept(self._casts):
            found = [self._annotation(doc) for doc in self._nlp.pipe(texts, batch_size=len(texts))]
        if len(found) != len(texts):
            raise ValueError(f"of {len(texts)} texts the pipeline returned {len(found)}")
        return found

    def _annotation(self, doc: Doc) -> Annotation:
        scores = _entity_scores(doc, self._score_keys)
        annotation: Annotation = {
            "entities": [_span(ent, scores.get(_key(ent))) for ent in doc.ents]
        }
        spans = {key: _group(group) for key, group in doc.spans.items() if key != SCORES_KEY}
        if spans:
            annotation["spans"] = spans
        if doc.cats:
            annotation["cats"] = {label: _rounded(score) for label, score in doc.cats.items()}
        return annotation


def batches(texts: Sequence[str], size: int) -> Iterator[tuple[int, int]]:
    """Where the batches of texts begin and end, with at most so many texts and so many characters
    as go well together."""
    first = n_characters = 0
    for i, text in enumerate(texts):
        is_full = i - first == size or n_characters + len(text) > MAX_BATCH_CHARACTERS
        if i > first and is_full:
            yield first, i
            first, n_characters = i, 0
        n_characters += len(text)
    if first < len(texts):
        yield first, len(texts)


def words_kept(nlp: Language) -> AbstractContextManager[object]:
    """Where the vocabulary keeps the new words of a batch.

    The first ones for good: they are those that come most often, and to describe them anew for each
    batch takes longer than all else here. From then on no longer than the batch, or the vocabulary
    would grow with each new word of the archive.
    """
    return nlp.memory_zone() if len(nlp.vocab) >= KEPT_WORDS else nullcontext()


def keep_scores(nlp: Language) -> list[str]:
    """Let the bertcrf components write the scores of their entities.

    Returns the keys of doc.spans that they write them to.
    """
    keys: dict[str, None] = {}
    for _, pipe in nlp.pipeline:
        if isinstance(pipe, CRFEntityRecognizer | OnnxEntityRecognizer):
            pipe.spans_key = pipe.spans_key or SCORES_KEY
            keys[pipe.spans_key] = None
    return list(keys)


def _entity_scores(doc: Doc, keys: Sequence[str]) -> dict[tuple[int, int, int], float]:
    found: dict[tuple[int, int, int], float] = {}
    for key in keys:
        group = doc.spans.get(key)
        if group is not None:
            for span, score in zip(group, group.attrs["scores"], strict=True):
                # What is given to a later component is certain to that alone.
                found.setdefault(_key(span), float(score))
    return found


def _key(span: Span) -> tuple[int, int, int]:
    return span.start, span.end, span.label


def _group(group: SpanGroup) -> list[Annotation]:
    scores = group.attrs.get("scores")
    if scores is None or len(scores) != len(group):
        scores = [None] * len(group)
    return [_span(span, score) for span, score in zip(group, scores, strict=True)]


def _span(span: Span, score: Any) -> Annotation:
    return {
        "start": span.start_char,
        "end": span.end_char,
        "text": span.text,
        "label": span.label_,
        "score": None if score is None else _rounded(score),
    }


def _rounded(score: Any) -> float:
    rounded = round(float(score), 6)
    if not math.isfinite(rounded):  # JSON has no word for it
        raise ValueError(f"the pipeline gave a score of {rounded}, which is no number")
    return rounded
