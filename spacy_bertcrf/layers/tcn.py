"""A temporal convolutional network that reads every sequence from both of its ends."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm


class TCN(nn.Module):
    """Bidirectional temporal convolutional network, after Bai, Kolter and Koltun (2018),
    "An empirical evaluation of generic convolutional and recurrent networks for sequence
    modeling": a stack of residual blocks with dilations 1, 2, 4, …, one stack per direction.

    The forward half sees at each token that token and those before it. The backward half sees
    that token and those after it: it reads each sequence from its own last token, so padding
    is never read.

    input_width: width of the token vectors.
    hidden_width: width of the output, both directions together; even.
    depth: number of residual blocks per direction.
    kernel_size: tokens that one convolution sees.
    dropout: share of the values dropped after each convolution.

    Raises ValueError if hidden_width is odd.
    """

    def __init__(
        self,
        input_width: int,
        hidden_width: int,
        depth: int,
        kernel_size: int = 3,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if hidden_width % 2:
            raise ValueError(
                f"hidden_width is shared by two directions and must be even, got {hidden_width}"
            )
        self.output_width = hidden_width
        half = hidden_width // 2
        self.forward_half = _stack(input_width, half, depth, kernel_size, dropout)
        self.backward_half = _stack(input_width, half, depth, kernel_size, dropout)

    def forward(self, padded: Tensor, mask: Tensor) -> Tensor:
        """padded: (batch, max_len, input_width). mask: (batch, max_len), bool.

        Returns (batch, max_len, hidden_width), zero where there is no token: first the forward
        half, then the backward half, both in reading order.
        """
        batch, longest, _ = padded.shape
        if longest == 0 or batch == 0:
            return padded.new_zeros(batch, longest, self.output_width)
        mirror = _mirror(mask)
        ahead = self.forward_half(padded.transpose(1, 2)).transpose(1, 2)
        back = self.backward_half(_reorder(padded, mirror).transpose(1, 2)).transpose(1, 2)
        hidden = torch.cat([ahead, _reorder(back, mirror)], dim=2)
        return torch.where(mask.unsqueeze(2), hidden, 0.0)


class ResidualBlock(nn.Module):
    """Two causal convolutions with weight norm, each with ReLU and dropout, and a residual
    connection around them (a 1×1 convolution where the width changes).

    Reads and returns (batch, width, length).
    """

    def __init__(
        self, input_width: int, width: int, kernel_size: int, dilation: int, dropout: float
    ) -> None:
        super().__init__()
        self.reach = (kernel_size - 1) * dilation
        self.first = _convolution(input_width, width, kernel_size, dilation)
        self.second = _convolution(width, width, kernel_size, dilation)
        self.dropout = nn.Dropout(dropout)
        self.shortcut: nn.Module = nn.Identity()
        if input_width != width:
            self.shortcut = nn.Conv1d(input_width, width, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.dropout(F.relu(self.first(F.pad(inputs, (self.reach, 0)))))
        hidden = self.dropout(F.relu(self.second(F.pad(hidden, (self.reach, 0)))))
        return F.relu(hidden + self.shortcut(inputs))


def _stack(
    input_width: int, width: int, depth: int, kernel_size: int, dropout: float
) -> nn.Sequential:
    widths = [input_width] + [width] * depth
    return nn.Sequential(
        *(
            ResidualBlock(widths[level], width, kernel_size, 2**level, dropout)
            for level in range(depth)
        )
    )


def _convolution(input_width: int, width: int, kernel_size: int, dilation: int) -> nn.Module:
    return weight_norm(nn.Conv1d(input_width, width, kernel_size, dilation=dilation))


def _mirror(mask: Tensor) -> Tensor:
    """For each position the one that takes its place when every sequence is read from its own
    end; padding stays where it is. Its own inverse."""
    positions = torch.arange(mask.shape[1], device=mask.device)
    return torch.where(mask, mask.sum(dim=1, keepdim=True) - 1 - positions, positions)


def _reorder(padded: Tensor, order: Tensor) -> Tensor:
    return padded.gather(1, order.unsqueeze(2).expand(-1, -1, padded.shape[2]))
