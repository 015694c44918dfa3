"""The ranks of a training over torch.distributed."""

import random
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

import numpy as np
import srsly
import torch
from spacy.language import Language
from spacy.pipeline import TextCategorizer
from spacy.training import Example
from thinc.compat import has_cupy_gpu

from spacy_bertcrf.models.resumable import State
from spacy_bertcrf.training.distributed.early_exchange import EarlyExchange
from spacy_bertcrf.training.distributed.evaluation import evaluate
from spacy_bertcrf.training.distributed.gradient_exchange import GradientExchange
from spacy_bertcrf.training.distributed.gradient_slots import gradient_scalers, gradient_slots
from spacy_bertcrf.training.distributed.parts import balanced_parts, learn_in_parts
from spacy_bertcrf.training.distributed.process_group import ProcessGroup
from spacy_bertcrf.training.distributed.weights import different_weights, equalize_weights
from spacy_bertcrf.training.logs.training_watch import watch_of
from spacy_bertcrf.training.ranks import Ranks

Value = TypeVar("Value")

MAX_SEED = 2**31


class ProcessRanks(Ranks):
    """Several processes that learn from the same batches, each from its part.

    A gradient is the sum over the examples of a batch in spaCy's own components, and taken for one
    in those of others: it is added up. `bertcrf`, whose loss may be a mean, is told of the whole
    batch before it learns from a part. Thus the gradients are those of one process, up to the
    order of float32 additions. Not so where a model looks across its batch: spaCy's `ner` and
    `parser` take a batch's last token in the place of tokens that are not there, and FGM and PGD
    disturb along the gradient of the batch that they see, here the part.

    Adding up begins while the last backward pass of a step is under way (`EarlyExchange`).

    gradient_dtype: what gradients are sent and added up in, float32 or bfloat16.

    bytes_sent: of gradients, in the last step, by each process.
    early_exchange: of those that are sent during the backward pass.
    """

    def __init__(self, group: ProcessGroup, gradient_dtype: torch.dtype = torch.float32):
        self.rank, self.size = group.rank, group.size
        self.bytes_sent = 0
        self._group = group
        self._exchange = GradientExchange(group, gradient_dtype)
        self.early_exchange = EarlyExchange(group, self._exchange)
        self._batches = 0  # checksum of those of the present step
        self._losses: dict[str, float] = {}
        self._step_losses: dict[str, float] = {}
        self._loss_names: list[str] = []
        self._is_warned = False

    def describe(self, batch_size: int | None) -> list[str]:
        size = f"{self.size} processes"
        if batch_size is not None:
            size = f"{batch_size} = {batch_size / self.size:g} per process × {size}"
        lines = [
            f"Batch size: {size}. Each process learns from its share of a batch, with the result "
            "of one process.",
            f"Batches up to {self.size} times as large keep the processes busier: raise the size "
            "of [training.batcher], and the learning rate with it (Adam: by its square root).",
        ]
        if self._exchange.dtype != torch.float32:
            name = str(self._exchange.dtype).removeprefix("torch.")
            lines.append(f"Gradients are sent, and added up, in {name}.")
        return lines

    def begin(self, nlp: Language) -> None:
        equalize_weights(self._group, nlp)
        # NumPy's are those of the corpus too, until it is read.
        seed = (torch.initial_seed() + self.rank) % MAX_SEED
        torch.manual_seed(seed)
        if has_cupy_gpu:
            import cupy

            # Else all processes would drop the same values of their parts.
            cupy.random.seed(seed)
        self._loss_names = []

    def update(
        self,
        nlp: Language,
        examples: list[Example],
        *,
        losses: dict[str, float],
        exclude: Sequence[str] = (),
        is_last: bool = True,
        **settings: Any,
    ) -> None:
        lengths = [len(example.predicted) for example in examples]
        for learning in learn_in_parts(nlp, exclude):
            learning.expect_part(lengths)
        own = [examples[i] for i in balanced_parts(lengths, self.size)[self.rank]]
        for example in examples:
            self._batches = zlib.crc32(example.reference.text.encode(), self._batches)
        own_losses: dict[str, float] = {}
        slots = gradient_slots(nlp, exclude) if is_last else []
        with self.early_exchange.watching(slots) if is_last else nullcontext():
            nlp.update(own, losses=own_losses, exclude=exclude, **settings)
        self._losses = losses
        for name, loss in own_losses.items():
            # The one loss in spaCy that is a mean over Docs; its gradient is a sum.
            is_mean = name in nlp.pipe_names and isinstance(nlp.get_pipe(name), TextCategorizer)
            share = len(own) / len(examples) if is_mean else 1.0
            self._step_losses[name] = self._step_losses.get(name, 0.0) + share * loss
        watch = watch_of(nlp)
        if watch is not None:
            watch.add({}, sum(lengths) - sum(map(len, own)))

    @contextmanager
    def step(self, nlp: Language, frozen: Sequence[str]) -> Iterator[None]:
        seed = self._combine(nlp, frozen)
        with _random_numbers_from(seed):
            yield

    def _combine(self, nlp: Language, frozen: Sequence[str]) -> int:
        """Sum up the gradients and losses of a step; returns the seed of what is drawn in it."""
        slots = gradient_slots(nlp, frozen)
        scalers = gradient_scalers(nlp, frozen)
        seed = int(torch.randint(MAX_SEED, ())) if self.rank == 0 else 0
        has_new = not self._step_losses.keys() <= set(self._loss_names)
        # All that is to be known of a step, in one go. Integers are exact: they add up to less
        # than 2 ** 53.
        head = [self._batches, seed, has_new]
        overflows = [scaler._found_inf for scaler in scalers]
        are_there = [slot.get() is not None for slot in slots]
        are_changed = self.early_exchange.changes()
        losses = [self._step_losses.get(name, 0.0) for name in self._loss_names]
        (batches, drawn, any_new), overflown, have_any, have_changed, loss_sums = self._sum_lists(
            head, overflows, are_there, are_changed, losses
        )
        if batches != self.size * self._batches:
            raise ValueError(
                "The processes do not read the same batches. A corpus reader, augmenter or "
                "batcher must depend on nothing but its settings and Python's and NumPy's random "
                "numbers; if it iterates over sets of strings, start all with the same "
                "PYTHONHASHSEED."
            )
        self._batches = 0
        for scaler, overflow in zip(scalers, overflown, strict=True):
            scaler._found_inf = bool(overflow)
        done = self.early_exchange.finish(
            slots, list(map(bool, have_any)), list(map(bool, have_changed))
        )
        gradients = []
        for i, (slot, has_any) in enumerate(zip(slots, have_any, strict=True)):
            if has_any and i not in done:
                gradient = slot.get()
                gradients.append(slot.make() if gradient is None else gradient)
        self._exchange.sum_up(gradients)
        besides = [g for part in learn_in_parts(nlp, frozen) for g in part.strategy_gradients()]
        self._exchange.sum_up(besides, torch.float32)
        self.bytes_sent, self._exchange.bytes_sent = self._exchange.bytes_sent, 0
        if any_new:
            self._loss_names = self._all_names([*self._loss_names, *self._step_losses])
            own = [self._step_losses.get(name, 0.0) for name in self._loss_names]
            (loss_sums,) = self._sum_lists(own)
        self._add_losses(nlp, dict(zip(self._loss_names, loss_sums, strict=True)))
        return int(drawn)

    def _sum_lists(self, *lists: Sequence[float]) -> list[list[float]]:
        flat = [float(value) for values in lists for value in values]
        summed = self._group.sum(torch.tensor(flat, dtype=torch.float64), "begin a step").tolist()
        parts = []
        for values in lists:
            parts.append(summed[: len(values)])
            del summed[: len(values)]
        return parts

    def _add_losses(self, nlp: Language, sums: dict[str, float]) -> None:
        for name, loss in sums.items():
            self._losses[name] = self._losses.get(name, 0.0) + loss
        watch = watch_of(nlp)
        if watch is not None:
            elsewhere = {key: loss - self._step_losses.get(key, 0.0) for key, loss in sums.items()}
            watch.add(elsewhere, 0)
        self._step_losses = {}

    def _all_names(self, names: Iterable[str]) -> list[str]:
        gathered = self.gather(list(names))
        every = [] if gathered is None else [name for names in gathered for name in names]
        return self.agree(list(dict.fromkeys(every)))

    def evaluate(
        self,
        nlp: Language,
        dev_corpus: Callable[[Language], Iterable[Example]],
        evaluate_alone: Callable[[], tuple[float, dict[str, Any]]],
    ) -> tuple[float, dict[str, Any]]:
        different = different_weights(self._group, nlp)
        if different and not self._is_warned:
            self._is_warned = True
            warnings.warn(
                f"The weights of {', '.join(different)} are no longer the same in all processes. "
                "Either their processors round differently, which does no harm, or the component "
                "learns in a way of its own, which several processes cannot take part in.",
                stacklevel=2,
            )
        return evaluate(self._group, nlp, dev_corpus, evaluate_alone)

    def agree(self, value: Value) -> Value:
        return self._group.tell(value, "agree")

    def any(self, flag: bool) -> bool:
        return bool(self._group.sum(torch.tensor([int(flag)]), "agree")[0])

    def gather(self, value: Value) -> list[Value] | None:
        contents = self._group.gather(srsly.msgpack_dumps(value), "gather what each has")
        return None if contents is None else [srsly.msgpack_loads(content) for content in contents]

    def barrier(self) -> None:
        self._group.meet("wait for all")

    def training_state(self) -> State:
        return self.early_exchange.training_state()

    def restore_training_state(self, state: State) -> None:
        self.early_exchange.restore_training_state(state)


@contextmanager
def _random_numbers_from(seed: int) -> Iterator[None]:
    """Have all random numbers inside a with block drawn from a seed."""
    states: Mapping[str, Any] = {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
        "cupy": _exchanged_cupy_generator(seed),
    }
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(states["python"])
        np.random.set_state(states["numpy"])
        torch.set_rng_state(states["torch"])
        if states["cuda"] is not None:
            torch.cuda.set_rng_state(states["cuda"])
        if states["cupy"] is not None:
            _set_cupy_generator(states["cupy"])


def _exchanged_cupy_generator(seed: int) -> Any:
    """CuPy's own generator, in whose place comes one with this seed; None without CuPy."""
    if not has_cupy_gpu:
        return None
    import cupy

    generator = cupy.random.get_random_state()
    _set_cupy_generator(cupy.random.RandomState(seed))
    return generator


def _set_cupy_generator(generator: Any) -> None:
    import cupy

    cupy.random.set_random_state(generator)
