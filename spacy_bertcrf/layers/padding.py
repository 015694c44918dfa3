"""The one place where padding is made and removed."""

import torch
from torch import Tensor


def pad(data: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Lay the tokens of a batch out as one row a sequence.

    data: (n_tokens, width), all tokens of the batch, sequence after sequence.
    lengths: (batch,) int64 on the CPU, the number of tokens of each sequence; zeros are legal.

    Returns the padded tokens (batch, max_len, width), zero where there is no token, and the
    boolean mask (batch, max_len) that is true where there is one.
    Raises ValueError if the lengths do not add up to n_tokens.
    """
    n_tokens = int(lengths.sum())
    if data.dim() != 2 or n_tokens != data.shape[0]:
        raise ValueError(
            f"expected ({n_tokens}, width) for sequences that are {n_tokens} tokens long "
            f"together, got {tuple(data.shape)}: pass one row for each token"
        )
    batch = lengths.shape[0]
    longest = int(lengths.max()) if batch else 0
    mask = torch.arange(longest) < lengths[:, None]
    rows = mask.flatten().nonzero().squeeze(1).to(data.device)
    padded = data.new_zeros(batch * longest, data.shape[1]).index_copy(0, rows, data)
    return padded.view(batch, longest, data.shape[1]), mask.to(data.device)


def unpad(padded: Tensor, mask: Tensor) -> Tensor:
    """Take the tokens (n_tokens, width) back out of `pad`'s result.

    padded: (batch, max_len, width). mask: (batch, max_len), bool.
    """
    return padded[mask]
