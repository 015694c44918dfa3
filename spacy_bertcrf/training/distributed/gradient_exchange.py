"""The gradients of all processes, summed up."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from spacy.language import Language
from thinc.api import Model, PyTorchShim, xp2torch

from spacy_bertcrf.models.types import Array
from spacy_bertcrf.training.checkpoints.model_state import (
    learning_of,
    trained_components,
)
from spacy_bertcrf.training.distributed.process_group import ProcessGroup

BUCKET_BYTES = 25 * 2**20  # as torch's DistributedDataParallel has it
# From so many rows a column on, a matrix is taken for embeddings: a batch uses few of their rows.
ROWS_PER_COLUMN = 8
PIECE_ROWS = 1024
PURPOSE = "sum up the gradients"


@runtime_checkable
class LearnsInParts(Protocol):
    """How a component learns whose loss is a mean, or whose strategies learn something besides,
    such as bertcrf."""

    def expect_part(self, lengths: Sequence[int]) -> None:
        """Take the examples of the next update for a part of a batch.

        lengths: in tokens, of all Docs of the batch.
        """

    def strategy_gradients(self) -> list[torch.Tensor]:
        """What is to be summed up over the processes beside the gradients of the model."""


def learn_in_parts(nlp: Language, frozen: Iterable[str]) -> list[LearnsInParts]:
    """Those of all components that a training updates, in the order of the pipeline."""
    found = map(learning_of, trained_components(nlp, frozen).values())
    return [learning for learning in found if isinstance(learning, LearnsInParts)]


class Slot(NamedTuple):
    """Where the gradient of a parameter is.

    get: None where there is none.
    make: a gradient of zeros, where there is none.
    """

    size: int
    get: Callable[[], torch.Tensor | None]
    make: Callable[[], torch.Tensor]


def gradient_slots(nlp: Language, frozen: Iterable[str]) -> list[Slot]:
    """Those of all parameters that can learn, each once, in an order that is the same in all
    processes."""
    slots: dict[object, Slot] = {}
    for pipe in trained_components(nlp, frozen).values():
        for node in pipe.model.walk():
            for shim in node.shims:
                if isinstance(shim, PyTorchShim):
                    for parameter in shim._model.parameters():
                        if parameter.requires_grad:
                            slots.setdefault(id(parameter), _torch_slot(parameter))
            for name in node.param_names:
                if node.has_param(name):
                    slots.setdefault((node.id, name), _thinc_slot(node, name))
    return list(slots.values())


def gradient_scalers(nlp: Language, frozen: Iterable[str]) -> list:
    """The scalers of the gradients of half precision, which note when these overflow."""
    return [
        shim._grad_scaler
        for pipe in trained_components(nlp, frozen).values()
        for node in pipe.model.walk()
        for shim in node.shims
        if isinstance(shim, PyTorchShim) and shim._grad_scaler._enabled
    ]


class GradientExchange:
    """Sums up gradients over the processes, in float32 and in few large pieces. Of embeddings only
    the rows that are not zero everywhere are sent.

    bytes_sent: of gradients, in the last step, by each process; a ring of n processes carries
        them 2 · (n - 1) / n times over each link.
    """

    def __init__(self, group: ProcessGroup):
        self._group = group
        self.bytes_sent = 0

    def sum_up(self, gradients: Sequence[torch.Tensor]) -> None:
        """Sum up gradients over all processes, in place. All of them have the same ones."""
        self.bytes_sent = 0
        rows = self._used_rows(gradients)
        sent = [
            gradient[rows[i]] if i in rows else gradient for i, gradient in enumerate(gradients)
        ]
        # While one piece is under way, the next is put together.
        under_way: deque[Callable[[], None]] = deque()
        for bucket in _buckets(sent):
            under_way.append(self._begin(bucket))
            if len(under_way) > 1:
                under_way.popleft()()
        for finish in under_way:
            finish()
        for i, used in rows.items():
            gradients[i].index_copy_(0, used, sent[i])

    def _used_rows(self, gradients: Sequence[torch.Tensor]) -> dict[int, torch.Tensor]:
        """For each of the gradients of embeddings, by its number, the rows that are not zero in
        all processes."""
        tables = {
            i: gradient
            for i, gradient in enumerate(gradients)
            if gradient.dim() == 2 and len(gradient) >= ROWS_PER_COLUMN * gradient.shape[1]
        }
        if not tables:
            return {}
        # Not by squares, which are zero for what is small; and in pieces, for what is that large
        # takes as long to allocate as to send.
        pieces = [piece for table in tables.values() for piece in table.split(PIECE_ROWS)]
        flags = torch.cat([piece.abs().sum(1) for piece in pieces]) != 0
        counts = flags.to(self._group.device, torch.int32)
        self.bytes_sent += counts.numel() * counts.element_size()
        self._group.begin_sum(counts, PURPOSE)()
        parts = counts.to(flags.device).split([len(gradient) for gradient in tables.values()])
        return {i: part.nonzero()[:, 0] for i, part in zip(tables, parts, strict=True)}

    def _begin(self, bucket: list[torch.Tensor]) -> Callable[[], None]:
        first = bucket[0]
        is_as_sent = (
            len(bucket) == 1
            and first.dtype == torch.float32
            and first.is_contiguous()
            and first.device == self._group.device
        )
        flat = first.view(-1) if is_as_sent else self._flat(bucket)
        self.bytes_sent += flat.numel() * flat.element_size()
        wait = self._group.begin_sum(flat, PURPOSE)

        def finish() -> None:
            wait()
            if not is_as_sent:
                parts = flat.split([gradient.numel() for gradient in bucket])
                for gradient, part in zip(bucket, parts, strict=True):
                    gradient.copy_(part.view_as(gradient))

        return finish

    def _flat(self, bucket: list[torch.Tensor]) -> torch.Tensor:
        n = sum(gradient.numel() for gradient in bucket)
        flat = torch.empty(n, dtype=torch.float32, device=self._group.device)
        parts = flat.split([gradient.numel() for gradient in bucket])
        for gradient, part in zip(bucket, parts, strict=True):
            part.copy_(gradient.reshape(-1))
        return flat


def _buckets(gradients: Iterable[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    bucket: list[torch.Tensor] = []
    n_bytes = 0
    for gradient in gradients:
        size = 4 * gradient.numel()
        if bucket and n_bytes + size > BUCKET_BYTES:
            yield bucket
            bucket, n_bytes = [], 0
        bucket.append(gradient)
        n_bytes += size
    if bucket:
        yield bucket


def _torch_slot(parameter: torch.nn.Parameter) -> Slot:
    def make() -> torch.Tensor:
        parameter.grad = torch.zeros_like(parameter)
        return parameter.grad

    return Slot(parameter.numel(), lambda: parameter.grad, make)


def _thinc_slot(node: Model, name: str) -> Slot:
    def get() -> torch.Tensor | None:
        return as_tensor(node.get_grad(name)) if node.has_grad(name) else None

    def make() -> torch.Tensor:
        gradient: Array = node.ops.xp.zeros_like(node.get_param(name))
        node.set_grad(name, gradient)
        return as_tensor(gradient)

    return Slot(node.get_param(name).size, get, make)


def as_tensor(array: Array) -> torch.Tensor:
    """The same memory as a tensor, where it is."""
    # By default it would be put where thinc's present operations are.
    device = torch.device("cpu") if isinstance(array, np.ndarray) else None
    tensor: torch.Tensor = xp2torch(array, device=device)
    return tensor
