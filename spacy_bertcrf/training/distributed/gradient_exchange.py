"""The gradients of all processes, summed up."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from math import prod

import torch

from spacy_bertcrf.training.distributed.process_group import ProcessGroup

BUCKET_BYTES = 25 * 2**20  # as torch's DistributedDataParallel has it
# From so many rows a column on, a matrix is taken for embeddings: a batch uses few of their rows.
ROWS_PER_COLUMN = 8
PIECE_ROWS = 1024
PURPOSE = "sum up the gradients"


class GradientExchange:
    """Sums up gradients over the processes, in few large pieces. Of embeddings only the rows that
    are not zero everywhere are sent.

    dtype: what gradients are sent and added up in: float32, or bfloat16, which is half of the bytes
        and rounds to 8 bits.

    bytes_sent: of gradients, in the last step, by each process; a ring of n processes carries
        them 2 · (n - 1) / n times over each link.
    """

    def __init__(self, group: ProcessGroup, dtype: torch.dtype = torch.float32):
        self._group = group
        self.dtype = dtype
        self.bytes_sent = 0

    def sum_up(self, gradients: Sequence[torch.Tensor], dtype: torch.dtype | None = None) -> None:
        """Sum up gradients over all processes, in place. All of them have the same ones.

        dtype: another one than that of the exchange.
        """
        rows = self._used_rows(gradients)
        sent = [
            gradient[rows[i]] if i in rows else gradient for i, gradient in enumerate(gradients)
        ]
        # While one piece is under way, the next is put together.
        under_way: deque[Callable[[], None]] = deque()
        for bucket in buckets([gradient.numel() for gradient in sent], BUCKET_BYTES):
            under_way.append(self._begin_in_place([sent[i] for i in bucket], dtype or self.dtype))
            if len(under_way) > 1:
                under_way.popleft()()
        for finish in under_way:
            finish()
        for i, used in rows.items():
            gradients[i].index_copy_(0, used, sent[i])

    def begin(
        self,
        gradients: Sequence[torch.Tensor | None],
        shapes: Sequence[tuple[int, ...]],
        dtype: torch.dtype | None = None,
    ) -> Callable[[], list[torch.Tensor]]:
        """Begin to sum up gradients over all processes, as they are now; None is for zeros.

        Returns what waits for the sums and gives them, in the dtype that they were sent in.
        """
        sizes = [prod(shape) for shape in shapes]
        flat = torch.empty(sum(sizes), dtype=dtype or self.dtype, device=self._group.device)
        for gradient, part in zip(gradients, flat.split(sizes), strict=True):
            if gradient is None:
                part.zero_()
            else:
                part.copy_(gradient.reshape(-1))
        wait = self._begin(flat)

        def finish() -> list[torch.Tensor]:
            wait()
            parts = zip(flat.split(sizes), shapes, strict=True)
            return [part.view(shape) for part, shape in parts]

        return finish

    def _used_rows(self, gradients: Sequence[torch.Tensor]) -> dict[int, torch.Tensor]:
        """For each of the gradients of embeddings, by its number, the rows that are not zero in
        all processes."""
        tables = {
            i: gradient for i, gradient in enumerate(gradients) if is_table(tuple(gradient.shape))
        }
        if not tables:
            return {}
        # Not by squares, which are zero for what is small; and in pieces, for what is that large
        # takes as long to allocate as to send.
        pieces = [piece for table in tables.values() for piece in table.split(PIECE_ROWS)]
        flags = torch.cat([piece.abs().sum(1) for piece in pieces]) != 0
        counts = flags.to(self._group.device, torch.int32)
        self._begin(counts)()
        parts = counts.to(flags.device).split([len(gradient) for gradient in tables.values()])
        return {i: part.nonzero()[:, 0] for i, part in zip(tables, parts, strict=True)}

    def _begin_in_place(self, bucket: list[torch.Tensor], dtype: torch.dtype) -> Callable[[], None]:
        first = bucket[0]
        is_as_sent = (
            len(bucket) == 1
            and first.dtype == dtype
            and first.is_contiguous()
            and first.device == self._group.device
        )
        if is_as_sent:
            return self._begin(first.view(-1))
        sums = self.begin(bucket, [tuple(gradient.shape) for gradient in bucket], dtype)

        def finish() -> None:
            for gradient, found in zip(bucket, sums(), strict=True):
                gradient.copy_(found)

        return finish

    def _begin(self, flat: torch.Tensor) -> Callable[[], None]:
        self.bytes_sent += flat.numel() * flat.element_size()
        return self._group.begin_sum(flat, PURPOSE)


def is_table(shape: tuple[int, ...]) -> bool:
    """Whether a parameter is taken for embeddings."""
    return len(shape) == 2 and shape[0] >= ROWS_PER_COLUMN * shape[1]


def buckets(sizes: Sequence[int], max_bytes: int) -> Iterator[list[int]]:
    """The numbers of gradients of these sizes in each bucket, of at most so many bytes in float32
    if they are more than one."""
    bucket: list[int] = []
    n_bytes = 0
    for i, size in enumerate(sizes):
        if bucket and n_bytes + 4 * size > max_bytes:
            yield bucket
            bucket, n_bytes = [], 0
        bucket.append(i)
        n_bytes += 4 * size
    if bucket:
        yield bucket
