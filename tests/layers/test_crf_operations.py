"""What a GPU pays for: the operations that a call launches."""

import pytest
import torch
import torchcrf
from torch.profiler import ProfilerActivity, profile

from spacy_bertcrf.layers import LinearChainCRF

CALLS = {
    "loss and gradient": lambda crf, emissions, gold: crf(emissions, gold).backward(),
    "decode": lambda crf, emissions, gold: crf.decode(emissions),
    "marginals": lambda crf, emissions, gold: crf.marginals(emissions),
    "k best": lambda crf, emissions, gold: crf.k_best(emissions, k=2),
}


def operations(kind, call, batch, length):
    torch.manual_seed(0)
    emissions = torch.randn(batch, length, 5, requires_grad=True)
    gold = torch.zeros(batch, length, dtype=torch.int64)
    crf = kind(5, batch_first=True)
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        CALLS[call](crf, emissions, gold)
    averages = profiler.key_averages()
    return sum(event.count for event in averages if event.key.startswith("aten::"))


@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS)
def test_no_call_loops_over_sequences(call):
    """A batch of short documents would be as slow as one document after the other."""
    counts = [operations(LinearChainCRF, call, batch, 10) for batch in (3, 30)]
    assert counts[0] == counts[1]


@pytest.mark.parametrize("call", ["loss and gradient", "decode"])
@pytest.mark.slow
def test_a_step_launches_few_operations(call):
    """On a GPU each costs microseconds, whatever its size."""

    def each_step(kind):
        return (operations(kind, call, 20, 48) - operations(kind, call, 20, 32)) / 16

    share = {"loss and gradient": 1 / 10, "decode": 1 / 4}[call]
    assert each_step(LinearChainCRF) < each_step(torchcrf.CRF) * share
