"""Numbers that hold: gradients, extreme emissions, long sequences, many tags, low precision."""

import math

import pytest
import torch
from torch.func import functional_call

from spacy_bertcrf.layers import LinearChainCRF
from spacy_bertcrf.layers.forward_backward import scan
from spacy_bertcrf.layers.log_scan import LogScan
from spacy_bertcrf.layers.scaled_scan import ScaledScan

LEGAL = (
    torch.tensor([1, 1, 0, 1]).bool(),
    torch.tensor([[1, 1, 0, 1], [0, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 1]]).bool(),
    torch.tensor([1, 0, 1, 1]).bool(),
)
MASK = torch.arange(5) < torch.tensor([5, 2, 0, 4])[:, None]


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1.0, 300.0], ids=["scaled", "in log space"])
@pytest.mark.parametrize("legal", [(None,) * 3, LEGAL], ids=["all legal", "masked"])
@pytest.mark.parametrize("what", ["log_partition", "forward", "partial"])
def test_gradients_are_those_of_finite_differences(scale, legal, what):
    torch.manual_seed(1)
    crf = LinearChainCRF(4, True, *legal).double()
    for parameter in crf.parameters():
        torch.nn.init.normal_(parameter)
    emissions = (torch.randn(4, 5, 4) * scale).double().requires_grad_()
    allowed = torch.rand(4, 5, 4) < 0.7
    allowed[:, :, 0] = True
    allowed[:, -1, 3] = True
    gold = torch.tensor(crf.decode(torch.zeros(1, 5, 4))).expand(4, 5).clone()
    gold[1, :2] = torch.tensor([0, 3])

    class Loss(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.crf = crf

        def forward(self, local):
            if what == "log_partition":
                return crf.log_partition(local, MASK, allowed)
            if what == "partial":
                return crf.partial_log_likelihood(local, allowed, MASK, "none")
            return crf(local, gold, MASK, "none")

    loss = Loss()
    names = [name for name, _ in loss.named_parameters()]

    def run(local, *parameters):
        return functional_call(loss, dict(zip(names, parameters, strict=True)), (local,))

    assert torch.autograd.gradcheck(run, (emissions, *loss.parameters()))


def scores_of(crf, emissions, allowed=None):
    packing = crf._pack(emissions, None)
    return *crf._scores(emissions, packing, allowed), packing


@pytest.mark.slow
@pytest.mark.parametrize("tags", [2, 41, 200])
@pytest.mark.parametrize("scale", [1.0, 20.0, 300.0])
def test_both_scans_know_the_same(tags, scale):
    """The fast scan is trusted only where it is exact, and then it must be."""
    torch.manual_seed(0)
    crf = LinearChainCRF(tags, batch_first=True)
    scores, sound, packing = scores_of(crf, torch.randn(2, 30, tags) * scale)
    fast, slow = scan(scores, sound, packing), LogScan(scores, packing, True)
    torch.testing.assert_close(fast.log_partition, slow.log_partition, rtol=1e-12, atol=0)
    torch.testing.assert_close(fast.posteriors(), slow.posteriors(), rtol=1e-7, atol=1e-11)
    weights = torch.tensor([1.0, -0.5]).double()
    torch.testing.assert_close(
        fast.transition_counts(weights),
        slow.transition_counts(weights),
        rtol=1e-7,
        atol=1e-9,
    )


def test_the_scaled_scan_serves_what_models_emit():
    """Or every batch would be scanned in log space, ten times slower."""
    torch.manual_seed(0)
    crf = LinearChainCRF(4, True, *LEGAL)
    allowed = torch.rand(3, 50, 4) < 0.8
    allowed[:, :, 0] = True
    for scale in (1.0, 15.0):
        scores, sound, packing = scores_of(crf, torch.randn(3, 50, 4) * scale, allowed)
        assert isinstance(scan(scores, sound, packing), ScaledScan)


def test_what_underflows_on_the_way_is_not_lost():
    """Both recursions drop the best path at their own end and then agree on the second best:
    nothing looks wrong but the zeros themselves."""
    crf = LinearChainCRF(2, batch_first=True)
    torch.nn.init.zeros_(crf.start_transitions)
    torch.nn.init.zeros_(crf.end_transitions)
    crf.transitions.data = torch.tensor([[0.0, -1e4], [-1e4, 0.0]])
    emissions = torch.zeros(1, 220, 2)
    emissions[0, :10, 0] = emissions[0, -10:, 0] = 800.0
    emissions[0, 10:-10, 1] = 100.0
    assert crf.decode(emissions) == [[1] * 220]
    assert crf.log_partition(emissions).item() == pytest.approx(20000.0)
    torch.testing.assert_close(crf.marginals(emissions)[0, :, 1], torch.ones(220))
    assert crf.path_marginals(emissions, [(0, 0, [1] * 220)]).item() == pytest.approx(1.0)


@pytest.mark.parametrize("length", [1, 7])
@pytest.mark.parametrize("tags", [2, 41, 200])
def test_extreme_emissions_hold(length, tags):
    torch.manual_seed(0)
    crf = LinearChainCRF(tags, batch_first=True)
    emissions = torch.where(torch.rand(3, length, tags) < 0.5, 1e4, -1e4)
    emissions[1, :, 1:] = -math.inf
    emissions[2] = -1e4
    emissions.requires_grad_()
    gold = torch.tensor(crf.decode(emissions))
    assert gold[1].tolist() == [0] * length
    likelihood = crf(emissions, gold, reduction="none")
    assert likelihood[1].item() == pytest.approx(0.0, abs=1e-6)
    assert torch.isfinite(likelihood).all()
    assert (likelihood <= 1e-6).all()
    likelihood.sum().backward()
    assert torch.isfinite(emissions.grad).all()
    assert all(torch.isfinite(parameter.grad).all() for parameter in crf.parameters())
    marginals = crf.marginals(emissions)
    torch.testing.assert_close(marginals.sum(2), torch.ones(3, length))
    assert not marginals[0][emissions[0] < 0].any() or tags == 2


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_long_sequences_hold(scale):
    """A book is one document; float32 sums of such scores would be off by whole units at its
    end."""
    torch.manual_seed(0)
    length = 5_000
    crf = LinearChainCRF(3, batch_first=True)
    emissions = (torch.randn(1, length, 3) * scale).requires_grad_()
    (path,) = crf.decode(emissions)
    score = emissions.detach()[0, torch.arange(length), path].double().sum()
    likelihood = crf(emissions, torch.tensor([path]))
    likelihood.backward()
    assert likelihood <= 0
    assert crf.log_partition(emissions).item() >= score.item() - length * 0.1 * 3
    torch.testing.assert_close(
        crf.marginals(emissions).sum(2), torch.ones(1, length), rtol=1e-6, atol=1e-6
    )
    # One tag more in the gold path is one less expected elsewhere.
    torch.testing.assert_close(emissions.grad.sum(2), torch.zeros(1, length), rtol=0, atol=1e-5)


def test_where_all_paths_are_ruled_out_the_least_bad_remain():
    """A confidence of NaN, or a crash, instead of an answer for a single odd document."""
    crf = LinearChainCRF(4, True, *LEGAL)
    for parameter in crf.parameters():
        torch.nn.init.zeros_(parameter)
    emissions = torch.zeros(2, 3, 4)
    emissions[0, 1] = -math.inf  # one token that nothing fits
    emissions[0, 0, 0] = 8.0
    marginals = crf.marginals(emissions)
    torch.testing.assert_close(marginals.sum(2), torch.ones(2, 3))
    assert crf.log_partition(emissions)[0] == -math.inf
    best = crf.k_best(emissions, k=2)[0]
    assert best[0][0] == crf.decode(emissions)[0]
    assert 0 > best[0][1] >= best[1][1] > -math.inf
    assert marginals[0, 0, 0] > 0.99
    # Gold tags that are ruled out have no probability; the gradient stays finite.
    emissions.requires_grad_()
    likelihood = crf(emissions, torch.tensor([[0, 0, 0], [0, 0, 0]]), reduction="none")
    assert likelihood[0] == -math.inf
    likelihood[1].backward()
    assert torch.isfinite(emissions.grad).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_loss_is_computed_in_full_precision(dtype):
    """Mixed precision would train on rounding errors: bfloat16 cannot tell 1000 from 1003."""
    torch.manual_seed(0)
    crf = LinearChainCRF(4, batch_first=True)
    emissions = torch.randn(2, 300, 4).to(dtype)
    gold = torch.randint(4, (2, 300))
    expected = crf(emissions.double(), gold)
    leaf = emissions.clone().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = crf(leaf, gold)
        partition = crf.log_partition(leaf)
        decoded = crf.decode(leaf)
    found.backward()
    assert found.dtype == partition.dtype == torch.float32
    assert leaf.grad.dtype == dtype
    torch.testing.assert_close(found.double(), expected.double(), rtol=1e-6, atol=1e-4)
    assert decoded == crf.decode(emissions.double())
