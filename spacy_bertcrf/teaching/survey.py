"""What a pipeline does not know of texts that nobody has annotated."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc

from spacy_bertcrf.annotation.annotator import Failure, batches
from spacy_bertcrf.pipeline.entity_recognizer import CRFEntityRecognizer
from spacy_bertcrf.pipeline.posterior import Uncertainty

BATCH_SIZE = 128


class Surveyed(NamedTuple):
    """A text as a pipeline sees it.

    n_tokens: of the text.
    uncertainty: of the whole of it.
    vector: (width,) float32, the mean of its tokens' vectors.
    """

    n_tokens: int
    uncertainty: Uncertainty
    vector: np.ndarray


def recognizer_of(nlp: Language) -> str:
    """The name of a pipeline's first `bertcrf`. Raises ValueError if it has none."""
    for name, pipe in nlp.pipeline:
        if isinstance(pipe, CRFEntityRecognizer):
            return name
    raise ValueError(
        f"The pipeline has no bertcrf, which alone knows how sure it is; it has "
        f"{', '.join(nlp.pipe_names) or 'no component'}."
    )


def survey(nlp: Language, texts: Sequence[str]) -> Iterator[Surveyed | Failure]:
    """What the pipeline's `bertcrf` thinks of each text; a Failure for one that cannot be read.

    Raises ValueError if the pipeline has no `bertcrf`.
    """
    name = recognizer_of(nlp)
    recognizer = nlp.get_pipe(name)
    assert isinstance(recognizer, CRFEntityRecognizer)
    before = [pipe for _, pipe in nlp.pipeline[: nlp.pipe_names.index(name)]]
    with nlp.memory_zone():
        for first, end in batches(texts, BATCH_SIZE):
            yield from _together(nlp, recognizer, before, texts[first:end])


def _together(
    nlp: Language,
    recognizer: CRFEntityRecognizer,
    before: Sequence[Callable[[Doc], Doc]],
    texts: Sequence[str],
) -> list[Surveyed | Failure]:
    try:
        docs = list(map(nlp.make_doc, texts))
        for pipe in before:
            docs = list(pipe.pipe(docs)) if hasattr(pipe, "pipe") else list(map(pipe, docs))
        if len(docs) != len(texts):
            raise ValueError(f"of {len(texts)} texts the pipeline returned {len(docs)}")
        return _surveyed(recognizer, docs)
    except Exception as error:
        if len(texts) == 1:
            return [Failure(f"{type(error).__name__}: {error}")]
        return [found for text in texts for found in _together(nlp, recognizer, before, [text])]


def _surveyed(recognizer: CRFEntityRecognizer, docs: Sequence[Doc]) -> list[Surveyed | Failure]:
    vectors = recognizer.token_vectors(docs)
    width = max(of_doc.shape[1] for of_doc in vectors)
    means = [of_doc.mean(0) if len(of_doc) else np.zeros(width) for of_doc in vectors]
    return [
        Surveyed(len(doc), uncertainty, mean.astype(np.float32))
        for doc, uncertainty, mean in zip(docs, recognizer.uncertainties(docs), means, strict=True)
    ]
