"""A sequence encoder beside which the token vectors go on as they are."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    """The output of an encoder and, behind it, its input.

    An encoder that is not trained yet makes noise of pretrained vectors, and what reads both
    can begin with these.

    encoder: maps padded vectors (batch, max_len, input_width) and a mask (batch, max_len) to
        (batch, max_len, encoder.output_width), such as `BiLSTM`.
    input_width: width of the token vectors.
    """

    def __init__(self, encoder: nn.Module, input_width: int) -> None:
        super().__init__()
        width = encoder.output_width
        assert isinstance(width, int)
        self.encoder = encoder
        self.output_width = width + input_width

    def forward(self, padded: Tensor, mask: Tensor) -> Tensor:
        """padded: (batch, max_len, input_width). mask: (batch, max_len), bool.

        Returns (batch, max_len, encoder.output_width + input_width), zero where there is no token.
        """
        around = padded.where(mask.unsqueeze(2), 0.0)
        return torch.cat([self.encoder(padded, mask), around], dim=2)

    @property
    def read_packed(self) -> Callable[[Tensor, Tensor], Tensor] | None:
        """As `BiLSTM.read_packed`, if the encoder has it."""
        read: Callable[[Tensor, Tensor], Tensor] | None = getattr(self.encoder, "read_packed", None)
        if read is None:
            return None
        return lambda vectors, lengths: torch.cat([read(vectors, lengths), vectors], dim=1)
