"""What a training strategy can do in each update of a component."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Optimizer

from spacy_bertcrf.layers import LinearChainCRF
from spacy_bertcrf.models.bert.bert_shim import BertShim
from spacy_bertcrf.models.bridge.torch_shim import torch_shim
from spacy_bertcrf.models.bridge.trained_parameters import Key
from spacy_bertcrf.models.resumable import State
from spacy_bertcrf.models.types import Array, CRFTaggerModel, TagTargets
from spacy_bertcrf.tagging import TagSet

Learn: TypeAlias = Callable[[list[Example]], dict[str, float]]
"""Adds the gradients of a batch to those that there are, and returns its losses by part."""


@dataclass(frozen=True)
class ScoredBatch:
    """A batch as losses see it.

    docs: as the model has read them. A strategy may have it read each of them several times.
    emissions: (n_tokens, n_tags), which the loss is differentiated by.
    lengths: (n_docs,), the tokens of each of the docs.
    targets: what is known of their tags.
    n_samples: how many samples of dropout the emissions have of each of `docs`.
    """

    model: CRFTaggerModel
    docs: list[Doc]
    emissions: torch.Tensor
    lengths: Array
    targets: TagTargets
    n_samples: int = 1

    @property
    def crf(self) -> LinearChainCRF:
        """The CRF of the model."""
        crf: LinearChainCRF = torch_shim(self.model.get_ref("crf")).module
        return crf

    @property
    def tag_set(self) -> TagSet:
        """The tags of the model."""
        return TagSet(**torch_shim(self.model.get_ref("crf")).cfg)

    def fitting_tags(self) -> torch.Tensor:
        """(n_tokens, n_tags), bool: the tags that each token may have."""
        device = self.emissions.device
        if self.targets.allowed is not None:
            return torch.from_numpy(self.targets.allowed).to(device, non_blocking=True)
        tags = torch.from_numpy(self.targets.tags).to(device, non_blocking=True)
        return torch.nn.functional.one_hot(tags, self.emissions.shape[1]).bool()


class Strategy:
    """A way of training. A component calls its strategies at fixed places of each update; what
    they do not change is as here, where nothing is done.

    kind: a component has one strategy of a kind at most.
    has_loss: whether `loss` gives one.
    reads_tags: whether it is made from the scores of tags, which not every model has.
    """

    kind: str = ""
    has_loss: bool = False
    reads_tags: bool = True

    def check(self, model: CRFTaggerModel) -> None:
        """Raises ValueError if it cannot work with this model. The model has no weights yet."""

    def begin_batch(self, model: CRFTaggerModel, losses: Sequence[str], fraction: float) -> None:
        """Called before each batch, and with the model's weights there.

        losses: the names that `factors` will be asked with, at most.
        fraction: of the batch that this process learns from; others learn from the rest.
        """

    def gradients(self) -> list[torch.Tensor]:
        """What it has gathered for the next step beside the model's gradients. Processes that
        share batches sum it up, in these tensors; each has the same ones, also one whose
        part of the batch was empty."""
        return []

    def around(self, learn: Learn, model: CRFTaggerModel) -> Learn:
        """What is done instead of `learn`, mostly with its help."""
        return learn

    def loss(self, batch: ScoredBatch) -> torch.Tensor | None:
        """A loss beside the CRF's, summed up over the docs; one number, with gradient."""
        return None

    def factors(self, losses: dict[str, float]) -> dict[str, float]:
        """What losses are multiplied by, if not by 1.

        losses: that of the CRF, "crf", and those of the strategies by the strategies' names.
        """
        return {}

    def before_step(self, model: CRFTaggerModel) -> None:
        """Called with all gradients of an optimizer step in the model."""

    def after_step(self, optimizer: Optimizer) -> None:
        """Called when the optimizer has changed the model's weights."""

    def training_state(self) -> State:
        """As of a `Resumable`: what a strategy learns or counts, between two steps."""
        return {}

    def restore_training_state(self, state: State) -> None:
        """As of a `Resumable`."""

    def optimizer_keys(self) -> dict[str, Key]:
        """What the optimizer has the strategy's own parameters under, by names that are the same
        in every process."""
        return {}


def inner_bert(model: CRFTaggerModel) -> BertShim | None:
    """The BERT that is part of the model and trained with it, if there is one."""
    if model.attrs["settings"].freeze_tok2vec:
        return None
    shims = [shim for node in model.get_ref("tok2vec").walk() for shim in node.shims]
    return next((shim for shim in shims if isinstance(shim, BertShim)), None)


def trained_bert(model: CRFTaggerModel, strategy: str) -> BertShim:
    """The BERT that is part of the model.

    strategy: the name of what needs it.

    Raises ValueError if there is none, or if it is frozen.
    """
    shim = inner_bert(model)
    if shim is None:
        raise ValueError(
            f"{strategy} needs a BERT that is part of the component and trained with it: a "
            "spacy-bertcrf.BertEncoder.v1 as tok2vec, and freeze_tok2vec = false."
        )
    return shim
