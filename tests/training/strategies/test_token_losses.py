"""Losses beside the CRF's, against their formulas."""

import math

import numpy as np
import pytest
import torch
from thinc.api import Adam, Model
from torch.nn import functional as F

from spacy_bertcrf.models.strategy import ScoredBatch
from spacy_bertcrf.models.tagger.crf import CRF, build_crf
from spacy_bertcrf.models.types import TagTargets
from spacy_bertcrf.tagging import TagSet
from spacy_bertcrf.training.strategies.loss_weights import LossWeight, UncertaintyWeights
from spacy_bertcrf.training.strategies.token_losses import EntityBoundaries, TokenCrossEntropy

TOKENS = 7


@pytest.fixture(params=["BIO", "BIOES"])
def batch(request):
    """Random scores and tags of seven tokens, all known."""
    tag_set = TagSet(["name", "address"], request.param)
    model = Model("tagger", lambda *_: None, layers=[crf := CRF()], refs={"crf": crf})
    build_crf(crf, tag_set)
    torch.manual_seed(0)
    spans = [(0, 2, "name"), (2, 3, "address"), (4, 7, "name")]
    emissions = torch.randn(TOKENS, len(tag_set), requires_grad=True)
    targets = TagTargets(tag_set.encode(spans, TOKENS))
    return ScoredBatch(model, [], emissions, np.asarray([TOKENS]), targets)


def partly_known(batch, missing):
    """The same, with nothing known of some tokens."""
    tags, n_tags = batch.targets.tags, batch.emissions.shape[1]
    allowed = np.eye(n_tags, dtype=bool)[tags]
    allowed[missing] = True
    targets = TagTargets(tags, allowed)
    return ScoredBatch(batch.model, [], batch.emissions, batch.lengths, targets)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_is_torchs(batch, smoothing):
    expected = F.cross_entropy(
        batch.emissions,
        torch.from_numpy(batch.targets.tags),
        reduction="sum",
        label_smoothing=smoothing,
    )
    found = TokenCrossEntropy(0.5, smoothing=smoothing).loss(batch)
    torch.testing.assert_close(found, 0.5 * expected)


def test_focal_loss_is_that_of_the_formula(batch):
    gold = batch.emissions.softmax(1)[range(TOKENS), batch.targets.tags]
    expected = -((1 - gold) ** 2 * gold.log()).sum()
    torch.testing.assert_close(TokenCrossEntropy(1.0, focal=2).loss(batch), expected)


@pytest.mark.parametrize(
    "loss",
    [
        TokenCrossEntropy(),
        TokenCrossEntropy(focal=0.5, smoothing=0.1),
        EntityBoundaries(),
    ],
)
def test_tokens_of_which_nothing_is_known_teach_nothing(batch, loss):
    """Else partly annotated text would be learned as text without entities."""
    missing = [1, 4, 5]
    found = loss.loss(partly_known(batch, missing))
    (gradient,) = torch.autograd.grad(found, [batch.emissions])
    assert gradient.isfinite().all()
    assert gradient[missing].abs().max() < 1e-6
    assert gradient[[0, 2, 3, 6]].abs().sum() > 0


def test_boundaries_are_those_of_the_entities(batch):
    """Else the loss would push entities to other places."""
    tags = batch.tag_set.tags
    p = batch.emissions.softmax(1)
    starts = torch.tensor([tag[0] in "BS" for tag in tags])
    ends = torch.tensor([tag[0] in "ES" for tag in tags])
    expected = torch.zeros(())
    for token in range(TOKENS):
        start = p[token, starts].sum()
        expected = expected - (start if token in (0, 2, 4) else 1 - start).log()
        if batch.tag_set.scheme == "BIOES":
            end = p[token, ends].sum()
            expected = expected - (end if token in (1, 2, 6) else 1 - end).log()
    torch.testing.assert_close(EntityBoundaries(0.3).loss(batch), 0.3 * expected)


def test_a_scheduled_weight_follows_the_optimizers_steps(batch):
    """Else accumulated batches would run the schedule to its end too early."""
    strategy = TokenCrossEntropy(iter([1.0, 0.5]))
    first, again = strategy.loss(batch), strategy.loss(batch)
    strategy.after_step(Adam())
    second = strategy.loss(batch)
    strategy.after_step(Adam())
    torch.testing.assert_close(again, first)
    torch.testing.assert_close(second, 0.5 * first)
    torch.testing.assert_close(strategy.loss(batch), second)


def test_uncertainty_weights_find_the_minimum():
    """For a loss L that stays, exp(-s) · L + s / 2 is least at s = log(2 L)."""
    strategy, optimizer = UncertaintyWeights(), Adam(0.05)
    losses = {"crf": 3.0, "tokens": 0.2}
    for _ in range(400):
        strategy.begin_batch(None, list(losses), 1.0)
        strategy.factors(losses)
        strategy.after_step(optimizer)
    strategy.begin_batch(None, list(losses), 1.0)
    factors = strategy.factors(losses)
    for name, loss in losses.items():
        assert strategy.log_variances[name] == pytest.approx(math.log(2 * loss), abs=0.01)
        assert factors[name] == pytest.approx(1 / (2 * loss), rel=0.02)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TokenCrossEntropy(-1.0), "weight"),
        (lambda: TokenCrossEntropy(focal=-1.0), "focal"),
        (lambda: TokenCrossEntropy(smoothing=1.0), "smoothing"),
        (lambda: EntityBoundaries(iter([-0.1])), "weight"),
        (lambda: LossWeight(-2), "weight"),
    ],
)
def test_settings_that_cannot_be_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
