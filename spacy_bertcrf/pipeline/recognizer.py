"""A component with labels that learns batch by batch, and annotates streams of Docs."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from spacy.tokens import Doc
from spacy.training import Example, validate_examples
from spacy.util import minibatch
from spacy.vocab import Vocab
from thinc.api import Optimizer, set_dropout_rate
from thinc.types import Ragged

from spacy_bertcrf.models.bridge.in_place_update import begin_step
from spacy_bertcrf.models.strategy import Strategy
from spacy_bertcrf.models.types import CRFTaggerModel
from spacy_bertcrf.pipeline.batch_annotation import annotated, check_prediction
from spacy_bertcrf.pipeline.learning import Learning
from spacy_bertcrf.pipeline.loss_reduction import loss_weight
from spacy_bertcrf.pipeline.objective import Known, objective
from spacy_bertcrf.pipeline.posterior_pipe import PosteriorPipe
from spacy_bertcrf.pipeline.rehearsal import rehearse
from spacy_bertcrf.pipeline.sentence_breaks import warn_of_crossing_gold


class Recognizer(PosteriorPipe):
    """What the two recognisers share.

    cross_sentences: whether predicted spans may cross sentence breaks that are set before.
    spans_key: the group of spans that gets the scores, if any.
    """

    spans_key: Any

    def __init__(
        self,
        vocab: Vocab,
        model: CRFTaggerModel,
        name: str,
        *,
        loss_reduction: str,
        max_batch_tokens: int,
        cross_sentences: bool,
        threshold: float | None,
        strategies: Mapping[str, Strategy],
        scorer: Callable | None,
        **cfg: Any,
    ):
        check_prediction(max_batch_tokens, threshold)
        super().__init__(vocab, model, name, temperature=1.0, **cfg)
        # Not in `cfg`: what is loaded from disk would win over the config, and with it over
        # `spacy find-threshold`.
        self.max_batch_tokens = max_batch_tokens
        self.cross_sentences = cross_sentences
        self.threshold = threshold
        self.scorer = scorer
        self._has_told_of_crossing_gold = False
        # `Language.resume_training` keeps a copy of the model under this name.
        self._rehearsal_model: CRFTaggerModel | None = None
        self.learning = Learning(model, loss_reduction, strategies)

    @property
    def loss_reduction(self) -> str:
        """How the losses of a batch's Docs become one, as in the factory."""
        return self.learning.loss_reduction

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Annotate a stream of Docs, in batches.

        Where predicting a batch fails and an error handler is set, its Docs are predicted one by
        one, and the handler is given those alone that fail: the others come through.
        """
        for docs in minibatch(stream, size=batch_size):
            yield from annotated(self, self.name, list(docs))

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
        examples, losses = self._begin(examples, losses, "update")
        if not any(len(example.predicted) for example in examples):
            return losses
        self.join_training()
        set_dropout_rate(self.model, drop)
        if not self._has_told_of_crossing_gold:
            self._has_told_of_crossing_gold = self._warn_of_crossing_gold(examples)
        parts = self.learning.learn(examples, self._targets)
        if len(parts) > 1:
            for part, loss in parts.items():
                key = f"{self.name}/{part}"
                losses[key] = losses.get(key, 0.0) + loss
        return self._end(sum(parts.values()), losses, sgd)

    def rehearse(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn to believe of some texts what the model believed when `nlp.resume_training` was
        called: the loss is the divergence of its distribution over whole tag sequences from that
        of then. Labels that were added since are summed out (`models.distillation.divergence`).
        `nlp.rehearse` calls it, in turn with `nlp.update`, with raw texts of the kind that the
        model is not to forget; annotations are not looked at.

        drop, sgd, losses: as of `update`.

        Does nothing if there was no `resume_training`. Raises ValueError before the component is
        initialized, and if the model has no CRF or listens to a shared component.
        """
        examples, losses = self._begin(examples, losses, "rehearse")
        docs = [example.predicted for example in examples]
        if self._rehearsal_model is None or not any(len(doc) for doc in docs):
            return losses
        set_dropout_rate(self.model, drop)
        weight = loss_weight(self.loss_reduction, np.asarray([len(doc) for doc in docs]))
        loss = rehearse(self.model, self._rehearsal_model, docs, weight)
        self.learning.expect_step()
        return self._end(loss, losses, sgd)

    def finish_update(self, sgd: Optimizer) -> None:
        """Take an optimizer step with the gradients of the updates so far."""
        self.learning.complete_gradients()
        begin_step(sgd, {self.name: self.model})
        super().finish_update(sgd)
        self.learning.after_step(sgd)

    def get_loss(self, examples: Iterable[Example], scores: Ragged) -> tuple[float, Ragged]:
        """The CRF's loss of a batch, as the config reduces it, and its gradient.

        scores: emissions, as from `model.begin_update`.

        The gradients of the CRF's transitions are added up in the CRF, as in any backward pass.
        """
        examples = list(examples)
        validate_examples(examples, f"{type(self).__name__}.get_loss")
        losses, d_emissions = objective(
            self.model,
            examples,
            scores,
            self._targets,
            strategies={},
            weight=loss_weight(self.loss_reduction, scores.lengths),
            share=1.0,
        )
        return losses["crf"], d_emissions

    def _targets(self, examples: list[Example]) -> Known:
        raise NotImplementedError

    def _begin(
        self, examples: Iterable[Example], losses: dict[str, float] | None, method: str
    ) -> tuple[list[Example], dict[str, float]]:
        """What both ways to learn check and give first; `_end` is what they do last."""
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, f"{type(self).__name__}.{method}")
        self._require_initialized()
        return examples, losses

    def _end(
        self, loss: float, losses: dict[str, float], sgd: Optimizer | None
    ) -> dict[str, float]:
        if sgd not in (None, False):
            self.finish_update(sgd)
        losses[self.name] += loss
        return losses

    def _warn_of_crossing_gold(self, examples: Iterable[Example]) -> bool:
        return not self.cross_sentences and warn_of_crossing_gold(
            examples, self.name, self.gold.of_doc
        )
