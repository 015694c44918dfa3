"""A bidirectional LSTM over padded sequences that padding cannot touch."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class BiLSTM(nn.Module):
    """Bidirectional LSTM (Graves and Schmidhuber 2005), half of the width per direction.

    input_width: width of the token vectors.
    hidden_width: width of the output, both directions together; even.
    depth: number of layers.
    dropout: share of the values dropped at the input of every layer, also with depth 1; the
        output is left whole, for what follows has a dropout of its own.

    Raises ValueError if hidden_width is odd.
    """

    def __init__(
        self, input_width: int, hidden_width: int, depth: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if hidden_width % 2:
            raise ValueError(
                f"hidden_width is shared by two directions and must be even, got {hidden_width}"
            )
        self.output_width = hidden_width
        self.dropout = nn.Dropout(dropout)
        self.lstm = nn.LSTM(
            input_width,
            hidden_width // 2,
            num_layers=depth,
            batch_first=True,
            bidirectional=True,
            dropout=dropout if depth > 1 else 0.0,
        )

    def forward(self, padded: Tensor, mask: Tensor) -> Tensor:
        """padded: (batch, max_len, input_width). mask: (batch, max_len), bool.

        Returns (batch, max_len, hidden_width), zero where there is no token.
        """
        batch, longest, _ = padded.shape
        if longest == 0 or batch == 0:
            return padded.new_zeros(batch, longest, self.output_width)
        # torch packs no sequence of length 0: an empty one is read as one padding token, and
        # what comes of that is erased below.
        lengths = mask.sum(dim=1).cpu().clamp(min=1)
        packed = pack_padded_sequence(
            self.dropout(padded), lengths, batch_first=True, enforce_sorted=False
        )
        output, _ = self.lstm(packed)
        hidden, _ = pad_packed_sequence(output, batch_first=True, total_length=longest)
        return torch.where(mask.unsqueeze(2), hidden, 0.0)
