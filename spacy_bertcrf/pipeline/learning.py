"""How a component learns, from its batches up to an optimizer's step."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
from spacy.training import Example
from thinc.api import Optimizer

from spacy_bertcrf.models.bridge.trained_parameters import Key
from spacy_bertcrf.models.resumable import State
from spacy_bertcrf.models.strategy import Strategy
from spacy_bertcrf.models.types import Array, CRFTaggerModel
from spacy_bertcrf.pipeline.accumulation import GradientAccumulation
from spacy_bertcrf.pipeline.freed_memory import FreedMemory
from spacy_bertcrf.pipeline.loss_reduction import LOSS_REDUCTIONS, loss_weight
from spacy_bertcrf.pipeline.objective import Targets, objective
from spacy_bertcrf.pipeline.strategies import checked_strategies, optimizer_keys, with_strategies


class Learning:
    """Gathers the gradients of batches, or of parts of them, and calls strategies at their places.

    loss_reduction, strategies: as in the factory.

    Raises ValueError for an unknown reduction, and for strategies that do not go together or with
    the model.
    """

    def __init__(
        self, model: CRFTaggerModel, loss_reduction: str, strategies: Mapping[str, Strategy]
    ):
        if loss_reduction not in LOSS_REDUCTIONS:
            raise ValueError(
                f"loss_reduction is '{loss_reduction}'; it can be {', '.join(LOSS_REDUCTIONS)}."
            )
        self.loss_reduction = loss_reduction
        self.strategies = checked_strategies(strategies, model)
        self._model = model
        self._accumulation = GradientAccumulation(of_means=loss_reduction != "sum")
        self._share = 1.0
        self._has_gradients = False
        # The Docs' lengths of the batch that the next examples are a part of.
        self._whole_batch: Array | None = None
        self._freed_memory = FreedMemory()

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

    def learn(self, examples: list[Example], targets: Targets) -> dict[str, float]:
        """Add the gradients of a batch, or of the part that is expected, to those there are.

        examples: one of them at least has tokens.

        Returns the losses as "crf", and by the strategies' names.
        """
        self._freed_memory.before_update()
        lengths = np.asarray([len(example.predicted) for example in examples])
        if self._whole_batch is None:
            self.expect_part(lengths)
        assert self._whole_batch is not None
        whole, self._whole_batch = self._whole_batch, None
        self._begin_batch(lengths.sum() / whole.sum())
        # That of the whole batch also where these are a part of it.
        weight = loss_weight(self.loss_reduction, whole)
        one_pass = partial(self._pass, targets=targets, weight=weight, n_docs=len(examples))
        return with_strategies(one_pass, self.strategies, self._model)(examples)

    def expect_step(self) -> None:
        """Have strategies see the gradients of the next step, also where none of them are of
        examples: other ways to learn add theirs."""
        self._has_gradients = True

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
        factor = self._accumulation.finish(self._model)
        for strategy in self.strategies.values():
            strategy.before_step(self._model)
        return factor

    def after_step(self, optimizer: Optimizer) -> None:
        """Called when the optimizer has changed the model's weights."""
        for strategy in self.strategies.values():
            strategy.after_step(optimizer)
        self._freed_memory.after_step()

    def strategy_gradients(self) -> list[torch.Tensor]:
        """What the strategies have gathered for the next step beside the model's gradients, to be
        summed up over the processes, in place."""
        return [g for strategy in self.strategies.values() for g in strategy.gradients()]

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

    def _begin_batch(self, fraction: float) -> None:
        losses = ["crf", *(name for name, strategy in self.strategies.items() if strategy.has_loss)]
        for strategy in self.strategies.values():
            strategy.begin_batch(self._model, losses, fraction)

    def _pass(
        self, examples: list[Example], targets: Targets, weight: float, n_docs: int
    ) -> dict[str, float]:
        """One forward and backward pass.

        weight: what the sum over the Docs is multiplied by.
        n_docs: how many they are. Strategies have them read several times: then it is the mean.
        """
        emissions, backprop = self._model.begin_update([example.predicted for example in examples])
        losses, d_emissions = objective(
            self._model,
            examples,
            emissions,
            targets,
            self.strategies,
            weight=weight * n_docs / len(emissions.lengths),
            share=self._share,
        )
        backprop(d_emissions)
        return losses
