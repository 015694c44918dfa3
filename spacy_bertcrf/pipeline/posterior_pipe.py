"""A component that believes something of spans, and what it can be asked."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from spacy.tokens import Doc, Span
from spacy.training import Example, validate_examples
from thinc.types import Ragged

from spacy_bertcrf.models.listeners import unread
from spacy_bertcrf.pipeline.alternatives import other_spans, ranked
from spacy_bertcrf.pipeline.attribution import Attributions
from spacy_bertcrf.pipeline.explaining import mention_of, read_mentions
from spacy_bertcrf.pipeline.explanation import Explanation
from spacy_bertcrf.pipeline.labelled_pipe import LabelledPipe
from spacy_bertcrf.pipeline.length_batches import batches_by_length
from spacy_bertcrf.pipeline.mentions import Mentions, NearMention
from spacy_bertcrf.pipeline.posterior import asked_spans
from spacy_bertcrf.pipeline.temperature import fitted_temperature, judge_entities
from spacy_bertcrf.tagging import EntitySpan

# Tokens times tags of a batch, where there are so many labels that they are what takes memory: of
# 10 labels, those of 100,000 tokens.
MAX_BATCH_SCORES = 2**22
REACH = 2  # tokens, how far the borders of alternatives are from those of what is explained


class PosteriorPipe(LabelledPipe):
    """What the probabilities of spans serve for, whatever gives them.

    max_batch_tokens: of a batch, with padding.
    incorrect_spans_key: of the reference Docs' group of spans that are known to be wrong, if any.
    """

    max_batch_tokens: int
    incorrect_spans_key: str | None

    @property
    def temperature(self) -> float:
        """What all scores are divided by where probabilities are asked for, 1 if not fitted."""
        return float(self.cfg["temperature"])

    def fit_temperature(self, examples: Iterable[Example]) -> float:
        """Fit the temperature on the predicted spans of some examples, and return it."""
        examples = list(examples)
        validate_examples(examples, f"{type(self).__name__}.fit_temperature")
        self._require_initialized()
        judged = [
            judge_entities(
                posterior,
                [examples[i] for i in batch],
                self.labels,
                self.gold,
                self.incorrect_spans_key,
            )
            for batch, posterior in self._posteriors([example.predicted for example in examples])
        ]
        self.cfg["temperature"] = round(fitted_temperature(judged), 4)
        return self.temperature

    def k_best(self, docs: Iterable[Doc], k: int = 5) -> list[list[tuple[list[EntitySpan], float]]]:
        """The k best readings of each Doc, given what the Doc has set already.

        Returns for each Doc up to k pairs, the most probable first: the entities, or spans, as
        (start, end, label) in tokens, end exclusive, and the exact probability that just these
        are there. Those that the Doc has already are among them if the component knows their
        labels. The Docs are left as they are.

        In BIO, readings that differ in spaces at the end of an entity only are counted as one,
        as far as they are among the k: there may be fewer than k, and the probability of such a
        reading is then a lower bound.

        Raises ValueError before the component is initialized, if k is not positive, and for a head
        whose sets of spans have no probability.
        """
        self._require_initialized()
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}.")
        docs = list(docs)
        readings: list[list[tuple[list[EntitySpan], float]]] = [[([], 1.0)] for _ in docs]
        for batch, posterior in self._posteriors(docs):
            for i, best in zip(batch, posterior.k_best(k), strict=True):
                readings[i] = best
        return readings

    def span_probabilities(
        self, doc: Doc, spans: Iterable[tuple[int, int, str] | Span]
    ) -> np.ndarray:
        """The exact posterior probability of each span to be an entity with its label, given
        what the Doc has set already: that of any span, not only of predicted ones.

        spans: (start, end, label) in tokens, end exclusive, or Spans of the Doc; they may overlap.

        Returns (n_spans,) float32. Raises ValueError before the component is initialized, and if
        a span does not lie in the Doc or has a label that the component does not know.
        """
        return self.spans_probabilities([doc], [list(spans)])[0]

    def spans_probabilities(
        self, docs: Iterable[Doc], spans: Sequence[Sequence[tuple[int, int, str] | Span]]
    ) -> list[np.ndarray]:
        """What `span_probabilities` says, of spans of several Docs at a time: for each Doc,
        (n_spans,) float32."""
        self._require_initialized()
        docs = list(docs)
        asked = [
            asked_spans(doc, of_doc, self.labels, self.name)
            for doc, of_doc in zip(docs, spans, strict=True)
        ]
        found = [np.zeros(0, dtype=np.float32) for _ in docs]
        with_spans = [i for i, of_doc in enumerate(asked) if of_doc]
        for batch, posterior in self._posteriors([docs[i] for i in with_spans]):
            places = [with_spans[i] for i in batch]
            values = posterior.span_probabilities([asked[i] for i in places])
            for i, of_doc in zip(places, values, strict=True):
                found[i] = of_doc
        return found

    def explain(
        self,
        doc: Doc,
        span: tuple[int, int, str] | Span,
        *,
        mentions: Mentions | None = None,
        n_nearest: int = 3,
        attributions: bool = True,
        max_steps: int = 256,
        given_entities: bool = False,
    ) -> Explanation:
        """Why a span is an entity with its label, or is none, whether it was predicted or not:
        what else it could be, what in the text it rests on, and what in training is like it.

        doc: the text, after the components that come before this one.
        span: (start, end, label) in tokens, end exclusive, or a Span of the Doc.
        mentions: those of a corpus, from `mentions`, of which the nearest are looked for: of those
            with the same label, those whose vectors have the greatest cosine.
        n_nearest: how many.
        attributions: say what it rests on, which takes most of the time, and captum
            (`pip install 'spacy-bertcrf[explain]'`): integrated gradients of its log probability,
            from a text of [MASK] alone. Of a text that the BERT reads in several windows, those
            are explained that hold the span. Known of a `bertcrf` with a BertEncoder inside of it;
            for others, the result says why it is not known.
        max_steps: of the path from that text to this one; from 16 on they are doubled until the
            values sum to the difference of log probability within 1 %.
        given_entities: take the entities that the Doc has as given, as `span_probabilities` does.
            Otherwise they are passed over, for they usually are what is to be explained.

        The pipeline is left as it is, and any number of threads may explain at a time. Raises
        ValueError before the component is initialized, if the Span is one of another Doc, if the
        span does not lie in the Doc or has a label that the component does not know, and if there
        are no steps; ImportError if captum is needed and not installed.
        """
        self._require_initialized()
        if isinstance(span, Span) and span.doc is not doc:
            raise ValueError(f"The Span '{span.text}' is one of another Doc than the one given.")
        if max_steps < 1:
            raise ValueError(f"max_steps is {max_steps}; it must be at least 1.")
        (asked,) = asked_spans(doc, [span], self.labels, self.name)
        posterior = self._posterior([doc], overwrite=not given_entities)
        others = other_spans(asked, len(doc), self.labels, REACH)
        own, *of_others = posterior.span_probabilities([[asked, *others]])[0]
        rests_on, reason = None, "It was not asked for"
        if attributions:
            rests_on, reason = self._what_it_rests_on(posterior, doc, asked, max_steps)
        nearest: list[NearMention] = []
        if mentions is not None:
            vector = self.token_vectors([doc])[0][asked.start : asked.end].mean(axis=0)
            nearest = mentions.nearest(vector, mention_of(doc, asked), n_nearest)
        return Explanation(
            text=doc.text,
            offsets=[(token.idx, token.idx + len(token)) for token in doc],
            span=asked,
            probability=float(own),
            outside=self._outside(posterior, asked),
            alternatives=ranked(doc, others, np.asarray(of_others)),
            attributions=rests_on,
            no_attributions=reason,
            nearest=nearest,
        )

    def mentions(self, corpus: Iterable[Doc | Example]) -> Mentions:
        """The gold entities of a corpus with the vectors that the encoder has of them, for
        `explain`: made once, and asked as often as one likes.

        corpus: Docs with entities, after the components that come before this one, or Examples,
            whose predicted Docs are.

        Raises ValueError before the component is initialized, if it listens to a shared component
        that has not read the Docs, and if there is no entity.
        """
        self._require_initialized()
        return read_mentions(corpus, self.gold, self.token_vectors, self.max_batch_tokens)

    def token_vectors(self, docs: Iterable[Doc]) -> list[np.ndarray]:
        """What the component's encoder makes of the tokens of each Doc, (n_tokens, width) float32.

        Raises ValueError before the component is initialized, and if it listens to a shared
        component that has not read the Docs.
        """
        self._require_initialized()
        docs = list(docs)
        found = [np.zeros((len(doc), 0), dtype=np.float32) for doc in docs]
        tok2vec = self.model.get_ref("tok2vec")
        for batch in batches_by_length(docs, self.max_batch_tokens):
            read = [docs[i] for i in batch]
            self._require_read(read)
            for i, vectors in zip(batch, tok2vec.predict(read), strict=True):
                found[i] = tok2vec.ops.to_numpy(vectors)
        return found

    def _posterior(self, docs: Sequence[Doc], overwrite: bool = False) -> Any:
        """What is believed of the spans of a batch.

        overwrite: pay no heed to what the Docs have already.
        """
        raise NotImplementedError

    def _posteriors(self, docs: Sequence[Doc]) -> Iterator[tuple[list[int], Any]]:
        """Batch by batch, the indices of its Docs with what is believed of them."""
        per_token = self.model.get_dim("nO")
        most = min(self.max_batch_tokens, max(1, MAX_BATCH_SCORES // per_token))
        for batch in batches_by_length(docs, most):
            yield batch, self._posterior([docs[i] for i in batch])

    def _scores(self, docs: Sequence[Doc]) -> Ragged:
        """What the model gives for a batch. Raises ValueError if it listens to a shared component
        that has not read the Docs."""
        self._require_read(docs)
        scores: Ragged = self.model.predict(docs)
        return scores

    def _what_it_rests_on(
        self, posterior: Any, doc: Doc, span: EntitySpan, max_steps: int
    ) -> tuple[Attributions | None, str]:
        """What in the text a span rests on, or why that is not known."""
        return None, f"What it rests on is known of a bertcrf alone, and '{self.name}' is none"

    def _outside(self, posterior: Any, span: EntitySpan) -> float | None:
        """The probability that no token of a span is in an entity, if entities exclude each
        other."""
        return None

    def _require_read(self, docs: Sequence[Doc]) -> None:
        fault = unread(self.model.get_ref("tok2vec"), docs)
        if fault is not None:
            raise ValueError(f"'{self.name}' {fault}")
