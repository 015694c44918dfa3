"""From vectors to the scores of classes: pooling, dropout and a projection."""

import torch
from torch import Tensor, nn


class TextClassifier(nn.Module):
    """Pools the vectors of each text to one and scores every class.

    input_width: width of the vectors.
    n_labels: number of classes.
    attention: a text's vector is not the mean of its vectors hᵢ but Σ αᵢhᵢ with αᵢ the softmax
        over the text of u·tanh(W·hᵢ + b) (Yang et al. 2016, https://aclanthology.org/N16-1174).
    dropout: share of the values dropped before the projection.
    """

    def __init__(
        self, input_width: int, n_labels: int, attention: bool = False, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.attention: nn.Module | None = None
        if attention:
            self.attention = nn.Sequential(
                nn.Linear(input_width, input_width),
                nn.Tanh(),
                nn.Linear(input_width, 1, bias=False),
            )
        self.dropout = nn.Dropout(dropout)
        self.projection = nn.Linear(input_width, n_labels)

    def forward(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """vectors: (n_vectors, input_width), text after text.
        lengths: (n_texts,) int64 on the CPU, vectors of each text; zeros are legal, and the
            vector of such a text is 0.

        Returns the logits (n_texts, n_labels). Raises ValueError if the lengths do not add up to
        n_vectors.
        """
        if int(lengths.sum()) != len(vectors):
            raise ValueError(
                f"The texts have {int(lengths.sum())} vectors together, and there are "
                f"{len(vectors)}: pass one row for each."
            )
        text_ids = torch.repeat_interleave(lengths).to(vectors.device, non_blocking=True)
        sums = vectors.new_zeros(len(lengths), vectors.shape[1])
        if self.attention is None:
            counts = lengths.clamp(min=1).to(vectors.device, non_blocking=True)[:, None]
            pooled = sums.index_add(0, text_ids, vectors) / counts
        else:
            weights = _softmax_by_text(self.attention(vectors), text_ids, len(lengths))
            pooled = sums.index_add(0, text_ids, weights * vectors)
        logits: Tensor = self.projection(self.dropout(pooled))
        return logits


def _softmax_by_text(scores: Tensor, text_ids: Tensor, n_texts: int) -> Tensor:
    """(n_vectors, 1), the scores of each text as shares of it."""
    index = text_ids[:, None]
    highest = scores.new_zeros(n_texts, 1)
    highest = highest.scatter_reduce(0, index, scores.detach(), "amax", include_self=False)
    powers = (scores - highest[text_ids]).exp()
    sums = scores.new_zeros(n_texts, 1).index_add(0, text_ids, powers)
    return powers / sums[text_ids]
