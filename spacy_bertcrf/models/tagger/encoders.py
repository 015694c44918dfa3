"""The sequence layers between the token vectors and the tag scores, as config blocks."""

from functools import partial
from typing import Any

from spacy_bertcrf import layers
from spacy_bertcrf.models.types import EncoderBuilder


def BiLSTM(hidden_width: int = 256, depth: int = 1, dropout: float = 0.0) -> EncoderBuilder:
    """A bidirectional LSTM (Huang et al. 2015, https://arxiv.org/abs/1508.01991).

    hidden_width: width of its output, half of it from each direction; even.
    depth: number of stacked layers.
    dropout: share of units dropped in training.

    Raises ValueError for a size that no such layer can have.
    """
    _check_sizes(hidden_width, depth, dropout)
    return partial(layers.BiLSTM, hidden_width=hidden_width, depth=depth, dropout=dropout)


def ResidualBiLSTM(hidden_width: int = 256, depth: int = 1, dropout: float = 0.0) -> EncoderBuilder:
    """A bidirectional LSTM beside which the token vectors go on to the tag scores as they are: an
    LSTM that is not trained yet does not stand between BERT and these, so that it costs nothing
    where there are few texts to learn from.

    hidden_width: width of the LSTM's output, half of it from each direction; even.
    depth: number of stacked layers.
    dropout: share of units dropped in training, of what the LSTM reads alone.

    Raises ValueError for a size that no such layer can have.
    """
    _check_sizes(hidden_width, depth, dropout)
    return partial(_residual, hidden_width=hidden_width, depth=depth, dropout=dropout)


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

    Raises ValueError for a size that no such layer can have.
    """
    _check_sizes(hidden_width, depth, dropout)
    if kernel_size < 2:
        raise ValueError(
            f"kernel_size is {kernel_size}; a convolution that sees other tokens has at least 2."
        )
    return partial(
        layers.TCN,
        hidden_width=hidden_width,
        depth=depth,
        kernel_size=kernel_size,
        dropout=dropout,
    )


def Identity() -> EncoderBuilder:
    """No sequence layer: the tag scores are projected from the token vectors (BERT-CRF)."""
    return _no_layer


def _residual(input_width: int, **settings: Any) -> layers.Residual:
    return layers.Residual(layers.BiLSTM(input_width, **settings), input_width)


def _no_layer(input_width: int) -> None:
    return None


def _check_sizes(hidden_width: int, depth: int, dropout: float) -> None:
    if hidden_width < 2 or hidden_width % 2:
        raise ValueError(
            f"hidden_width is {hidden_width}; two directions share it, so it must be positive "
            "and even."
        )
    if depth < 1:
        raise ValueError(
            f"depth is {depth}; it must be at least 1. For no sequence layer take "
            "'spacy-bertcrf.Identity.v1'."
        )
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout is {dropout}; it is a share, from 0 to less than 1.")
