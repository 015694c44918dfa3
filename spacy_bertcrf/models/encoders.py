"""The sequence layers between the token vectors and the tag scores, as config blocks."""

import torch

from .. import layers
from .types import EncoderBuilder


def BiLSTM(hidden_width: int = 256, depth: int = 1, dropout: float = 0.0) -> EncoderBuilder:
    """A bidirectional LSTM (Huang et al. 2015, https://arxiv.org/abs/1508.01991).

    hidden_width: width of its output, half of it from each direction; even.
    depth: number of stacked layers.
    dropout: share of units dropped in training.
    """

    def build(input_width: int) -> torch.nn.Module:
        return layers.BiLSTM(input_width, hidden_width, depth=depth, dropout=dropout)

    return build


def TCN(
    hidden_width: int = 256, depth: int = 4, kernel_size: int = 3, dropout: float = 0.1
) -> EncoderBuilder:
    """A bidirectional temporal convolutional network (Bai et al. 2018,
    https://arxiv.org/abs/1803.01271).

    hidden_width: width of its output, half of it from each direction; even.
    depth: number of residual blocks; block i has dilation 2**i, so that each direction sees
        2 * (kernel_size - 1) * (2**depth - 1) tokens.
    kernel_size: tokens that one convolution reads.
    dropout: share of units dropped in training.
    """

    def build(input_width: int) -> torch.nn.Module:
        return layers.TCN(
            input_width, hidden_width, depth=depth, kernel_size=kernel_size, dropout=dropout
        )

    return build


def Identity() -> EncoderBuilder:
    """No sequence layer: the tag scores are projected from the token vectors (BERT-CRF)."""

    def build(input_width: int) -> None:
        return None

    return build
