"""What the CRF believes of the entities of a batch of Docs, given what they have set already."""

from collections.abc import Iterable, Sequence
from copy import copy
from math import exp
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from spacy.tokens import Doc, Span
from thinc.api import Model
from thinc.types import Ragged

from spacy_bertcrf.models.tagger.crf import (
    decode,
    entropies,
    k_best,
    marginals,
    stretch_probabilities,
)
from spacy_bertcrf.pipeline.annotations import open_tokens, trimmed
from spacy_bertcrf.pipeline.tag_posterior import TagPosterior, TagStretch, as_tagged
from spacy_bertcrf.tagging import EntitySpan, TagSet


class Uncertainty(NamedTuple):
    """How sure the CRF is of one Doc.

    entropy: of the distribution over tag sequences, in nats.
    wrong_tokens: how many of the best tag sequence's tags are wrong, as expected.
    entities: those that the best sequence adds, with their exact probabilities.
    """

    entropy: float
    wrong_tokens: float
    entities: dict[EntitySpan, float]


class Posterior(TagPosterior):
    """That of a model's CRF.

    crf: the layer of the model that is the CRF.
    emissions: the model's scores for the Docs.
    settings: as of a TagPosterior.
    """

    def __init__(
        self, crf: Model, emissions: Ragged, docs: Sequence[Doc], tag_set: TagSet, **settings: Any
    ):
        super().__init__(docs, tag_set, **settings)
        self._crf = crf
        self._emissions = emissions

    def at_temperature(self, temperature: float) -> "Posterior":
        """The same with another temperature."""
        other = copy(self)
        other._temperature = temperature
        return other

    @property
    def temperature(self) -> float:
        """What all scores are divided by, where probabilities are asked for."""
        return self._temperature

    def best_paths(self) -> list[np.ndarray]:
        """The most probable tag ids of each Doc, (n_tokens,) int64."""
        return decode(self._crf, self._emissions, self._allowed)

    def uncertainties(self) -> list[Uncertainty]:
        """How sure the CRF is of each Doc."""
        paths = self.best_paths()
        given = self._emissions, self._allowed, self._temperature
        of_tags = marginals(self._crf, *given)
        right = of_tags[np.arange(len(of_tags)), np.concatenate(paths)]
        ends = np.cumsum([len(path) for path in paths])[:-1]
        wrong = [float((1 - part).sum()) for part in np.split(right, ends)]
        of_paths = entropies(self._crf, *given).tolist()
        return list(map(Uncertainty, of_paths, wrong, self.probabilities_of_paths(paths)))

    def k_best(self, k: int) -> list[list[tuple[list[EntitySpan], float]]]:
        """For each Doc, the sets of entities of its k best tag sequences with their
        probabilities, the most probable first; fewer where there are fewer.

        In BIO the entities of two sequences may differ in nothing but spaces at their ends.
        These are cut off, and the probabilities of what is the same then are added.
        """
        found = k_best(self._crf, self._emissions, k, self._allowed, self._temperature)
        sets = []
        for doc, paths in zip(self._docs, found, strict=True):
            merged: dict[tuple[EntitySpan, ...], float] = {}
            for path, log_probability in paths:
                spans = tuple(trimmed(doc, span) for span in self._tag_set.decode(path))
                merged[spans] = merged.get(spans, 0.0) + exp(log_probability)
            ranked = sorted(merged.items(), key=itemgetter(1), reverse=True)
            sets.append([(list(spans), probability) for spans, probability in ranked])
        return sets

    def outside_probability(self, start: int, end: int) -> float:
        """The probability that no token of a range is in an entity, in a posterior of one Doc."""
        outside = self._tag_set.encode([], end - start).tolist()
        anything = np.ones(len(self._tag_set), dtype=bool)
        found = self._stretch_probabilities([(0, start, outside)], anything)
        return min(float(found[0]), 1.0)

    def readings_with(
        self, span: EntitySpan, tokens: range
    ) -> tuple[range, list[np.ndarray], np.ndarray | None]:
        """The tags that the tokens of a range may have where a span of it is an entity, in a
        posterior of one Doc.

        Returns the range, without entities that are given and that its ends would cut; arrays
        (n_tokens, n_tags), bool, with no tag sequence inside of two; and what the tokens may have
        in any case, or None for all tags.
        """
        (doc,) = self._docs
        tag_set, allowed = self._tag_set, self._allowed
        start, end = tokens.start, tokens.stop
        if allowed is not None:
            while start < span.start and not (allowed[start] & tag_set.legal_start).any():
                start += 1
            while end > span.end and not (allowed[end - 1] & tag_set.legal_end).any():
                end -= 1
            allowed = allowed[start:end]
        readings = []
        for found in as_tagged(doc, span, open_tokens(doc, self._overwrite)):
            if found.end > end:
                break
            tags = np.ones((end - start, len(tag_set)), dtype=bool)
            _, _, of_span = self._stretch(0, found)
            for at, tag in enumerate(of_span, found.start - start):
                tags[at] = np.arange(len(tag_set)) == tag
            if found.end < end:
                tags[found.end - start] = tag_set.legal_start
            readings.append(tags if allowed is None else tags & allowed)
        return range(start, end), readings, allowed

    def _stretch_probabilities(
        self, stretches: Sequence[TagStretch], closing: np.ndarray
    ) -> np.ndarray:
        """By one forward-backward for all Docs."""
        return stretch_probabilities(
            self._crf, self._emissions, stretches, closing, self._allowed, self._temperature
        )


def asked_spans(
    doc: Doc, spans: Iterable[tuple[int, int, str] | Span], labels: Sequence[str], component: str
) -> list[EntitySpan]:
    """The spans of a Doc whose probabilities a user asks of a component.

    Raises ValueError if a span does not lie in the Doc or has none of the component's labels.
    """
    asked = [
        EntitySpan(span.start, span.end, span.label_)
        if isinstance(span, Span)
        else EntitySpan(*span)
        for span in spans
    ]
    for span in asked:
        if span.label not in labels or not 0 <= span.start < span.end <= len(doc):
            raise ValueError(
                f"The span {tuple(span)} must lie in the text, which has {len(doc)} tokens, "
                f"and have one of the labels of '{component}': {', '.join(labels)}."
            )
    return asked
