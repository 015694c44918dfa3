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
    mask = mask_of(lengths)
    cells = _cells(mask, data.device)
    longest = mask.shape[1]
    padded = data.new_zeros(batch * longest, data.shape[1]).index_copy(0, cells, data)
    if data.device.type != "cpu":
        flat = torch.zeros(batch * longest, dtype=torch.bool, device=data.device)
        mask = flat.index_fill_(0, cells, True).view(batch, longest)
    return padded.view(batch, longest, data.shape[1]), mask


def unpad(padded: Tensor, lengths: Tensor) -> Tensor:
    """Take the tokens (n_tokens, width) back out of `pad`'s result.

    padded: (batch, max_len, width). lengths: as for `pad`.
    """
    # Not by a mask on a GPU, whose size it would have to be asked for.
    return padded.flatten(0, 1).index_select(0, _cells(mask_of(lengths), padded.device))


def mask_of(lengths: Tensor) -> Tensor:
    """(batch, max_len), on the CPU, true where there is a token. lengths: as for `pad`."""
    longest = int(lengths.max()) if lengths.shape[0] else 0
    return torch.arange(longest) < lengths[:, None]


def _cells(mask: Tensor, device: torch.device) -> Tensor:
    """(n_tokens,) where each token lies among the cells of the mask."""
    return mask.flatten().nonzero().squeeze(1).to(device, non_blocking=True)
