"""The `bertcrf_spans` component: a trainable recogniser of spans that may overlap."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_bertcrf.models.spans.head import FoundSpan, head_of
from spacy_bertcrf.models.strategy import Strategy
from spacy_bertcrf.models.types import CRFTaggerModel, SpanTargets
from spacy_bertcrf.pipeline.gold import Gold
from spacy_bertcrf.pipeline.recognizer import Recognizer
from spacy_bertcrf.pipeline.span_annotations import (
    judged_spans,
    set_spans,
    span_annotation,
    span_limits,
    span_targets,
    spans_of,
)
from spacy_bertcrf.pipeline.span_posterior import SpanPosterior
from spacy_bertcrf.pipeline.span_survey import survey_spans
from spacy_bertcrf.pipeline.survey import Survey


class SpanRecognizer(Recognizer):
    """Predicts `doc.spans[spans_key]`: labelled spans that may overlap and lie in one another.

    Spans that the group has already stay as they are, no span starts or ends with a space, and
    none crosses a sentence break that is set before it, unless with `cross_sentences`.

    It learns from `reference.spans[spans_key]`, or from the entities of Docs that have no such
    group, and from partly annotated Docs: where tokens have no annotation, or were annotated for
    some labels alone, the likelihood is the sum over all that could be.
    """

    def __init__(
        self,
        vocab: Vocab,
        model: CRFTaggerModel,
        name: str = "bertcrf_spans",
        *,
        spans_key: str = "sc",
        threshold: float | None = 0.5,
        loss_reduction: str = "mean",
        max_batch_tokens: int = 8192,
        overwrite: bool = False,
        cross_sentences: bool = False,
        incorrect_spans_key: str | None = None,
        strategies: Mapping[str, Strategy] = {},
        scorer: Callable | None = None,
    ):
        """The arguments are those of the factory.

        Raises ValueError for an unknown reduction, for a batch of no tokens, for a threshold that
        is no probability, and for strategies that do not go together or with the model.
        """
        super().__init__(
            vocab,
            model,
            name,
            loss_reduction=loss_reduction,
            max_batch_tokens=max_batch_tokens,
            cross_sentences=cross_sentences,
            threshold=threshold,
            strategies=strategies,
            scorer=scorer,
        )
        self.spans_key = spans_key
        self.overwrite = overwrite
        self.incorrect_spans_key = incorrect_spans_key

    @property
    def gold(self) -> Gold:  # type: ignore[override]
        """Where its gold spans are."""
        key = self.spans_key
        return Gold(
            f"doc.spans['{key}'] or doc.ents",
            f"spans_{key}",
            lambda doc: spans_of(doc, key),
            lambda example: span_annotation(example, key),
        )

    @property
    def has_readings(self) -> bool:
        """Whether sets of spans have a probability, so that there is a `k_best`."""
        return head_of(self.model).has_readings

    def fit_temperature(self, examples: Iterable[Example]) -> float:
        """Calibrate the scores (Guo et al. 2017, https://arxiv.org/abs/1706.04599): find the
        temperature at which those of the most probable sets of spans tell best, by log loss,
        which of these spans are right. It is saved with the component.

        examples: not those of the training, for the model is surer of these than of new texts.
            Their predicted Docs have been through the components before this one.

        Returns the temperature, from 1/20 to 20, above 1 for a model that was too sure. Raises
        ValueError before the component is initialized, if a gold span is among those that are
        known to be incorrect, and if of no predicted span it is known whether it is right.
        """
        return super().fit_temperature(examples)

    def predict(self, docs: Iterable[Doc]) -> list[list[FoundSpan]]:
        """The spans that are to be added to each Doc, with their probabilities.

        Raises ValueError before the component is initialized, and if it listens to a shared
        component that has not read the Docs.
        """
        self._require_initialized()
        docs = list(docs)
        predictions: list[list[FoundSpan]] = [[] for _ in docs]
        for batch, posterior in self._posteriors(docs):
            for i, found in zip(batch, posterior.find(self.threshold), strict=True):
                predictions[i] = found
        return predictions

    def set_annotations(self, docs: Iterable[Doc], scores: Sequence[list[FoundSpan]]) -> None:
        """Set doc.spans[spans_key].

        scores: as from `predict`.
        """
        for doc, found in zip(docs, scores, strict=True):
            set_spans(doc, self.spans_key, dict(found), self.overwrite)

    def score(self, examples: Iterable[Example], **settings: Any) -> dict[str, Any]:
        """The scores of predicted Docs, from the scorer. Predicted spans of which it is not known
        whether they are right do not count. Warns, with the count, of gold spans that sentence
        breaks keep from being found.

        settings: for the scorer.
        """
        examples = list(examples)
        self._warn_of_crossing_gold(examples)
        settings = {"spans_key": self.spans_key, **settings}
        scores: dict[str, Any] = super().score(judged_spans(examples, self.spans_key), **settings)
        return scores

    def _posterior(self, docs: Sequence[Doc], overwrite: bool = False) -> SpanPosterior:
        overwrite = overwrite or self.overwrite
        limits = span_limits(docs, self.spans_key, overwrite, self.cross_sentences)
        return SpanPosterior(self.model, self._scores(docs), limits, self.temperature)

    def _targets(self, examples: list[Example]) -> SpanTargets:
        with self.advice_for_unknown_labels():
            return span_targets(
                examples,
                self.spans_key,
                self.labels,
                head_of(self.model).inexpressible,
                self.incorrect_spans_key,
                self.cross_sentences,
            )

    def _scored(self) -> list[str]:
        return list(self.labels)

    def _grow(self, labels: Sequence[str]) -> None:
        head_of(self.model).grow(self.model, labels)

    def _survey(self, examples: Iterable[Example]) -> Survey:
        return survey_spans(examples, self.name, self.gold, self.spans_key, head_of(self.model))
