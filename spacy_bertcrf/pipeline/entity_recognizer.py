"""The `bertcrf` component: a trainable entity recogniser with a linear-chain CRF."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_bertcrf.models.strategy import Strategy
from spacy_bertcrf.models.tagger.growth import grow
from spacy_bertcrf.models.types import CRFTaggerModel, TagTargets
from spacy_bertcrf.pipeline.annotations import judged_examples, tag_targets
from spacy_bertcrf.pipeline.attribution import Attributions
from spacy_bertcrf.pipeline.explaining import what_it_rests_on
from spacy_bertcrf.pipeline.gold import GOLD_ENTITIES
from spacy_bertcrf.pipeline.posterior import Posterior, Uncertainty
from spacy_bertcrf.pipeline.recognizer import Recognizer
from spacy_bertcrf.pipeline.tag_posterior import Prediction, set_predictions
from spacy_bertcrf.tagging import EntitySpan, TagSet


class CRFEntityRecognizer(Recognizer):
    """Predicts `doc.ents` as the best legal tag sequence of a linear-chain CRF.

    It keeps to what spaCy's own `ner` does: entities that a Doc has already and tokens that are
    blocked stay as they are, no entity starts or ends with a space, and none crosses a sentence
    break that is set before it, unless with `cross_sentences`. In a Doc of which some tokens have
    no annotation, those that are set outside stay outside too. With `overwrite_ents` it replaces
    all entities that a Doc has.

    It learns from partly annotated Docs: where tokens have no annotation, the likelihood is the
    sum over all that could be. So it is, for the other labels, in Docs that were annotated for
    some labels alone (`spacy_bertcrf.corpora.annotated_labels.mark_annotated`).
    """

    gold = GOLD_ENTITIES

    def __init__(
        self,
        vocab: Vocab,
        model: CRFTaggerModel,
        name: str = "bertcrf",
        *,
        scheme: str = "BIOES",
        loss_reduction: str = "mean",
        max_batch_tokens: int = 8192,
        spans_key: str | None = None,
        threshold: float | None = None,
        overwrite_ents: bool = False,
        cross_sentences: bool = False,
        incorrect_spans_key: str | None = None,
        strategies: Mapping[str, Strategy] = {},
        scorer: Callable | None = None,
    ):
        """The arguments are those of the factory.

        Raises ValueError for an unknown scheme or reduction, for a batch of no tokens, for a
        threshold that is no probability, and for strategies that do not go together or with the
        model.
        """
        TagSet([], scheme)
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
            scheme=scheme,
        )
        self.spans_key = spans_key
        self.overwrite_ents = overwrite_ents
        self.incorrect_spans_key = incorrect_spans_key

    @property
    def tag_set(self) -> TagSet:
        """The tags of the labels."""
        return _tag_set(self.labels, self.cfg["scheme"])

    def fit_temperature(self, examples: Iterable[Example]) -> float:
        """Calibrate the scores (Guo et al. 2017, https://arxiv.org/abs/1706.04599): find the
        temperature at which those of the predicted entities tell best, by log loss, which of
        them are right.

        It is saved with the component and changes probabilities alone, never the best path. All
        predicted entities count, those below the `threshold` too, but for those with tokens that
        have no gold annotation; spans that are known to be incorrect count as wrong in any case.

        examples: not those of the training, for the model is surer of these than of new texts.
            Their predicted Docs have been through the components before this one.

        Returns the temperature, from 1/20 to 20, above 1 for a model that was too sure. Raises
        ValueError before the component is initialized, if a gold entity is among the spans that
        are known to be incorrect, and if of no predicted entity it is known whether it is right.
        """
        return super().fit_temperature(examples)

    def predict(self, docs: Iterable[Doc]) -> list[Prediction]:
        """The best tag sequence of each Doc, given what the Doc has set already.

        Raises ValueError before the component is initialized, and if it listens to a shared
        component that has not read the Docs.
        """
        self._require_initialized()
        docs = list(docs)
        predictions = [Prediction(np.zeros(0, dtype=np.int64)) for _ in docs]
        with_probabilities = self.spans_key is not None or self.threshold is not None
        for batch, posterior in self._posteriors(docs):
            for i, prediction in zip(batch, posterior.predict(with_probabilities), strict=True):
                predictions[i] = prediction
        return predictions

    def uncertainties(self, docs: Iterable[Doc]) -> list[Uncertainty]:
        """How sure the component is of each Doc, given what the Doc has set already. A Doc without
        tokens leaves no doubt.

        Raises ValueError before the component is initialized.
        """
        self._require_initialized()
        docs = list(docs)
        found = [Uncertainty(0.0, 0.0, {}) for _ in docs]
        for batch, posterior in self._posteriors(docs):
            for i, uncertainty in zip(batch, posterior.uncertainties(), strict=True):
                found[i] = uncertainty
        return found

    def _posterior(self, docs: Sequence[Doc], overwrite: bool = False) -> Posterior:
        return Posterior(
            self.model.get_ref("crf"),
            self._scores(docs),
            docs,
            self.tag_set,
            overwrite=overwrite or self.overwrite_ents,
            cross_sentences=self.cross_sentences,
            temperature=self.temperature,
        )

    def _what_it_rests_on(
        self, posterior: Posterior, doc: Doc, span: EntitySpan, max_steps: int
    ) -> tuple[Attributions | None, str]:
        return what_it_rests_on(self.model, posterior, doc, span, max_steps)

    def _outside(self, posterior: Posterior, span: EntitySpan) -> float:
        return posterior.outside_probability(span.start, span.end)

    def set_annotations(self, docs: Iterable[Doc], scores: Sequence[Prediction]) -> None:
        """Set doc.ents, and doc.spans where the component has a spans_key.

        scores: as from `predict`.
        """
        set_predictions(
            docs, scores, self.tag_set, self.threshold, self.spans_key, self.overwrite_ents
        )

    def score(self, examples: Iterable[Example], **settings: Any) -> dict[str, Any]:
        """The scores of predicted Docs, from the scorer. Where a Doc was annotated for some labels
        alone, predicted entities with others count neither as right nor as wrong. Warns, with the
        count, of gold entities that sentence breaks keep from being found.

        settings: for the scorer.
        """
        examples = list(examples)
        self._warn_of_crossing_gold(examples)
        scores: dict[str, Any] = super().score(judged_examples(examples), **settings)
        return scores

    def _targets(self, examples: list[Example]) -> TagTargets:
        with self.advice_for_unknown_labels():
            return tag_targets(
                examples, self.tag_set, self.incorrect_spans_key, self.cross_sentences
            )

    def _scored(self) -> TagSet:
        return self.tag_set

    def _grow(self, labels: Sequence[str]) -> None:
        grow(self.model, self.tag_set, TagSet(labels, self.cfg["scheme"]))


# It is asked for with every Doc, and takes longer to make than a short one to be read by a CNN.
@lru_cache(maxsize=32)
def _tag_set(labels: tuple[str, ...], scheme: str) -> TagSet:
    return TagSet(labels, scheme)
