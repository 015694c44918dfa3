"""The `bertcrf` component: a trainable entity recogniser with a linear-chain CRF."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import numpy as np
import torch
from spacy.errors import Errors
from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.tokens import Doc, Span
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Optimizer, set_dropout_rate
from thinc.types import Ragged

from ..models.growth import grow
from ..models.in_place_update import begin_step
from ..models.resumable import State
from ..models.strategy import Strategy
from ..models.trained_parameters import Key
from ..models.types import Array, CRFTaggerModel
from ..tagging import EntitySpan, TagSet
from .accumulation import GradientAccumulation
from .annotations import set_entities, set_span_group, tag_targets, trimmed
from .freed_memory import FreedMemory
from .length_batches import batches_by_length
from .loss_reduction import LOSS_REDUCTIONS, loss_weight
from .objective import objective
from .posterior import Posterior, Prediction, asked_spans
from .step_count import StepCount
from .strategies import checked_strategies, optimizer_keys, with_strategies
from .survey import survey
from .temperature import fitted_temperature, judge_entities
from .upstream import update_upstream_in_place


class CRFEntityRecognizer(TrainablePipe):
    """Predicts `doc.ents` as the best legal tag sequence of a linear-chain CRF.

    It keeps to what spaCy's own `ner` does: entities that a Doc has already and tokens that are
    blocked stay as they are, and no entity starts or ends with a space. In a Doc of which some
    tokens have no annotation, those that are set outside stay outside too. With `overwrite_ents`
    it replaces all that a Doc has.
    """

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
        if loss_reduction not in LOSS_REDUCTIONS:
            raise ValueError(
                f"loss_reduction is '{loss_reduction}'; it can be {', '.join(LOSS_REDUCTIONS)}."
            )
        if max_batch_tokens < 1:
            raise ValueError(f"max_batch_tokens is {max_batch_tokens}; it must be at least 1.")
        if threshold is not None and not 0 <= threshold <= 1:
            raise ValueError(f"threshold is {threshold}; it must be from 0 to 1, or None.")
        super().__init__(vocab, model, name, labels=[], scheme=scheme, temperature=1.0)
        self.loss_reduction = loss_reduction
        self.max_batch_tokens = max_batch_tokens
        # Not in `cfg`: what is loaded from disk would win over the config, and with it over
        # `spacy find-threshold`.
        self.spans_key = spans_key
        self.threshold = threshold
        self.overwrite_ents = overwrite_ents
        self.incorrect_spans_key = incorrect_spans_key
        self.strategies = checked_strategies(strategies, model)
        self.scorer = scorer
        self._accumulation = GradientAccumulation(of_means=loss_reduction != "sum")
        self._share = 1.0
        self._has_gradients = False
        # The Docs' lengths of the batch that the next update's examples are a part of.
        self._whole_batch: Array | None = None
        self._freed_memory = FreedMemory()
        self.step_count = StepCount()

    @property
    def labels(self) -> tuple[str, ...]:
        """The entity labels, in the order of their tags."""
        return tuple(self.cfg["labels"])

    @property
    def label_data(self) -> list[str]:
        """What `initialize` takes as `labels`, and `spacy init labels` writes."""
        return list(self.cfg["labels"])

    @property
    def tag_set(self) -> TagSet:
        """The tags of the labels."""
        return TagSet(self.labels, self.cfg["scheme"])

    @property
    def temperature(self) -> float:
        """What all scores are divided by where probabilities are asked for, 1 if not fitted."""
        return float(self.cfg["temperature"])

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
        examples = list(examples)
        validate_examples(examples, "CRFEntityRecognizer.fit_temperature")
        self._require_initialized()
        docs = [example.predicted for example in examples]
        judged = [
            judge_entities(
                self._posterior([docs[i] for i in batch]),
                [examples[i] for i in batch],
                self.labels,
                self.incorrect_spans_key,
            )
            for batch in batches_by_length(docs, self.max_batch_tokens)
        ]
        self.cfg["temperature"] = round(fitted_temperature(judged), 4)
        return self.temperature

    def add_label(self, label: str) -> int:
        """Add an entity label.

        If the component is initialized, its model grows: what it has learned stays, scores of
        the other labels included, and the new label is predicted only after it is learned.

        Returns 1, or 0 if the component has the label. Raises ValueError for anything but a
        string that is not empty.
        """
        if not isinstance(label, str):
            raise ValueError(Errors.E187)
        return self._add_labels([label])

    def _add_labels(self, labels: Iterable[str]) -> int:
        old = self.tag_set
        added = [label for label in labels if label not in old.labels]
        if not added:
            return 0
        new = TagSet([*old.labels, *added], old.scheme)
        if self.is_initialized:
            grow(self.model, old, new)
        self.cfg["labels"] = list(new.labels)
        for label in added:
            self.vocab.strings.add(label)
        return len(added)

    @property
    def is_initialized(self) -> bool:
        """Whether the model has its weights."""
        return self.model.has_dim("nO") is True

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        """Take the labels and build the model, or let a trained model grow by the labels that are
        new to it.

        get_examples: gives the training examples.
        nlp: the pipeline.
        labels: the labels, if they are known (from `spacy init labels`); otherwise they are
            all those of the examples, sorted.

        Raises ValueError if there are no labels or no tokens, and if labels that a trained model
        has are missing from `labels`. Warns once, with the count, if entities of the examples do
        not fit the tokens.
        """
        validate_get_examples(get_examples, "CRFEntityRecognizer.initialize")
        corpus_labels, sample = survey(get_examples(), self.name)
        if self.is_initialized and labels is not None:
            self._refuse_to_shrink(labels)
        self._add_labels(corpus_labels if labels is None else labels)
        if not self.labels:
            raise ValueError(
                f"The examples have no entities, so '{self.name}' has no labels to learn. Check "
                "that doc.ents is set in the training corpus, or give 'labels'."
            )
        if not self.is_initialized:
            if not sample:
                raise ValueError(f"'{self.name}' needs at least one example with a token.")
            self.model.initialize(X=sample, Y=self.tag_set)
        if nlp is not None:
            self.step_count = StepCount(nlp)
            update_upstream_in_place(nlp)

    def _refuse_to_shrink(self, labels: Sequence[str]) -> None:
        lost = [label for label in self.labels if label not in labels]
        if lost:
            raise ValueError(
                f"'{self.name}' is trained for the labels {', '.join(self.labels)}, and "
                f"{', '.join(lost)} would be lost. Give these labels too, or begin with a new "
                "component."
            )

    def predict(self, docs: Iterable[Doc]) -> list[Prediction]:
        """The best tag sequence of each Doc, given what the Doc has set already.

        Raises ValueError before the component is initialized.
        """
        self._require_initialized()
        docs = list(docs)
        predictions = [Prediction(np.zeros(0, dtype=np.int64)) for _ in docs]
        with_probabilities = self.spans_key is not None or self.threshold is not None
        for batch in batches_by_length(docs, self.max_batch_tokens):
            posterior = self._posterior([docs[i] for i in batch])
            paths = posterior.best_paths()
            if with_probabilities:
                found = posterior.probabilities_of_paths(paths)
            else:
                found = [None] * len(batch)
            for i, path, probabilities in zip(batch, paths, found, strict=True):
                predictions[i] = Prediction(path, probabilities)
        return predictions

    def k_best(self, docs: Iterable[Doc], k: int = 5) -> list[list[tuple[list[EntitySpan], float]]]:
        """The k best readings of each Doc, given what the Doc has set already.

        Returns for each Doc up to k pairs, the most probable first: the entities as
        (start, end, label) in tokens, end exclusive, and the exact probability that just these
        are the entities. Entities that the Doc has already are among them if the component knows
        their labels. The Docs are left as they are.

        In BIO, readings that differ in spaces at the end of an entity only are counted as one,
        as far as they are among the k: there may be fewer than k, and the probability of such a
        reading is then a lower bound.

        Raises ValueError before the component is initialized, and if k is not positive.
        """
        self._require_initialized()
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}.")
        docs = list(docs)
        readings: list[list[tuple[list[EntitySpan], float]]] = [[([], 1.0)] for _ in docs]
        for batch in batches_by_length(docs, self.max_batch_tokens):
            found = self._posterior([docs[i] for i in batch]).k_best(k)
            for i, best in zip(batch, found, strict=True):
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
        self._require_initialized()
        asked = asked_spans(doc, spans, self.labels, self.name)
        if not asked:
            return np.zeros(0, dtype=np.float32)
        return self._posterior([doc]).span_probabilities([asked])[0]

    def _posterior(self, docs: Sequence[Doc]) -> Posterior:
        emissions = self.model.predict(docs)
        return Posterior(
            self.model.get_ref("crf"),
            emissions,
            docs,
            self.tag_set,
            overwrite=self.overwrite_ents,
            temperature=self.temperature,
        )

    def set_annotations(self, docs: Iterable[Doc], scores: Sequence[Prediction]) -> None:
        """Set doc.ents, and doc.spans where the component has a spans_key.

        scores: as from `predict`.
        """
        tag_set = self.tag_set
        for doc, (tag_ids, probabilities) in zip(docs, scores, strict=True):
            spans = tag_set.decode(tag_ids)
            if probabilities is not None and self.threshold is not None:
                spans = [
                    s for s in spans if probabilities.get(trimmed(doc, s), 1) >= self.threshold
                ]
            set_entities(doc, spans, self.overwrite_ents)
            if self.spans_key is not None:
                set_span_group(doc, self.spans_key, probabilities or {})

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from a batch of examples.

        drop: the dropout rate of the token vectors and the sequence layer's output.
        sgd: the optimizer; without it the gradients are kept for a later `finish_update`.
        losses: updated under the component's name.

        Raises ValueError before the component is initialized, if an entity has an unknown label,
        and if a score is not a number.
        """
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, "CRFEntityRecognizer.update")
        self._require_initialized()
        lengths = np.asarray([len(example.predicted) for example in examples])
        if not lengths.any():
            return losses
        self._freed_memory.before_update()
        set_dropout_rate(self.model, drop)
        if self._whole_batch is None:
            self.expect_part(lengths)
        assert self._whole_batch is not None
        whole, self._whole_batch = self._whole_batch, None
        self._begin_batch(lengths.sum() / whole.sum())
        # The mean over the part as a share of that over the whole.
        share = loss_weight(self.loss_reduction, whole) / loss_weight(self.loss_reduction, lengths)
        learn = with_strategies(partial(self._learn, part=share), self.strategies, self.model)
        parts = learn(examples)
        if sgd not in (None, False):
            self.finish_update(sgd)
        losses[self.name] += sum(parts.values())
        if len(parts) > 1:
            for part, loss in parts.items():
                key = f"{self.name}/{part}"
                losses[key] = losses.get(key, 0.0) + loss
        return losses

    def expect_part(self, lengths: Sequence[int] | Array) -> None:
        """Take the examples of the next update for a part of a batch, from the rest of which
        other processes learn: the sum of the losses and gradients of all is then what the batch
        as a whole would give. Where the part is empty there need not be an update.

        lengths: (n_docs,), in tokens, of all Docs of the batch.
        """
        whole = np.asarray(lengths)
        if not whole.any():
            return
        self._whole_batch = whole
        self._share = self._accumulation.begin_batch(1 / loss_weight(self.loss_reduction, whole))
        self._begin_batch(0.0)
        self._has_gradients = True

    def _begin_batch(self, fraction: float) -> None:
        losses = ["crf", *(name for name, strategy in self.strategies.items() if strategy.has_loss)]
        for strategy in self.strategies.values():
            strategy.begin_batch(self.model, losses, fraction)

    def strategy_gradients(self) -> list[torch.Tensor]:
        """What the strategies have gathered for the next step beside the model's gradients, to be
        summed up over the processes, in place."""
        return [g for strategy in self.strategies.values() for g in strategy.gradients()]

    def _learn(self, examples: list[Example], part: float) -> dict[str, float]:
        """One forward and backward pass. Losses and gradients are multiplied by `part`."""
        emissions, backprop = self.model.begin_update([example.predicted for example in examples])
        losses, d_emissions = self._losses(
            examples, emissions, self.strategies, part=part, share=self._share
        )
        backprop(d_emissions)
        return losses

    def finish_update(self, sgd: Optimizer) -> None:
        """Take an optimizer step with the gradients of the updates so far."""
        self.complete_gradients()
        begin_step(sgd, {self.name: self.model}, self.step_count)
        super().finish_update(sgd)
        for strategy in self.strategies.values():
            strategy.after_step(sgd)
        self._freed_memory.after_step()

    def complete_gradients(self) -> float:
        """Make the gradients of the updates so far what the optimizer is to see, before it steps
        the first component that they went through. Another call before the next update does
        nothing.

        Returns what accumulated gradients were multiplied by.
        """
        if not self._has_gradients:
            return 1.0
        self._has_gradients = False
        self._whole_batch = None
        factor = self._accumulation.finish(self.model)
        for strategy in self.strategies.values():
            strategy.before_step(self.model)
        return factor

    def training_state(self) -> State:
        """What a training has changed beside the model: by strategy, its state."""
        return {name: strategy.training_state() for name, strategy in self.strategies.items()}

    def restore_training_state(self, state: State) -> None:
        """Let the strategies go on where those were that gave this state."""
        for name, strategy in self.strategies.items():
            strategy.restore_training_state(state[name])

    def optimizer_keys(self) -> dict[str, Key]:
        """What an optimizer has the parameters of strategies under, by names that are the same in
        every process."""
        return optimizer_keys(self.strategies)

    def get_loss(self, examples: Iterable[Example], scores: Ragged) -> tuple[float, Ragged]:
        """The CRF's loss of a batch, as the config reduces it, and its gradient.

        scores: emissions, as from `model.begin_update`.

        The gradients of the CRF's transitions are added up in the CRF, as in any backward pass.
        """
        examples = list(examples)
        validate_examples(examples, "CRFEntityRecognizer.get_loss")
        losses, d_emissions = self._losses(examples, scores)
        return losses["crf"], d_emissions

    def _losses(
        self,
        examples: list[Example],
        emissions: Ragged,
        strategies: Mapping[str, Strategy] = {},
        part: float = 1.0,
        share: float = 1.0,
    ) -> tuple[dict[str, float], Ragged]:
        # A strategy may have the emissions computed several times.
        samples = len(emissions.lengths) // len(examples)
        targets = tag_targets(examples * samples, self.tag_set, self.incorrect_spans_key)
        return objective(
            self.model,
            [example.predicted for example in examples],
            emissions,
            targets,
            strategies,
            weight=part * loss_weight(self.loss_reduction, emissions.lengths),
            share=share,
        )

    def _require_initialized(self) -> None:
        if not self.is_initialized:
            raise ValueError(Errors.E109.format(name=self.name))
