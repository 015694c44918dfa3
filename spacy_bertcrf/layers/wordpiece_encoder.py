"""From wordpieces to token vectors: a Hugging Face encoder and the pooling behind it."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spacy_bertcrf.layers.half_precision_casts import sharing_casts
from spacy_bertcrf.layers.onednn_linear import multiply_by_onednn
from spacy_bertcrf.layers.recomputation import recomputed


class WordpieceEncoder(nn.Module):
    """Runs an encoder over batches of wordpieces and pools its vectors to one a token.

    bert: a Hugging Face model that gives `last_hidden_state`. Its linear layers are made to
        multiply by oneDNN where that is faster.
    n_layers: 1 takes the last layer's vectors; n > 1 the mix of the last n that is learned, a
        softmax over layers times a scale (Peters et al. 2018, https://arxiv.org/abs/1802.05365).
    autocast_dtype: the precision of the encoder's matrix products; None for that of its weights.

    Raises ValueError if the encoder has fewer layers.
    """

    def __init__(self, bert: Any, n_layers: int = 1, autocast_dtype: torch.dtype | None = None):
        super().__init__()
        config = bert.config
        depth: int = config.num_hidden_layers
        if not 1 <= n_layers <= depth:
            raise ValueError(f"The encoder has {depth} layers, so n_layers cannot be {n_layers}.")
        multiply_by_onednn(bert)
        self.bert = bert
        self.n_layers = n_layers
        self.autocast_dtype = autocast_dtype
        self.output_width: int = config.hidden_size
        # In the range of the encoder's own embeddings.
        deviation = getattr(config, "initializer_range", 0.02)
        self.pieceless = nn.Parameter(torch.randn(self.output_width) * deviation)
        if n_layers > 1:
            self.mix_logits = nn.Parameter(torch.zeros(n_layers))
            self.mix_scale = nn.Parameter(torch.ones(1))  # thinc's optimizers want a length

    def forward(
        self,
        input_ids: Sequence[Tensor],
        attention_masks: Sequence[Tensor | None],
        pieces: Tensor,
        bags: Tensor | None = None,
        n_recomputed: int = 0,
    ) -> Tensor:
        """input_ids: int64 (batch, max_len), a tensor for each batch.
        attention_masks: int64 (batch, max_len) for each batch, 0 at padding; None for no padding.
        pieces: (n_pieces,) int64, the wordpieces that tokens are pooled from, as positions in
            all rows of all batches one after the other, counted from 1; 0 is the vector that is
            learned for tokens without wordpieces.
        bags: (n_tokens,) int64, where in `pieces` each token begins, whose vector is the mean of
            its pieces'; None if each token has just one.
        n_recomputed: of so many batches, the first ones, nothing but the vectors is kept for the
            backward pass, which computes the rest again.

        Returns float32 token vectors (n_tokens, output_width).
        """
        rows = [self.pieceless[None]]
        if n_recomputed and not self._learns():
            n_recomputed = 0
        with sharing_casts(keep_weights=len(input_ids) > 1):
            for i, (ids, mask) in enumerate(zip(input_ids, attention_masks, strict=True)):
                # The backward pass begins with the last batches, so that what they kept is free
                # again when the first are computed again.
                is_recomputed = i < n_recomputed
                encode = partial(recomputed, self.encode) if is_recomputed else self.encode
                rows.append(encode(ids, mask).flatten(0, 1))
        flat = torch.cat(rows)
        if bags is None:
            return flat.index_select(0, pieces)
        return F.embedding_bag(pieces, flat, bags, mode="mean")

    def encode(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        """The vectors of one batch of wordpieces, (batch, max_len, output_width), float32; ids
        and mask as in `forward`."""
        with self._autocast(ids.device):
            outputs = self.bert(
                input_ids=ids, attention_mask=mask, output_hidden_states=self.n_layers > 1
            )
        return self._of_layers(outputs)

    def encode_embedded(self, embeddings: Tensor) -> Tensor:
        """The same of wordpieces that are given as vectors, (batch, length, embedding_width), the
        rows of `bert.get_input_embeddings()` or others: in the precision of the weights, with
        gradient, and no padding."""
        return self._of_layers(
            self.bert(inputs_embeds=embeddings, output_hidden_states=self.n_layers > 1)
        )

    def _of_layers(self, outputs: Any) -> Tensor:
        if self.n_layers == 1:
            last: Tensor = outputs.last_hidden_state
            return last.float()
        # Some models normalise the last layer's vectors only outside `hidden_states`.
        chosen = (*outputs.hidden_states[-self.n_layers : -1], outputs.last_hidden_state)
        layers = torch.stack([layer.float() for layer in chosen])
        weights = self.mix_logits.softmax(0) * self.mix_scale
        return torch.tensordot(weights, layers, dims=1)

    def _learns(self) -> bool:
        """Whether any weight does but the vector of tokens without wordpieces."""
        return any(p.requires_grad for p in self.parameters() if p is not self.pieceless)

    def _autocast(self, device: torch.device) -> AbstractContextManager:
        enabled = self.autocast_dtype is not None
        # All threads share torch's cache of weights in half precision, and what one has put there
        # outlives a step of training that another takes. `sharing_casts` keeps what one pass
        # without gradients can use again.
        return torch.autocast(
            device.type, dtype=self.autocast_dtype, enabled=enabled, cache_enabled=False
        )
