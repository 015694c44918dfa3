"""The exchange of gradients while the backward pass still computes others."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import accumulate
from math import prod
from typing import NamedTuple

import torch

from spacy_bertcrf.layers.recomputation import times_recomputed
from spacy_bertcrf.models.resumable import State
from spacy_bertcrf.training.distributed.gradient_exchange import (
    PURPOSE,
    GradientExchange,
    buckets,
    is_table,
)
from spacy_bertcrf.training.distributed.gradient_slots import Slot
from spacy_bertcrf.training.distributed.process_group import ProcessGroup

BUCKET_BYTES = 8 * 2**20  # less than at the end: nothing is computed while the last one is sent
MAX_TOO_EARLY = 3


class EarlyExchange:
    """Sums up gradients of torch's parameters over the processes, bucket by bucket, as they become
    complete.

    Nobody says which backward pass is the last that adds to a gradient: parts of a batch are
    computed again, strategies learn a batch twice, components share a BERT. A gradient is taken
    for complete when it has been added to as often as in earlier steps with as many parts that
    are computed again. At the end it is looked at: what has changed after it was sent, in any
    process, is to be sent again, and where that happens repeatedly it waits for the end from then
    on. So a wrong guess costs time, and never changes a sum.

    All processes send the same buckets in the same order, that in which gradients were last added
    to in the first. What a process has not sent when its passes are over, for it has less to learn
    from or no gradient there, it sends then. Gradients of embeddings, of which few rows are used,
    those of thinc's own parameters, and all of the first step wait for the end.

    n_early: buckets that were under way before the passes of their step were over, so far.
    n_too_early: gradients that have changed, in this process, after they were sent.
    """

    def __init__(self, group: ProcessGroup, exchange: GradientExchange):
        self._group = group
        self._exchange = exchange
        self.n_early = 0
        self.n_too_early = 0
        self._is_watching = False
        self._under_way: list[_Bucket] = []
        self._restored: State | None = None
        self._forget([])

    @contextmanager
    def watching(self, slots: Sequence[Slot]) -> Iterator[None]:
        """Send gradients as they become complete, in a with block around the last backward passes
        of a step.

        slots: of all parameters that learn, the same in all processes.
        """
        if self._is_watching:
            # They were not the last, after all: what has been sent has changed, and is sent again.
            yield
            return
        if not _are_same(slots, self._slots):
            self._forget(slots)
        self._is_watching = True
        self._under_way = []
        self._n_complete = 0
        self._n_added: dict[int, int] = {}
        before = times_recomputed()
        handles = [
            slot.parameter.register_post_accumulate_grad_hook(partial(self._add, i, before))
            for i, slot in enumerate(slots)
            if slot.parameter is not None
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
        self.n_early += len(self._under_way)
        if self._n_added:
            # In other steps some may have had no gradient.
            expected = self._expected.setdefault(times_recomputed() - before, Counter())
            expected |= Counter(self._n_added)

    def changes(self) -> list[bool]:
        """Send what is not under way yet. Returns, for each gradient that is sent before the end
        of a step, whether it has changed since."""
        if not self._is_watching:
            return [False] * len(self._order)
        self._send_up_to(len(self._order))
        changed = [has for bucket in self._under_way for has in bucket.changes(self._slots)]
        self.n_too_early += sum(changed)
        return changed

    def finish(
        self, slots: Sequence[Slot], have_any: Sequence[bool], have_changed: Sequence[bool]
    ) -> set[int]:
        """Set gradients to their sums over all processes.

        slots: as they are now.
        have_any: by slot, whether there is a gradient in any process.
        have_changed: as `changes` gives it, whether in any process.

        Returns the numbers of the slots that are done with.
        """
        if not self._is_watching:
            return set()
        is_sound = _are_same(slots, self._slots)
        done: set[int] = set()
        for bucket, end in zip(self._under_way, self._ends, strict=True):
            sums = bucket.sums()
            if not is_sound or any(have_changed[end - len(sums) : end]):
                continue
            done.update(bucket.numbers)
            for i, found in zip(bucket.numbers, sums, strict=True):
                if have_any[i]:
                    gradient = slots[i].get()
                    (slots[i].make() if gradient is None else gradient).copy_(found)
        self._is_watching = False
        self._under_way = []
        if is_sound:
            self._plan(have_any, have_changed)
        return done

    def training_state(self) -> State:
        """What is sent early, which the order of additions depends on."""
        return {"shapes": _shapes(self._slots), "order": self._order}

    def restore_training_state(self, state: State) -> None:
        """Begin with the buckets of the process that gave this state."""
        self._restored = state

    def _forget(self, slots: Sequence[Slot]) -> None:
        self._slots = list(slots)
        self._used: set[int] = set()
        self._too_early: Counter[int] = Counter()
        # By how often something was recomputed, how often each gradient was added to.
        self._expected: dict[int, Counter[int]] = {}
        self._send_in_order([])
        if self._restored is not None and slots:
            if self._restored["shapes"] == _shapes(slots):
                self._send_in_order(self._restored["order"])
                self._used = set(self._order)
            self._restored = None

    def _add(self, i: int, before: int, parameter: torch.Tensor) -> None:
        """Called when a gradient has been added to."""
        # Again the last of all.
        self._n_added[i] = self._n_added.pop(i, 0) + 1
        expected = self._expected.get(times_recomputed() - before)
        if expected is None:
            return
        n_complete = self._n_complete
        while n_complete < len(self._order):
            following = self._order[n_complete]
            if self._n_added.get(following, 0) < expected[following]:
                break
            n_complete += 1
        self._send_up_to(n_complete)

    def _send_up_to(self, n_complete: int) -> None:
        self._n_complete = n_complete
        for end in self._ends[len(self._under_way) :]:
            if end > n_complete:
                break
            begin = self._ends[len(self._under_way) - 1] if self._under_way else 0
            self._under_way.append(self._sent(self._order[begin:end]))

    def _sent(self, numbers: list[int]) -> "_Bucket":
        slots = [self._slots[i] for i in numbers]
        gradients = [slot.get() for slot in slots]
        versions = [_version(gradient) for gradient in gradients]
        sums = self._exchange.begin(gradients, [slot.shape for slot in slots])
        return _Bucket(numbers, gradients, versions, sums)

    def _plan(self, have_any: Sequence[bool], have_changed: Sequence[bool]) -> None:
        """What is sent early in the next steps."""
        self._too_early.update(i for i, has in zip(self._order, have_changed, strict=True) if has)
        self._used.update(i for i, has in enumerate(have_any) if has)
        wanted = {
            i
            for i in self._used
            if self._slots[i].parameter is not None
            and not is_table(self._slots[i].shape)
            and self._too_early[i] < MAX_TOO_EARLY
        }
        if wanted == set(self._order):
            return
        order = [i for i in self._n_added if i in wanted]
        order += sorted(wanted.difference(order), reverse=True)
        self._send_in_order(self._group.tell(order, PURPOSE))

    def _send_in_order(self, order: Sequence[int]) -> None:
        self._order = list(order)
        sizes = [prod(self._slots[i].shape) for i in order]
        self._ends = list(accumulate(len(bucket) for bucket in buckets(sizes, BUCKET_BYTES)))


class _Bucket(NamedTuple):
    """A bucket that is under way.

    numbers: of the slots. gradients, versions: as they were sent. sums: waits for them.
    """

    numbers: list[int]
    gradients: list[torch.Tensor | None]
    versions: list[int]
    sums: Callable[[], list[torch.Tensor]]

    def changes(self, slots: Sequence[Slot]) -> Iterator[bool]:
        for i, gradient, version in zip(self.numbers, self.gradients, self.versions, strict=True):
            now = slots[i].get()
            yield now is not gradient or _version(now) != version


def _version(gradient: torch.Tensor | None) -> int:
    """Counts its changes in place."""
    return 0 if gradient is None else gradient._version


def _are_same(slots: Sequence[Slot], others: Sequence[Slot]) -> bool:
    return [slot.key for slot in slots] == [slot.key for slot in others]


def _shapes(slots: Sequence[Slot]) -> list[list[int]]:
    return [list(slot.shape) for slot in slots]
