"""LinearChainCRF as a torchcrf.CRF, and what it says of inputs that cannot be right."""

import itertools
import math

import numpy as np
import pytest
import torch
import torchcrf

from spacy_bertcrf.layers import LinearChainCRF

# BIO over two labels: O, B-X, I-X, B-Y, I-Y.
START = np.array([1, 1, 0, 1, 0], dtype=bool)
MOVES = np.array(
    [[1, 1, 0, 1, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 0], [1, 1, 0, 1, 1], [1, 1, 0, 1, 1]],
    dtype=bool,
)


def make_batch(batch_first, lengths=(4, 9, 1, 6), tags=6, seed=0, longest=9):
    torch.manual_seed(seed)
    mask = torch.arange(longest) < torch.tensor(lengths)[:, None]
    emissions = torch.randn(*mask.shape, tags)
    gold = torch.randint(tags, mask.shape)
    batch = (emissions, gold, mask)
    return batch if batch_first else tuple(part.transpose(0, 1) for part in batch)


def make_pair(batch_first, tags=6):
    ours, parent = LinearChainCRF(tags, batch_first), torchcrf.CRF(tags, batch_first)
    for parameter in parent.parameters():
        torch.nn.init.normal_(parameter)
    ours.load_state_dict(parent.state_dict())
    return ours, parent


@pytest.mark.filterwarnings("ignore:where received a uint8")  # the parent, without a mask
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("reduction", ["none", "sum", "mean", "token_mean"])
def test_likelihood_and_gradients_are_the_parents(batch_first, masked, reduction):
    """Results of models trained with pytorch-crf would not carry over."""
    emissions, gold, mask = make_batch(batch_first)
    found = []
    for crf in make_pair(batch_first):
        leaf = emissions.clone().requires_grad_()
        likelihood = crf(leaf, gold, mask if masked else None, reduction)
        likelihood.sum().backward()
        found.append([likelihood.detach(), leaf.grad, *(p.grad for p in crf.parameters())])
    for ours, parents in zip(*found, strict=True):
        torch.testing.assert_close(ours, parents, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_decode_is_the_parents(batch_first, seed):
    emissions, _, mask = make_batch(batch_first, seed=seed)
    ours, parent = make_pair(batch_first)
    assert ours.decode(emissions, mask) == parent.decode(emissions, mask)
    assert ours.decode(emissions) == parent.decode(emissions)
    assert ours.decode(emissions, mask.byte()) == ours.decode(emissions, mask)


def test_state_dict_is_the_parents_whatever_is_legal():
    """A saved model could not be read by pytorch-crf, nor after labels were added."""
    ours = LinearChainCRF(5, legal_start=START, legal_transitions=MOVES)
    assert ours.state_dict().keys() == torchcrf.CRF(5).state_dict().keys()


@pytest.mark.parametrize("batch_first", [True, False])
def test_padding_and_batch_mates_change_nothing(batch_first):
    lengths = (4, 9, 1, 6)
    emissions, gold, mask = make_batch(batch_first, lengths, longest=11)
    crf, _ = make_pair(batch_first)
    emissions = torch.where(mask.unsqueeze(2), emissions, math.nan)
    leaf = emissions.clone().requires_grad_()
    together = crf(leaf, gold, mask, "none")
    together.sum().backward()
    assert torch.isfinite(leaf.grad).all()
    assert not leaf.grad[~mask].any()
    axis = 0 if batch_first else 1
    decoded, marginals = crf.decode(emissions, mask), crf.marginals(emissions, mask)
    for sequence, length in enumerate(lengths):
        own = emissions.narrow(axis, sequence, 1).narrow(1 - axis, 0, length)
        own_gold = gold.narrow(axis, sequence, 1).narrow(1 - axis, 0, length)
        torch.testing.assert_close(crf(own, own_gold), together[sequence])
        assert crf.decode(own) == [decoded[sequence]]
        whole = marginals.narrow(axis, sequence, 1).narrow(1 - axis, 0, length)
        torch.testing.assert_close(crf.marginals(own), whole)


@pytest.mark.parametrize("lengths", [(0, 3), (3, 0, 2), (0, 0)])
def test_empty_sequences_are_legal_and_cost_nothing(lengths):
    """spaCy trains on and predicts empty documents; the parent raises."""
    mask = torch.arange(3) < torch.tensor(lengths)[:, None]
    crf = LinearChainCRF(4, batch_first=True)
    emissions = torch.randn(len(lengths), 3, 4, requires_grad=True)
    gold = torch.zeros(len(lengths), 3, dtype=torch.int64)
    likelihood = crf(emissions, gold, mask, "none")
    partial = crf.partial_log_likelihood(
        emissions, torch.ones(len(lengths), 3, 4).bool(), mask, "none"
    )
    (likelihood.sum() + partial.sum()).backward()
    stretch = [(lengths.index(max(lengths)), 0, [1])] if any(lengths) else []
    assert len(crf.path_marginals(emissions, stretch, mask=mask)) == len(stretch)
    for sequence, length in enumerate(lengths):
        assert len(crf.decode(emissions, mask)[sequence]) == length
        assert crf.marginals(emissions, mask)[sequence].sum().item() == pytest.approx(length)
        if length == 0:
            assert likelihood[sequence] == partial[sequence] == 0
            assert crf.log_partition(emissions, mask)[sequence] == 0
            assert crf.k_best(emissions, mask)[sequence] == [([], 0.0)]
            assert not emissions.grad[sequence].any()


@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 0, 4), (0, 0, 4)])
def test_batches_without_a_token_are_legal(shape):
    crf = LinearChainCRF(4, batch_first=True)
    emissions = torch.zeros(shape, requires_grad=True)
    gold = torch.zeros(shape[:2], dtype=torch.int64)
    crf(emissions, gold).backward()
    assert emissions.grad.shape == shape
    assert crf.decode(emissions) == [[]] * shape[0]
    assert crf.marginals(emissions).shape == shape


@pytest.mark.parametrize("seed", range(3))
def test_an_untrained_crf_decodes_legal_paths_only(seed):
    """Decision 2 of the design: an I- without its B- would be an entity nobody annotated."""
    torch.manual_seed(seed)
    crf = LinearChainCRF(5, True, START, MOVES)
    emissions = torch.randn(8, 30, 5) * 5
    emissions[:, :, 2] += 10  # the model is sure of I-X everywhere
    emissions[1] = -math.inf
    emissions[2, :, :2] = -math.inf
    for path in crf.decode(emissions) + [path for [(path, _)] in crf.k_best(emissions, k=1)]:
        assert START[path[0]]
        assert all(MOVES[pair] for pair in itertools.pairwise(path))


def test_what_is_legal_can_be_said_later_and_taken_back():
    crf = LinearChainCRF(5, batch_first=True)
    emissions = torch.zeros(1, 2, 5)
    emissions[:, :, 2] = 9.0
    assert crf.decode(emissions) == [[2, 2]]
    crf.set_legal(start=START, transitions=torch.from_numpy(MOVES))
    assert crf.decode(emissions) == [[1, 2]]
    crf.set_legal()
    assert crf.decode(emissions) == [[2, 2]]
    with pytest.raises(ValueError, match=r"legal_end must have the shape \(5,\), got \(4,\)"):
        crf.set_legal(end=np.ones(4, dtype=bool))


def test_allowed_tags_fix_what_is_known():
    """Preset entities would be overwritten."""
    crf = LinearChainCRF(5, True, START, MOVES)
    emissions = torch.zeros(1, 4, 5)
    emissions[:, :, 0] = 5.0
    allowed = torch.ones(1, 4, 5).bool()
    allowed[0, 2] = torch.tensor([False, False, True, False, False])  # I-X
    assert crf.decode(emissions, allowed=allowed) == [[0, 1, 2, 0]]
    assert crf.marginals(emissions, allowed=allowed)[0, 2].tolist() == [0, 0, 1, 0, 0]


def test_equal_paths_always_come_in_the_same_order():
    crf = LinearChainCRF(3, batch_first=True)
    for parameter in crf.parameters():
        torch.nn.init.zeros_(parameter)
    emissions = torch.zeros(2, 3, 3)
    first = crf.k_best(emissions, k=27)
    assert first == crf.k_best(emissions, k=27)
    assert first[0] == first[1]
    assert len({tuple(path) for path, _ in first[0]}) == 27
    assert [found[:4] for found in first] == crf.k_best(emissions, k=4)


def impossible(**changes):
    crf = LinearChainCRF(5, True, START, MOVES)
    arguments = {
        "emissions": torch.zeros(2, 3, 5),
        "tags": torch.tensor([[0, 1, 2], [1, 0, 0]]),
        "mask": torch.ones(2, 3).bool(),
    }
    return crf, arguments | changes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tags": torch.tensor([[0, 1, 2], [1, 0, 2]])}, "tag 2 of sequence 1 at position 2.*0"),
        ({"tags": torch.tensor([[2, 1, 2], [1, 0, 0]])}, "tag 2 of sequence 0 at position 0.*sta"),
        ({"tags": torch.tensor([[0, 1, 2], [1, 5, 0]])}, "tag 5 of sequence 1 at position 1 does"),
        ({"tags": torch.tensor([[0, 1, -1], [1, 0, 0]])}, "tag -1 of sequence 0 at position 2 d"),
        ({"tags": torch.zeros(2, 2, dtype=torch.int64)}, r"tags must have the shape \(2, 3\)"),
        ({"mask": torch.tensor([[1, 0, 1], [1, 1, 1]]).bool()}, "move the padding to the end"),
        ({"mask": torch.ones(3, 2).bool()}, r"mask must have the shape \(2, 3\)"),
        ({"emissions": torch.zeros(2, 3, 4)}, "the last of 5 tags"),
        ({"emissions": torch.zeros(2, 15)}, "three dimensions"),
        ({"reduction": "max"}, "reduction must be one of none, sum, mean, token_mean"),
    ],
)
def test_impossible_training_input_is_named(changes, message):
    """A loss of infinity or an index error deep in torch would not say what to mend."""
    crf, arguments = impossible(**changes)
    with pytest.raises(ValueError, match=message):
        crf(**arguments)


def test_a_gold_path_that_may_not_end_is_named():
    crf = LinearChainCRF(3, batch_first=True, legal_end=[True, False, True])
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]]).bool()
    with pytest.raises(ValueError, match=r"tag 1 of sequence 1 at position 1.*end with it"):
        crf(torch.zeros(2, 3, 3), torch.tensor([[0, 0, 0], [0, 1, 2]]), mask)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_emissions_that_are_no_numbers_are_named(value):
    """Training would go on with NaN weights, prediction with nonsense."""
    crf = LinearChainCRF(5, batch_first=True)
    emissions = torch.zeros(4, 6, 5)
    emissions[2, 3, 1] = value
    mask = torch.arange(6) < torch.tensor([6, 2, 5, 0])[:, None]
    for method in (crf.decode, crf.marginals, crf.k_best, crf.log_partition):
        with pytest.raises(ValueError, match="sequence 2 hold NaN or infinity at position 3"):
            method(emissions, mask)
    with pytest.raises(ValueError, match="sequence 2"):
        crf(emissions, torch.zeros(4, 6, dtype=torch.int64), mask)


@pytest.mark.parametrize("part", ["start_transitions", "transitions", "end_transitions"])
def test_transitions_that_are_no_numbers_are_told(part):
    """Prediction would find nothing, without a word."""
    crf = LinearChainCRF(5, True, START, MOVES)
    with torch.no_grad():
        getattr(crf, part).fill_(math.nan)
    for method in (crf.decode, crf.marginals, crf.k_best):
        with pytest.raises(ValueError, match="the transitions hold NaN"):
            method(torch.zeros(2, 3, 5))


def test_a_sequence_without_a_legal_path_is_named():
    crf = LinearChainCRF(5, True, START, MOVES)
    emissions = torch.zeros(3, 3, 5)
    allowed = torch.ones(3, 3, 5).bool()
    allowed[1, 0] = torch.tensor([True, False, False, False, False])
    allowed[1, 1] = torch.tensor([False, False, True, False, False])
    for method in (crf.decode, crf.marginals, crf.k_best, crf.partial_log_likelihood):
        with pytest.raises(ValueError, match=r"sequence 1 \(3 tokens\) has no legal path"):
            method(emissions, allowed=allowed)
    assert crf.log_partition(emissions, allowed=allowed)[1] == -math.inf


@pytest.mark.parametrize(
    ("stretch", "message"),
    [
        ((0, 2, [0, 0]), "stretch 1 .* has 3 tokens"),
        ((0, -1, [0]), "has 3 tokens"),
        ((0, 1, []), "has 3 tokens"),
        ((2, 0, [0]), "the batch has 2 sequences"),
        ((1, 0, [5]), "from 0 to 4"),
    ],
)
def test_stretches_outside_the_batch_are_named(stretch, message):
    crf = LinearChainCRF(5, batch_first=True)
    with pytest.raises(ValueError, match=message):
        crf.path_marginals(torch.zeros(2, 3, 5), [(0, 0, [1]), stretch])


@pytest.mark.parametrize(
    "call",
    [
        lambda crf, emissions: crf.k_best(emissions, k=0),
        lambda crf, emissions: crf.marginals(emissions, temperature=0.0),
        lambda crf, emissions: crf.decode(emissions, allowed=torch.ones(1, 2, 4).bool()),
        lambda crf, emissions: crf.path_marginals(emissions, [(0, 0, [1])], np.ones((2, 5))),
    ],
)
def test_arguments_out_of_range_are_refused(call):
    with pytest.raises(ValueError, match="must"):
        call(LinearChainCRF(5, batch_first=True), torch.zeros(1, 2, 5))


def test_k_best_with_a_temperature_is_softer_and_in_the_same_order():
    """Else a calibrated model would list other readings, or claim another certainty."""
    torch.manual_seed(0)
    crf = LinearChainCRF(3, batch_first=True)
    emissions = torch.randn(1, 3, 3)
    sharp, soft = crf.k_best(emissions, k=27)[0], crf.k_best(emissions, k=27, temperature=2.0)[0]
    assert [path for path, _ in soft] == [path for path, _ in sharp]
    logs = torch.tensor([log for _, log in sharp]) / 2
    expected = logs - logs.logsumexp(0)
    torch.testing.assert_close(torch.tensor([log for _, log in soft]), expected)
