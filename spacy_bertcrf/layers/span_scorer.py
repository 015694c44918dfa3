"""Scores of all spans of a text up to a length, block by block (Su et al. 2022, "Global Pointer:
Novel Efficient Span-based Approach for Named Entity Recognition",
https://arxiv.org/abs/2208.03054)."""

import math
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from spacy_bertcrf.layers.recomputation import recomputed

# Scores of one block: 16 MB of each array that is as large.
BLOCK_SCORES = 2**22
LEAST_ROWS = 64  # of a block, where there is room


class SpanParts(NamedTuple):
    """What spans are scored by, of a padded batch.

    query, key: (batch, length, width), of their first and of their last tokens; an even width.
    start, end: (batch, length, n_labels), likewise.
    mask: (batch, length), true where there is a token.
    """

    query: Tensor
    key: Tensor
    start: Tensor
    end: Tensor
    mask: Tensor


class Block(NamedTuple):
    """The spans that start in some rows.

    first: the first of the rows.
    scores: (batch, n_labels, n_rows, n_columns), the column c of row r is the span from token
        first + r up to and with token first + c.
    valid: (batch, n_rows, n_columns), true where there is such a span, within the length.
    """

    first: int
    scores: Tensor
    valid: Tensor


def rotated(parts: SpanParts) -> SpanParts:
    """The parts with rotary position embeddings (Su et al. 2021, https://arxiv.org/abs/2104.09864),
    so that scores depend on the distance of the first and the last token."""
    length, width = parts.query.shape[1:]
    device = parts.query.device
    rates = 10000 ** (-torch.arange(0, width, 2, device=device, dtype=torch.float64) / width)
    angles = torch.arange(length, device=device, dtype=torch.float64)[:, None] * rates
    sine, cosine = angles.sin().to(parts.query.dtype), angles.cos().to(parts.query.dtype)

    def turn(vectors: Tensor) -> Tensor:
        even, odd = vectors[..., 0::2], vectors[..., 1::2]
        turned = [even * cosine - odd * sine, odd * cosine + even * sine]
        return torch.stack(turned, dim=-1).flatten(-2)

    return parts._replace(query=turn(parts.query), key=turn(parts.key))


def blocks(parts: SpanParts, max_length: int | None) -> Iterator[Block]:
    """The scores of all spans of at most `max_length` tokens, or of any. A block is about as large
    whatever the length of the texts.

    parts: rotated.
    """
    for first, stop, last in _bounds(parts, max_length):
        scores, valid = _block(_cut(parts, first, stop, last), max_length)
        yield Block(first, scores, valid)


def span_scores(parts: SpanParts, places: Tensor) -> Tensor:
    """The scores of some spans, (n_spans,).

    parts: rotated.
    places: (n_spans, 4) int64: the text, the label, the first and the last token of each.
    """
    text, label, first, last = places.unbind(1)
    pairs = (parts.query[text, first] * parts.key[text, last]).sum(1)
    pairs = pairs / math.sqrt(parts.query.shape[2])
    return pairs + parts.start[text, first, label] + parts.end[text, last, label]


def span_losses(
    parts: SpanParts,
    gold: Tensor,
    unknown: Tensor | None = None,
    wrong: Tensor | None = None,
    max_length: int | None = None,
) -> Tensor:
    """The loss of each text, (batch,), summed up over the labels: log(1 + Σ exp(s)) over the spans
    that it has not, and log(1 + Σ exp(-s)) over those that it has. Spans with a positive score are
    those to be found.

    parts: rotated.
    gold: the spans that the texts have, as for `span_scores`; none is longer than max_length.
    unknown: (batch, length, n_labels) bool, tokens of which it is not known whether a span with the
        label covers them: spans over them count as neither.
    wrong: spans that the texts are known not to have, in any case.

    What a text needs of memory grows with its length, not with the number of its spans: of several
    blocks, the scores are computed again for the gradient.
    """
    n_labels = parts.start.shape[2]
    shape = (len(parts.query), n_labels)
    bounds = list(_bounds(parts, max_length))
    total = parts.query.new_zeros(shape)
    for first, stop, last in bounds:
        cut = _cut(parts, first, stop, last)
        skipped = _skipped(gold, unknown, first, stop, last, shape)
        of_block = partial(_log_sum, max_length=max_length)
        run = of_block if len(bounds) == 1 else partial(recomputed, of_block)
        total = torch.logaddexp(total, run(*cut, skipped))
    if wrong is not None and len(wrong):
        total = torch.logaddexp(total, _grouped(span_scores(parts, wrong), wrong, shape))
    has = _grouped(-span_scores(parts, gold), gold, shape) if len(gold) else None
    losses = total if has is None else total + torch.logaddexp(torch.zeros_like(has), has)
    return losses.sum(1)


def _bounds(parts: SpanParts, max_length: int | None) -> Iterator[tuple[int, int, int]]:
    """For each block, its first row, the row behind it and the column behind it."""
    batch, length, n_labels = parts.start.shape
    reach = length if max_length is None else min(max_length, length)
    # A block is as wide as its rows and the reach of the last one together: with many more rows
    # than that reach, most of it would be spans that are too long.
    most = BLOCK_SCORES / max(1, batch * n_labels)
    n_rows = int((math.sqrt(reach**2 + 4 * most) - reach) / 2)
    n_rows = max(1, min(length, n_rows, max(reach, LEAST_ROWS)))
    for first in range(0, length, n_rows):
        stop = min(first + n_rows, length)
        yield first, stop, min(stop - 1 + reach, length)


def _cut(parts: SpanParts, first: int, stop: int, last: int) -> SpanParts:
    """What the spans of a block are scored by; the mask is that of the columns."""
    return SpanParts(
        parts.query[:, first:stop],
        parts.key[:, first:last],
        parts.start[:, first:stop],
        parts.end[:, first:last],
        parts.mask[:, first:last],
    )


def _block(cut: SpanParts, max_length: int | None) -> tuple[Tensor, Tensor]:
    pairs = cut.query @ cut.key.transpose(1, 2) / math.sqrt(cut.query.shape[2])
    starts, ends = cut.start.transpose(1, 2)[..., None], cut.end.transpose(1, 2)[:, :, None]
    rows = torch.arange(cut.query.shape[1], device=pairs.device)[:, None]
    columns = torch.arange(cut.key.shape[1], device=pairs.device)
    fits = columns >= rows
    if max_length is not None:
        fits &= columns < rows + max_length
    return pairs[:, None] + starts + ends, fits & cut.mask[:, None, :]


def _log_sum(
    query: Tensor,
    key: Tensor,
    start: Tensor,
    end: Tensor,
    mask: Tensor,
    skipped: Tensor | None,
    max_length: int | None,
) -> Tensor:
    """(batch, n_labels) of the exponentials of a block's scores, but for the skipped ones."""
    scores, valid = _block(SpanParts(query, key, start, end, mask), max_length)
    left_out = ~valid[:, None] if skipped is None else ~valid[:, None] | skipped
    # Not minus infinity, of which nothing but has no gradient that is a number.
    return scores.masked_fill(left_out, -1e9).flatten(2).logsumexp(2)


def _skipped(
    gold: Tensor,
    unknown: Tensor | None,
    first: int,
    stop: int,
    last: int,
    shape: tuple[int, int],
) -> Tensor | None:
    """(batch, n_labels, n_rows, n_columns), spans of a block that are gold or unknown."""
    of_block = gold[(gold[:, 2] >= first) & (gold[:, 2] < stop)]
    if not len(of_block) and unknown is None:
        return None
    skipped = torch.zeros(*shape, stop - first, last - first, dtype=torch.bool, device=gold.device)
    if unknown is not None:
        before = torch.nn.functional.pad(unknown.transpose(1, 2).cumsum(2), (1, 0))
        of_span = before[:, :, None, first + 1 : last + 1] - before[:, :, first:stop, None]
        skipped |= of_span > 0
    text, label, start, end = of_block.unbind(1)
    skipped[text, label, start - first, end - first] = True
    return skipped


def _grouped(values: Tensor, places: Tensor, shape: tuple[int, int]) -> Tensor:
    """(batch, n_labels) log of the sum of the exponentials of those with the same text and label;
    very small where there are none."""
    group = places[:, 0] * shape[1] + places[:, 1]
    peaks = values.new_full((shape[0] * shape[1],), -1e9)
    peaks = peaks.scatter_reduce(0, group, values.detach(), "amax")
    sums = torch.zeros_like(peaks).index_add(0, group, (values - peaks[group]).exp())
    return (peaks + sums.clamp(min=1e-30).log()).view(shape)
