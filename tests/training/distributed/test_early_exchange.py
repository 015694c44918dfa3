"""Gradients that are sent while the backward pass still computes others."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from spacy_bertcrf.layers.recomputation import recomputed
from spacy_bertcrf.training.distributed import early_exchange
from spacy_bertcrf.training.distributed.early_exchange import MAX_TOO_EARLY, EarlyExchange
from spacy_bertcrf.training.distributed.gradient_exchange import GradientExchange
from spacy_bertcrf.training.distributed.gradient_slots import torch_slot

DEPTH = 4


class Network:
    """Between processes that take turns: what is sent is added up when it is waited for."""

    def __init__(self, n_ranks):
        self.sent = [[] for _ in range(n_ranks)]
        self.told = []

    def group(self, rank):
        n_heard = iter(range(10**6))

        def begin_sum(tensor, purpose):
            number = len(self.sent[rank])
            self.sent[rank].append((tensor, tensor.clone()))

            def wait():
                tensor.copy_(sum(sent[number][1] for sent in self.sent))

            return wait

        def tell(value, purpose):
            if rank == 0:
                self.told.append(value)
            return self.told[next(n_heard)]

        device = torch.device("cpu")
        return SimpleNamespace(device=device, begin_sum=begin_sum, tell=tell)


class Rank:
    """One process: layers on top of each other, and the exchange of their gradients."""

    def __init__(self, network, rank=0):
        torch.manual_seed(0)
        self.layers = nn.ModuleList(nn.Linear(3, 3) for _ in range(DEPTH))
        self.network = network
        self.rank = rank
        group = network.group(rank)
        self.exchange = GradientExchange(group)
        self.early = EarlyExchange(group, self.exchange)
        self.order = []  # in which gradients are added to

    @property
    def n_sent(self):
        return len(self.network.sent[self.rank])

    def slots(self):
        return [torch_slot(p) for p in self.layers.parameters() if p.requires_grad]

    def learn(self, *passes):
        """Backward passes that are the last of a step, and how much was sent meanwhile."""
        before = self.n_sent
        with self.early.watching(self.slots()):
            for one in passes:
                one()
            return self.n_sent - before

    def backward(self, *numbers, seed=0):
        """A pass through the layers with these numbers."""
        vectors = torch.from_numpy(np.random.default_rng(seed).normal(size=(2, 3))).float()
        for i in numbers:
            vectors = self.layers[i](vectors)
        if numbers:
            vectors.square().sum().backward()


def finish(*ranks):
    """What all do at the end of a step; returns what each has then, and drops it."""
    slots = [rank.slots() for rank in ranks]
    changed = [rank.early.changes() for rank in ranks]
    any_changed = list(map(any, zip(*changed, strict=True)))
    have_any = [any(s.get() is not None for s in same) for same in zip(*slots, strict=True)]
    # All of them send before the first waits.
    n_sent = {rank.n_sent for rank in ranks}
    assert len(n_sent) == 1
    found = []
    rest = []
    for rank, own in zip(ranks, slots, strict=True):
        done = rank.early.finish(own, have_any, any_changed)
        rest.append([i for i, has in enumerate(have_any) if has and i not in done])
    assert all(numbers == rest[0] for numbers in rest)
    for i in rest[0]:
        total = sum(g for own in slots if (g := own[i].get()) is not None)
        for own in slots:
            (own[i].make() if own[i].get() is None else own[i].get()).copy_(total)
    for rank in ranks:
        found.append(gradients(rank))
        rank.layers.zero_grad()
    return found


def gradients(rank):
    return [None if p.grad is None else p.grad.clone() for p in rank.layers.parameters()]


def total(found):
    """Of what each process has."""
    sums = []
    for same in zip(*found, strict=True):
        there = [gradient for gradient in same if gradient is not None]
        sums.append(sum(there) if there else None)
    return sums


def assert_same(found, expected):
    for gradient, other in zip(found, expected, strict=True):
        assert (gradient is None) == (other is None)
        if other is not None:
            torch.testing.assert_close(gradient, other)


@pytest.fixture(autouse=True)
def small_buckets(monkeypatch):
    """A layer in each."""
    monkeypatch.setattr(early_exchange, "BUCKET_BYTES", 4 * (9 + 3))


ALL = range(DEPTH)
subsets = st.lists(st.sampled_from(ALL), unique=True)
steps = st.lists(
    # Of each of two processes: its passes, through some of the layers, and whether it changes a
    # gradient itself afterwards.
    st.tuples(*2 * [st.tuples(st.lists(subsets, max_size=3), st.booleans())]),
    min_size=1,
    max_size=6,
)


@pytest.mark.slow
@given(steps, st.lists(st.sampled_from(ALL), max_size=6))
@settings(deadline=None, max_examples=60)
def test_the_sums_are_right_whatever_is_learned(steps, frozen):
    """Parameters that are not used, by one process or by all; more passes or fewer than before;
    gradients that are changed afterwards; layers that are frozen, and learn again: a guess that
    is wrong must not be seen in the weights."""
    network = Network(2)
    ranks = [Rank(network, rank) for rank in (0, 1)]
    for seed, parts in enumerate(steps):
        for rank in ranks:
            rank.layers.requires_grad_(True)
            for i in frozen[seed : seed + 1]:
                rank.layers[i].requires_grad_(False)
        alone = []
        for rank, (passes, changes) in zip(ranks, parts, strict=True):
            learns = [one for one in passes if any(i not in frozen[seed : seed + 1] for i in one)]
            rank.learn(*(partial(rank.backward, *one, seed=seed) for one in learns))
            if changes:
                for parameter in rank.layers[1].parameters():
                    if parameter.grad is not None:
                        parameter.grad.mul_(3)
            alone.append(gradients(rank))
        for found in finish(*ranks):
            assert_same(found, total(alone))


def test_upper_layers_are_sent_while_lower_ones_are_computed():
    """Else a slow network would be waited for after each backward pass."""
    rank = Rank(Network(1))
    assert rank.learn(lambda: rank.backward(*ALL)) == 0
    finish(rank)
    sent = []
    rank.layers[0].weight.register_hook(lambda _: sent.append(rank.n_sent))
    before = rank.n_sent
    assert rank.learn(lambda: rank.backward(*ALL)) == DEPTH
    assert sent[0] - before >= DEPTH - 1
    finish(rank)
    assert rank.early.n_too_early == 0


def test_the_last_of_several_passes_is_waited_for():
    """Adversarial training learns each batch twice: to send what the first pass gives, and then
    all once more, would take twice the time."""
    rank = Rank(Network(1))
    meanwhile = []
    for _ in range(3):
        before = rank.n_sent
        rank.learn(
            lambda: rank.backward(*ALL),
            lambda before=before: meanwhile.append(rank.n_sent - before),
            lambda: rank.backward(*ALL, seed=1),
        )
        finish(rank)
    assert meanwhile == [0, 0, 0]
    assert rank.early.n_early == 2 * DEPTH
    assert rank.early.n_too_early == 0


def test_parts_that_are_computed_again_are_waited_for():
    """Each gives the gradients of a part of a large batch, and every batch has another number of
    parts: once it was seen, it is known."""
    rank = Rank(Network(1))

    def in_parts(n):
        vectors = torch.ones(2, 3)

        def through(vectors):
            for layer in rank.layers:
                vectors = layer(vectors)
            return vectors

        parts = [recomputed(through, vectors + i) for i in range(n)]
        torch.cat([*parts, through(vectors)]).sum().backward()

    for n in (0, 3, 1, 0, 3, 1):
        rank.learn(lambda n=n: in_parts(n))
        finish(rank)
    assert rank.early.n_early == 3 * DEPTH
    assert rank.early.n_too_early == 0


def test_what_is_always_changed_afterwards_waits_for_the_end():
    """Else it would be sent twice in each step."""
    rank = Rank(Network(1))
    for _ in range(MAX_TOO_EARLY + 3):
        rank.learn(lambda: rank.backward(*ALL))
        rank.layers[2].bias.grad.mul_(2)
        finish(rank)
    assert rank.early.n_too_early == MAX_TOO_EARLY
    assert rank.early.n_early > MAX_TOO_EARLY * DEPTH


def test_an_update_that_was_not_the_last_is_made_good():
    """A script may call it the last and go on."""
    rank = Rank(Network(1))
    for _ in range(2):
        rank.learn(lambda: rank.backward(*ALL))
        rank.learn(lambda: rank.backward(*ALL, seed=1))
        expected = gradients(rank)
        assert_same(finish(rank)[0], expected)
    assert rank.early.n_early == DEPTH


def test_a_training_goes_on_with_the_same_buckets():
    """The order of additions depends on them, and a resumed training is to be the same."""
    rank = Rank(Network(1))
    rank.learn(lambda: rank.backward(*ALL))
    finish(rank)
    state = rank.early.training_state()
    assert len(state["order"]) == 2 * DEPTH
    other = Rank(Network(1))
    other.early.restore_training_state(state)
    other.learn(lambda: other.backward(*ALL))
    assert other.n_sent == 0
    finish(other)
    assert other.n_sent == rank.n_sent + DEPTH == DEPTH
    # With other layers frozen, they would have no meaning.
    other = Rank(Network(1))
    other.layers[0].requires_grad_(False)
    other.early.restore_training_state(state)
    other.learn(lambda: other.backward(*ALL))
    finish(other)
    assert other.n_sent == 0
