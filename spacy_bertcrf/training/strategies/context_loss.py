"""Masked words as a second task on the same texts."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import torch
from thinc.api import Optimizer
from torch import Tensor, nn
from torch.nn import functional as F

from spacy_bertcrf.layers.recomputation import recomputed
from spacy_bertcrf.models.bert.bert_shim import BertShim
from spacy_bertcrf.models.bridge.module_state import module_state, restore_module
from spacy_bertcrf.models.bridge.torch_shim import TorchShim
from spacy_bertcrf.models.bridge.trained_parameters import Key
from spacy_bertcrf.models.resumable import State
from spacy_bertcrf.models.strategy import ScoredBatch, Strategy, trained_bert
from spacy_bertcrf.models.types import CRFTaggerModel
from spacy_bertcrf.training.strategies.loss_weights import LossWeight

KEPT, RANDOM = 0.1, 0.1  # of the chosen wordpieces; the others are masked


class ContextLoss(Strategy):
    """BERT keeps to what it was pretrained for: of each text a share of the wordpieces is chosen
    at random, and the cross-entropy of their prediction from the rest of the text is a loss
    (Devlin et al. 2019, https://arxiv.org/abs/1810.04805; Gururangan et al. 2020,
    https://arxiv.org/abs/2004.10964). Of the chosen ones 80 % are replaced by the mask, 10 % by
    another wordpiece, 10 % are left.

    The prediction is a layer norm and BERT's own embeddings with a bias. It is not saved.
    Takes about twice the time.

    weight: of the sum over the chosen wordpieces: a number, or a schedule over the optimizer's
        steps.
    share: of the wordpieces that are chosen.

    Raises ValueError if the weight is negative, and if the share is not between 0 and 1.
    """

    kind = "context"
    has_loss = True
    reads_tags = False

    def __init__(self, weight: float | Iterator[float] = 0.1, share: float = 0.15):
        if not 0 < share < 1:
            raise ValueError(f"share is {share}; it must be between 0 and 1.")
        self.weight = LossWeight(weight)
        self.share = share
        self._head = TorchShim(_MaskedWordHead)

    def check(self, model: CRFTaggerModel) -> None:
        trained_bert(model, "The context loss")

    def begin_batch(self, model: CRFTaggerModel, losses: Sequence[str], fraction: float) -> None:
        if not self._head.cfg:
            bert = trained_bert(model, "The context loss").module.bert
            vocabulary, width = bert.get_input_embeddings().weight.shape
            self._head.rebuild(vocabulary=vocabulary, width=width)
        for parameter in self._head.module.parameters():
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)

    def gradients(self) -> list[Tensor]:
        return [p.grad for p in self._head.module.parameters() if p.grad is not None]

    def loss(self, batch: ScoredBatch) -> Tensor:
        shim = trained_bert(batch.model, "The context loss")
        tok2vec = batch.model.get_ref("tok2vec")
        encoder = next(node for node in tok2vec.walk() if shim in node.shims)
        inputs, _ = encoder.attrs["convert_inputs"](encoder, batch.docs, True)
        texts, masks, *_, n_recomputed = inputs.args
        total = batch.emissions.new_zeros(())
        for i, (ids, mask) in enumerate(zip(texts, masks, strict=True)):
            chosen = self._choose(ids, mask, shim)
            if not chosen.any():
                continue
            masked = _masked(ids, chosen, shim.tokenizer.tokenizer)
            args = (shim, masked, mask, chosen, ids[chosen])
            # What this reading keeps for the backward pass is bounded as the other's is.
            is_recomputed = i < n_recomputed
            guess = partial(recomputed, self._guess) if is_recomputed else self._guess
            total = total + guess(*args)
        # The loss of a batch is that of all samples of its Docs.
        return self.weight.value * batch.n_samples * total

    def _guess(
        self, shim: BertShim, masked: Tensor, mask: Tensor | None, chosen: Tensor, gold: Tensor
    ) -> Tensor:
        # The head's own gradients are not scaled, and those of BERT are before each step.
        embeddings = shim.scaled(shim.module.bert.get_input_embeddings().weight)
        vectors = shim.scaled(shim.training_module.encode(masked, mask)[chosen])
        return F.cross_entropy(self._head.module(vectors, embeddings), gold, reduction="sum")

    def after_step(self, optimizer: Optimizer) -> None:
        self.weight.step()
        self._head.finish_update(optimizer)

    def training_state(self) -> State:
        return {
            "weight": self.weight.training_state(),
            "settings": self._head.cfg,
            "head": module_state(self._head.module),
        }

    def restore_training_state(self, state: State) -> None:
        self.weight.restore_training_state(state["weight"])
        # A head is there from the first loss on.
        if state["settings"]:
            self._head.rebuild(**state["settings"])
            restore_module(self._head.module, state["head"])

    def optimizer_keys(self) -> dict[str, Key]:
        return {name: (self._head.id, name) for name, _ in self._head.module.named_parameters()}

    def _choose(self, ids: Tensor, mask: Tensor | None, shim: BertShim) -> Tensor:
        special = torch.tensor(shim.tokenizer.tokenizer.all_special_ids, device=ids.device)
        can_be = ~torch.isin(ids, special)
        if mask is not None:
            can_be &= mask.bool()
        return can_be & (torch.rand(ids.shape, device=ids.device) < self.share)


class _MaskedWordHead(nn.Module):
    def __init__(self, vocabulary: int, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, vectors: Tensor, embeddings: Tensor) -> Tensor:
        """vectors: (n_chosen, width). embeddings: (vocabulary, width), BERT's own.

        Returns (n_chosen, vocabulary).
        """
        return F.linear(self.norm(vectors), embeddings, self.bias)


def _masked(ids: Tensor, chosen: Tensor, tokenizer: Any) -> Tensor:
    dice = torch.rand(ids.shape, device=ids.device)
    others = torch.randint_like(ids, len(tokenizer))
    replaced = torch.where(dice < RANDOM, others, tokenizer.mask_token_id)
    replaced = torch.where(dice > 1 - KEPT, ids, replaced)
    return torch.where(chosen, replaced, ids)
