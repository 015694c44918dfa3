"""A bidirectional LSTM over padded sequences that padding cannot touch."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from spacy_bertcrf.layers.packing import time_major

# How many times as many positions as tokens a CPU reads rather than pack the tokens.
MAX_PADDING = 2.0


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
        _initialize(self.lstm)

    def forward(self, padded: Tensor, mask: Tensor) -> Tensor:
        """padded: (batch, max_len, input_width). mask: (batch, max_len), bool.

        Returns (batch, max_len, hidden_width), zero where there is no token.
        """
        batch, longest, _ = padded.shape
        if longest == 0 or batch == 0:
            return padded.new_zeros(batch, longest, self.output_width)
        padded = self.dropout(padded)
        if padded.device.type == "cpu" and self._can_scan(mask.numel(), int(mask.sum())):
            return self._scan(padded, mask)
        # torch packs no sequence of length 0: an empty one is read as one padding token, and
        # what comes of that is erased below.
        lengths = mask.sum(dim=1).cpu().clamp(min=1)
        packed = pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False)
        output, _ = self.lstm(packed)
        hidden, _ = pad_packed_sequence(output, batch_first=True, total_length=longest)
        return torch.where(mask.unsqueeze(2), hidden, 0.0)

    def read_packed(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """What `forward` computes, of tokens without padding: for a GPU, which then has nothing to
        wait for and needs one operation for all lengths, and for prediction on a CPU, where each
        vector is then copied once for each direction.

        vectors: (n_tokens, input_width), sequence after sequence, at least one. lengths: (batch,)
        int64 on the CPU.

        Returns (n_tokens, hidden_width). Raises ValueError if the lengths do not add up.
        """
        if int(lengths.sum()) != len(vectors):
            raise ValueError(
                f"the sequences are {int(lengths.sum())} tokens long together, and there are "
                f"{len(vectors)}: pass one row for each token"
            )
        n_positions = len(lengths) * int(lengths.max())
        if vectors.device.type == "cpu" and self._can_scan(n_positions, len(vectors)):
            return self._scan_rows(self.dropout(vectors), lengths)
        layout = time_major(lengths.numpy())
        indices = np.concatenate([layout.tokens, np.argsort(layout.tokens)])
        there, back = torch.from_numpy(indices).to(vectors.device, non_blocking=True).chunk(2)
        packed = self.dropout(vectors.index_select(0, there))
        sizes = torch.from_numpy(layout.batch_sizes)
        output, _ = self.lstm(PackedSequence(packed, sizes))
        hidden: Tensor = output.data.index_select(0, back)
        return hidden

    def _can_scan(self, n_positions: int, n_tokens: int) -> bool:
        # One that torch.ao.quantization has put in its place keeps its weights to itself.
        return isinstance(self.lstm, nn.LSTM) and n_positions <= MAX_PADDING * n_tokens

    def _scan_rows(self, rows: Tensor, lengths: Tensor) -> Tensor:
        """What `_scan` computes. What is read in the place of padding comes last in each direction,
        so that it may be anything.

        rows: (n_tokens, input_width), sequence after sequence. lengths: (batch,) on the CPU.

        Returns (n_tokens, hidden_width).
        """
        begins = lengths.cumsum(0) - lengths
        steps = torch.arange(int(lengths.max()))[:, None]
        forth = torch.where(steps < lengths, begins + steps, 0).flatten()
        back = torch.where(steps < lengths, begins + lengths - 1 - steps, 0).flatten()
        sequences = torch.arange(len(lengths)).repeat_interleave(lengths)
        positions = torch.arange(len(rows)) - begins[sequences]
        from_forth = positions * len(lengths) + sequences
        from_back = (lengths[sequences] - 1 - positions) * len(lengths) + sequences
        shape = len(steps), len(lengths)
        for layer in range(self.lstm.num_layers):
            if layer > 0:
                rows = functional.dropout(rows, self.lstm.dropout, self.training)
            states = [
                self._read(rows.index_select(0, there).unflatten(0, shape), weights, False)
                .flatten(0, 1)
                .index_select(0, here)
                for there, here, weights in (
                    (forth, from_forth, self.lstm.all_weights[2 * layer]),
                    (back, from_back, self.lstm.all_weights[2 * layer + 1]),
                )
            ]
            rows = torch.cat(states, dim=1)
        return rows

    def _scan(self, padded: Tensor, mask: Tensor) -> Tensor:
        """Each direction by itself, from the first token that it reads on, so that padding comes
        last. On a CPU torch takes packed sequences step by step, and the time of the backward
        pass is quadratic in their length; whole batches are one operation of oneDNN."""
        positions = torch.arange(mask.shape[1])
        mirrored = (mask.sum(1, keepdim=True) - 1 - positions).clamp(min=0).unsqueeze(2)
        for layer in range(self.lstm.num_layers):
            if layer > 0:
                padded = functional.dropout(padded, self.lstm.dropout, self.training)
            padded = padded.where(mask.unsqueeze(2), 0.0)
            forth = self._read(padded, self.lstm.all_weights[2 * layer], True)
            back = self._read(_take(padded, mirrored), self.lstm.all_weights[2 * layer + 1], True)
            padded = torch.cat([forth, _take(back, mirrored)], dim=2)
        return padded.where(mask.unsqueeze(2), 0.0)

    def _read(self, padded: Tensor, weights: Sequence[Tensor], batch_first: bool) -> Tensor:
        """The states of one layer in one direction."""
        start = padded.new_zeros(1, padded.shape[1 - batch_first], self.lstm.hidden_size)
        states: Tensor = torch.lstm(
            padded, (start, start), list(weights), True, 1, 0.0, self.training, False, batch_first
        )[0]
        return states


def _initialize(lstm: nn.LSTM) -> None:
    """Weights that learn faster from few texts than torch's own small random numbers do.
    Of what is read: Glorot and Bengio (2010); of the state: orthogonal (Saxe et al. 2014); and a
    forget gate that is open at first (Jozefowicz et al. 2015)."""
    with torch.no_grad():
        for name, parameter in lstm.named_parameters():
            gates = parameter.split(lstm.hidden_size)  # input, forget, cell, output
            if name.startswith("bias"):
                parameter.zero_()
                if name.startswith("bias_ih"):
                    gates[1].fill_(1.0)
            else:
                fill = nn.init.orthogonal_ if "_hh_" in name else nn.init.xavier_uniform_
                for gate in gates:
                    fill(gate)


def _take(padded: Tensor, positions: Tensor) -> Tensor:
    """(batch, max_len, width), of each sequence the vectors at its positions (batch, max_len, 1)"""
    return padded.gather(1, positions.expand(-1, -1, padded.shape[2]))
